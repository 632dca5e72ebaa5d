"""Walking a Matroska file from front to back: one row per frame, whoever it belongs to.

Segment and Cluster are entered, everything else is read or skipped, so clusters of unknown size
(live WebM) need no rule of their own.
"""

from array import array
from dataclasses import dataclass, field

from headwater.containers.limits import MAX_INDEX_BYTES, MAX_TRACKS
from headwater.containers.matroska import ids, laces
from headwater.containers.matroska.cursor import Cursor
from headwater.containers.matroska.ebml import by_id, children, read_id, read_size, read_unsigned
from headwater.containers.matroska.tracks import Track, read_track
from headwater.model.errors import UnreadableMedia

MAX_ELEMENTS = 8_000_000
MAX_ROWS = 6_000_000  # all tracks together, 32 bytes each
HEADER_BYTES = 32  # id and size of an element, then a block's own header
USUAL_SCALE = 1_000_000
RESYNC_BYTES = 64 << 20
CLUSTER_ID = ids.CLUSTER.to_bytes(4, "big")
COLUMNS = 4
MOST_AT_ONCE = 1 << 16
LACING = 6  # the bits of a block's flags
UNKNOWN = {0x7F, 0x3FFF, 0x1FFFFF, 0x0FFFFFFF}  # sizes of one to four bytes, all ones

# A row is (key, offset, size, time); a key is track, place in the lace, sync in one number.
TRACK_SHIFT, LACE_SHIFT = 9, 1


@dataclass(slots=True)
class Walked:
    """What a walk came upon. *durations* are (row, ticks) of blocks that say theirs."""

    scale: int = USUAL_SCALE
    tracks: dict[int, Track] = field(default_factory=dict)
    rows: "array[int]" = field(default_factory=lambda: array("q"))
    durations: "array[int]" = field(default_factory=lambda: array("q"))
    cut_off: bool = False
    notes: list[str] = field(default_factory=list)


def walk(cursor: Cursor) -> Walked:
    """Read everything but the media itself.

    Raises:
        UnreadableMedia: an index that is absurd.
    """
    found = Walked()
    at, now = 0, 0
    for _ in range(MAX_ELEMENTS):
        if at >= cursor.size:
            return found
        kind, start, size = _header(cursor, at)
        if kind in (ids.SEGMENT, ids.CLUSTER):
            if kind == ids.SEGMENT and size is not None and start + size > cursor.size:
                found.cut_off = True
            at = start
            continue
        if at and kind == ids.EBML:
            found.notes.append("Only the first of the files joined in this one is read.")
            return found
        stop = start + (size or 0)
        if stop > cursor.size and found.cut_off:
            return found
        if size is None or stop > cursor.size or not _is_plausible(cursor, kind, stop):
            at = _resync(cursor, at, found)
            continue
        if kind == ids.SIMPLE_BLOCK:
            _block(cursor, start, size, now, found, sync=None)
            stop = _plain_blocks(cursor, stop, now, found)
        elif kind == ids.BLOCK_GROUP:
            _group(cursor, start, stop, now, found)
        elif kind == ids.CLUSTER_TIMESTAMP:
            now = int.from_bytes(cursor.whole(start, min(size, 8)), "big") & ((1 << 56) - 1)
        elif kind in (ids.INFO, ids.TRACKS):
            _describe(cursor, kind, start, size, found)
        at = stop
        if len(found.rows) > MAX_ROWS * COLUMNS:
            raise UnreadableMedia("This file claims more pictures than a video of days has.")
    found.notes.append("The file is cut into more pieces than any video needs.")
    found.cut_off = True
    return found


def _is_plausible(cursor: Cursor, kind: int, stop: int) -> bool:
    """Say whether *kind* is known, or at least followed by something that is."""
    if kind in ids.KNOWN or stop >= cursor.size:
        return kind != 0
    return kind != 0 and _header(cursor, stop)[0] in ids.KNOWN


def _header(cursor: Cursor, at: int) -> tuple[int, int, int | None]:
    """Return id, start of the body and size of the element at *at*; id 0 where there is none."""
    place = cursor.seek(at, HEADER_BYTES)
    data = cursor.data
    if place + 1 < len(data) and data[place] >= 0x80:  # the short ids of blocks
        kind, first = data[place], data[place + 1]
        if first >= 0x80:
            return kind, at + 2, None if first == 0xFF else first & 0x7F
        if first >= 0x40 and place + 2 < len(data):
            size = (first & 0x3F) << 8 | data[place + 2]
            return kind, at + 3, None if size == 0x3FFF else size
    kind, id_length = read_id(data, place)
    told, size_length = read_size(data, place + id_length)
    if not id_length or not size_length:
        return 0, at, None
    return kind, at + id_length + size_length, told


def _resync(cursor: Cursor, at: int, found: Walked) -> int:
    """Return where the next cluster after garbage at *at* begins, else the end of the file."""
    found.notes.append("A part of the file is damaged and was passed over.")
    step = 1 << 20
    if len(found.notes) <= 16:
        for start in range(at + 1, min(at + RESYNC_BYTES, cursor.size), step):
            place = cursor.whole(start, step + len(CLUSTER_ID) - 1).find(CLUSTER_ID)
            if place >= 0:
                return start + place
    found.cut_off = True
    return cursor.size


