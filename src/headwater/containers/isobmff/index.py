"""The index of an MP4 or MOV: box headers, the moov and every moof are read, media data never."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, cast

import numpy as np

from headwater.containers.isobmff.boxes import children
from headwater.containers.isobmff.runs import Defaults, Run, expand, held, read_moof, read_trex
from headwater.containers.isobmff.samples import Samples, read_samples
from headwater.containers.isobmff.tracks import Track, read_movie, read_track
from headwater.containers.limits import (
    MAX_ALL_SAMPLES,
    MAX_INDEX_BYTES,
    MAX_TRACKS,
    cut_to_bytes,
    end_s,
)
from headwater.containers.table import RangeReader, SourceIndex, TrackTable
from headwater.model.errors import UnreadableMedia

HEADERS_BYTES = 16_384  # one read serves the small boxes that follow each other
MAX_BOXES = 1_000_000  # a fragment of one picture each, for four hours
MAX_MOOFS_BYTES = 64 << 20  # all of them: a day and a half of two-second fragments
NO_INDEX = "This file has no index: it was cut off before its end, or its recording never finished."
TOO_MANY = "This file claims more samples than a video of days has."


@dataclass(slots=True)
class _Found:
    """What a walk over the file came upon."""

    moov: memoryview | None = None
    fragmented: bool = False
    runs: dict[int, list[Run]] = field(default_factory=dict)
    samples: int = 0
    cut_off: bool = False
    notes: list[str] = field(default_factory=list)


def read_index(reader: RangeReader) -> SourceIndex:
    """Read every track of an ISO-BMFF file; a two-hour video costs its moov and a few headers.

    Raises:
        UnreadableMedia: no index, or one that is damaged, absurd or compressed.
    """
    found = _walk(reader)
    if found.moov is None:
        raise UnreadableMedia(NO_INDEX)
    tracks = _tracks(found)
    tables: list[TrackTable] = []
    total = 0
    for track in tracks:
        try:
            table = _table(track, found, file_size=reader.size)
        except UnreadableMedia as error:
            found.notes.append(f"Track {track.id} is left out: {error}")
            continue
        total += len(table.sizes)
        if total > MAX_ALL_SAMPLES:
            raise UnreadableMedia(TOO_MANY)
        tables.append(table)
    if not any(table.kind != "other" for table in tables):
        raise UnreadableMedia(
            next(iter(found.notes), "There is no picture and no sound in this file.")
        )
    ends = [end_s(table) for table in tables if table.kind != "other" and len(table.pts)]
    index = SourceIndex(
        family="isobmff",
        tracks=tuple(tables),
        truncated_at_s=min(ends) if found.cut_off and ends else None,
        notes=tuple(found.notes),
    )
    return cut_to_bytes(index, reader.size)


def _walk(reader: RangeReader) -> _Found:
    found = _Found()
    trex: dict[int, Defaults] = {}
    moofs_left = MAX_MOOFS_BYTES
    for kind, start, body, stop in _top_boxes(reader):
        if kind == b"moov" and found.moov is None:
            found.moov = _whole(reader, body, stop, MAX_INDEX_BYTES)
            trex = _open_moov(found)
            if not found.fragmented:
                break
        elif kind == b"moof" and found.moov is not None:
            if stop > reader.size:
                found.cut_off = True
                break
            moof = _whole(reader, body, stop, moofs_left)
            moofs_left -= len(moof)
            _open_moof(found, moof, position=start, trex=trex, file_size=reader.size)
    return found


def _open_moof(
    found: _Found,
    moof: memoryview,
    *,
    position: int,
    trex: dict[int, Defaults],
    file_size: int,
) -> None:
    """Add the runs of a fragment; a damaged one is passed over, its neighbours stand."""
    try:
        told = read_moof(moof, position=position, trex=trex)
        runs = [(track, held(run, file_size)) for track, run in told]
    except UnreadableMedia:
        if len(found.notes) < MAX_TRACKS:
            found.notes.append("A damaged fragment was passed over.")
        return
    for track, run in runs:
        found.samples += run.count
        found.runs.setdefault(track, []).append(run)
    if found.samples > MAX_ALL_SAMPLES:
        raise UnreadableMedia(TOO_MANY)


def _open_moov(found: _Found) -> dict[int, Defaults]:
    assert found.moov is not None
    trex: dict[int, Defaults] = {}
    for child in children(found.moov):
        if child.kind == b"cmov":
            raise UnreadableMedia("The index of this file is compressed, which we do not read.")
        if child.kind == b"mvex":
            found.fragmented = True
            trex = read_trex(child.body)
    return trex


def _top_boxes(reader: RangeReader) -> Iterator[tuple[bytes, int, int, int]]:
    """Yield (kind, start, start of body, stop) of the file's own boxes; *stop* may pass its end."""
    at, held_at, held = 0, 0, b""
    for _ in range(MAX_BOXES):
        if reader.size - at < 8:
            return
        if not held_at <= at <= held_at + len(held) - 16:
            held_at, held = at, reader.read_at(at, HEADERS_BYTES)
        header = held[at - held_at : at - held_at + 16]
        size, kind, length = int.from_bytes(header[:4], "big"), header[4:8], 8
        if size == 1:
            size, length = int.from_bytes(header[8:16], "big"), 16
        elif size == 0:
            size = reader.size - at
        if size < length or len(kind) < 4:
            return  # no box: whatever follows, there is no way on
        yield kind, at, at + length, at + size
        at += size
    raise UnreadableMedia("This file is cut into more pieces than any video needs.")