def _block(
    cursor: Cursor, start: int, size: int, now: int, found: Walked, *, sync: bool | None
) -> None:
    """Add the frames of one block; *sync* is None where the block itself says."""
    if size < 4:
        return
    place = cursor.seek(start, min(size, HEADER_BYTES))
    data = cursor.data
    track, length = data[place] & 0x7F, 1
    if data[place] < 0x80:
        told, length = read_size(data, place)
        if told is None or not length:
            return
        track = told
    if size < length + 3 or track not in found.tracks:
        return
    after = place + length
    shift = data[after] << 8 | data[after + 1]
    time = now + (shift - 0x10000 if shift & 0x8000 else shift)
    flags = data[after + 2]
    key = track << TRACK_SHIFT | (flags >> 7 if sync is None else sync)
    offset, size = start + length + 3, size - length - 3
    lacing = flags >> 1 & 3
    if not lacing:
        found.rows.extend((key, offset, size, time))
        return
    head = cursor.whole(offset, min(size, laces.MAX_HEADER_BYTES))
    skipped, frames = laces.frame_sizes(head, size, lacing)
    offset += skipped
    for lace, frame in enumerate(frames):
        found.rows.extend((key | lace << LACE_SHIFT, offset, frame, time))
        offset += frame


def _plain_blocks(cursor: Cursor, at: int, now: int, found: Walked) -> int:
    """Add the blocks that follow each other from *at* and need no second thought.

    They are nearly all of any file: this is where its length is paid for. Returns where the first
    stands that is laced, of a track with a long number, or no SimpleBlock.
    """
    tracks, rows = found.tracks, list[int]()
    data, base, size = cursor.data, cursor.start, 0
    while len(rows) < MOST_AT_ONCE * COLUMNS:
        place = at - base
        if place + HEADER_BYTES > len(data):
            if at + HEADER_BYTES > cursor.size:
                break
            place = cursor.seek(at, HEADER_BYTES)
            data, base = cursor.data, cursor.start
        first = data[place + 1]
        if data[place] != ids.SIMPLE_BLOCK or first < 0x10:
            break
        if first < 0x20:
            size, body = int.from_bytes(data[place + 1 : place + 5], "big") & 0x0FFFFFFF, place + 5
        elif first < 0x40:
            size, body = int.from_bytes(data[place + 1 : place + 4], "big") & 0x1FFFFF, place + 4
        elif first < 0x80:
            size, body = (first & 0x3F) << 8 | data[place + 2], place + 3
        else:
            size, body = first & 0x7F, place + 2
        track, flags, start = data[body] & 0x7F, data[body + 3], base + body
        plain = data[body] > 0x80 and not flags & LACING and track in tracks
        if not plain or size in UNKNOWN or size < 4 or start + size > cursor.size:
            break
        shift = data[body + 1] << 8 | data[body + 2]
        time = now + shift - ((shift & 0x8000) << 1)
        rows += (track << TRACK_SHIFT | flags >> 7, start + 4, size - 4, time)
        at = start + size
    found.rows.extend(rows)
    return at


def _group(cursor: Cursor, start: int, stop: int, now: int, found: Walked) -> None:
    """Add a BlockGroup: a block is sync where it refers to no other."""
    block: tuple[int, int] | None = None
    sync, duration = True, 0
    at = start
    for _ in range(64):
        if at >= stop:
            break
        kind, body, size = _header(cursor, at)
        if not kind or size is None or body + size > stop:
            break
        if kind == ids.BLOCK:
            block = (body, size)
        elif kind == ids.REFERENCE_BLOCK:
            sync = False
        elif kind == ids.BLOCK_DURATION:
            duration = int.from_bytes(cursor.whole(body, min(size, 8)), "big") & ((1 << 40) - 1)
        at = body + size
    if block is None:
        return
    row = len(found.rows) // COLUMNS
    _block(cursor, *block, now, found, sync=sync)
    if duration and len(found.rows) // COLUMNS == row + 1:
        found.durations.extend((row, duration))


def _describe(cursor: Cursor, kind: int, start: int, size: int, found: Walked) -> None:
    if size > MAX_INDEX_BYTES:
        raise UnreadableMedia("The index of this file is larger than that of any real video.")
    body = memoryview(cursor.whole(start, size))
    if kind == ids.INFO:
        found.scale = read_unsigned(by_id(body), ids.TIMESTAMP_SCALE) or USUAL_SCALE
        return
    if found.tracks:
        return
    for place, child in enumerate(child for child in children(body) if child.id == ids.TRACK_ENTRY):
        if place >= MAX_TRACKS:
            raise UnreadableMedia(f"This file has more than {MAX_TRACKS} tracks.")
        try:
            track = read_track(child)
        except UnreadableMedia as error:
            found.notes.append(f"Track {place + 1} is left out: {error}.")
            continue
        found.tracks.setdefault(track.number, track)