def _whole(reader: RangeReader, start: int, stop: int, limit: int) -> memoryview:
    if stop - start > limit:
        raise UnreadableMedia("The index of this file is larger than that of any real video.")
    body = reader.read_at(start, stop - start)
    if len(body) < stop - start:
        raise UnreadableMedia(NO_INDEX)
    return memoryview(body)


def _tracks(found: _Found) -> list[Track]:
    assert found.moov is not None
    timescale, rotation = 1, 0
    tracks: list[Track] = []
    chapters: set[int] = set()
    boxes = [child for child in children(found.moov) if child.kind in (b"mvhd", b"trak")]
    if len(boxes) > MAX_TRACKS + 1:
        raise UnreadableMedia(f"This file has more than {MAX_TRACKS} tracks.")
    for number, child in enumerate(sorted(boxes, key=lambda box: box.kind != b"mvhd")):
        try:
            if child.kind == b"mvhd":
                timescale, rotation = read_movie(child.body)
            else:
                track = read_track(child.body, movie_timescale=timescale, movie_rotation=rotation)
                chapters.update(track.chapters)
                tracks.append(track)
        except UnreadableMedia as error:
            found.notes.append(f"Track {number} is left out: {error}")
    return [track for track in tracks if track.id not in chapters]


def _table(track: Track, found: _Found, *, file_size: int) -> TrackTable:
    samples = read_samples(track.boxes, track.entry, kind=track.kind, file_size=file_size)
    runs = found.runs.get(track.id)
    if runs:
        samples = _joined(samples, runs, kind=track.kind)
    if len(samples.entries) and int(samples.entries.max()) >= track.descriptions:
        samples.entries[samples.entries >= track.descriptions] = 0
    if track.kind == "video" and len(samples.sync) and not samples.sync.any():
        samples.sync[0] = True  # nothing is marked; the first is where any decoder would begin
    changes = len(samples.entries) > 0 and bool(samples.entries.any())
    return TrackTable(
        number=track.id,
        kind=cast("Literal['video', 'audio', 'other']", track.kind),
        family="isobmff",
        codec=track.entry.codec,
        timescale=track.timescale,
        offsets=samples.offsets,
        sizes=samples.sizes,
        pts=samples.pts,
        dts=samples.dts,
        durations=samples.durations,
        sync=samples.sync,
        description=track.description,
        config=track.entry.config,
        descriptions=track.descriptions,
        entries=samples.entries if changes else None,
        language=track.language,
        name=track.name,
        edits=track.edits,
        width=track.entry.width,
        height=track.entry.height,
        sample_aspect=track.entry.sample_aspect,
        rotation=track.rotation,
        channels=track.entry.channels,
        sample_rate=track.entry.sample_rate,
        default=track.enabled,
    )


def _joined(first: Samples, runs: list[Run], *, kind: str) -> Samples:
    """Put the moov's own samples (usually none) before those of the fragments."""
    start = int(first.dts[-1] + first.durations[-1]) if len(first.dts) else 0
    rest = expand(runs, kind=kind, start=start)
    if not len(first.dts):
        return rest
    return Samples(
        offsets=np.concatenate([first.offsets, rest.offsets]),
        sizes=np.concatenate([first.sizes, rest.sizes]),
        pts=np.concatenate([first.pts, rest.pts]),
        dts=np.concatenate([first.dts, rest.dts]),
        durations=np.concatenate([first.durations, rest.durations]),
        sync=np.concatenate([first.sync, rest.sync]),
        entries=np.concatenate([first.entries, rest.entries]),
    )
