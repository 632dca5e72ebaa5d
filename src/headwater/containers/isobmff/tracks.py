"""One trak box: everything a track says of itself beside its samples."""

from dataclasses import dataclass

from headwater.containers.isobmff.boxes import DAMAGED, by_kind, children, numbers, unpack
from headwater.containers.isobmff.codecs import MACINTOSH_LANGUAGES
from headwater.containers.isobmff.entries import Entry, entry_boxes, plain_entry, read_entry
from headwater.containers.table import Edit
from headwater.model.errors import UnreadableMedia

KINDS = {b"vide": "video", b"soun": "audio"}
MAX_EDITS = 4096
# Names that muxers write and nobody chose.
BOILERPLATE = (
    "handler",
    "core media",
    "gpac",
    "mainconcept",
    "apple",
    "bento4",
    "isomedia",
    "l-smash",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """What a trak box says; *duration* edits are in its own ticks, *boxes* those of its stbl."""

    id: int
    kind: str
    timescale: int
    language: str
    name: str
    enabled: bool
    rotation: int
    edits: tuple[Edit, ...]
    entry: Entry
    description: bytes
    descriptions: int
    boxes: dict[bytes, memoryview]
    chapters: tuple[int, ...]


def read_track(trak: memoryview, *, movie_timescale: int, movie_rotation: int) -> Track:
    """Read one track.

    Raises:
        UnreadableMedia: a box it cannot do without is missing or damaged.
    """
    inside = by_kind(trak)
    media = by_kind(_required(inside, b"mdia"))
    stbl = by_kind(_required(by_kind(_required(media, b"minf")), b"stbl"))
    handler = _required(media, b"hdlr")
    kind = KINDS.get(bytes(handler[8:12]), "other")
    timescale, language = _mdhd(_required(media, b"mdhd"))
    stsd = _required(stbl, b"stsd")
    boxes = entry_boxes(stsd)
    track, enabled, rotation = _tkhd(_required(inside, b"tkhd"))
    return Track(
        id=track,
        kind=kind,
        timescale=timescale,
        language=_elng(media) or language,
        name=_name(inside, handler),
        enabled=enabled,
        rotation=(rotation + movie_rotation) % 360,
        edits=_edits(inside, movie_timescale, timescale),
        entry=read_entry(boxes[0], kind=kind, stsd_version=stsd[0]),
        description=b"".join(plain_entry(entry, stsd_version=stsd[0]) for entry in boxes),
        descriptions=len(boxes),
        boxes=stbl,
        chapters=_chapters(inside),
    )


def read_movie(mvhd: memoryview) -> tuple[int, int]:
    """Return the movie's timescale and rotation."""
    wide = unpack(">B", mvhd)[0] == 1
    (timescale,) = unpack(">I", mvhd, 20 if wide else 12)
    return max(timescale, 1), _rotation(mvhd, 48 if wide else 36)


def _required(boxes: dict[bytes, memoryview], kind: bytes) -> memoryview:
    try:
        return boxes[kind]
    except KeyError:
        raise UnreadableMedia(DAMAGED) from None


def _tkhd(body: memoryview) -> tuple[int, bool, int]:
    version, flags = unpack(">BI", memoryview(bytes(body[:1]) + b"\0" + bytes(body[1:4])))
    wide = version == 1
    (track,) = unpack(">I", body, 20 if wide else 12)
    return track, bool(flags & 1), _rotation(body, 52 if wide else 40)


def _rotation(body: memoryview, at: int) -> int:
    """Return clockwise degrees of a transformation matrix, 0 for any that is no quarter turn."""
    a, b, _, c, d = unpack(">iiiii", body, at)
    if a == 0 and d == 0 and b and c:
        return 90 if b > 0 > c else 270 if b < 0 < c else 0
    return 180 if a < 0 and d < 0 and b == 0 and c == 0 else 0


def _mdhd(body: memoryview) -> tuple[int, str]:
    wide = unpack(">B", body)[0] == 1
    (timescale,) = unpack(">I", body, 20 if wide else 12)
    (code,) = unpack(">H", body, 32 if wide else 20)
    if not 0 < timescale < 1 << 31:
        raise UnreadableMedia(DAMAGED)
    return timescale, _language(code)


def _language(code: int) -> str:
    if code < len(MACINTOSH_LANGUAGES):
        return MACINTOSH_LANGUAGES[code]
    if code < 0x400:  # older QuickTime codes; 0x7FFF means unspecified
        return "und"
    letters = "".join(chr(0x60 + (code >> shift & 31)) for shift in (10, 5, 0))
    return letters if letters.isalpha() and letters.isascii() else "und"


def _elng(media: dict[bytes, memoryview]) -> str:
    """Return the extended language tag (BCP 47) if it looks like one."""
    told = _text(media.get(b"elng", memoryview(b""))[4:])
    return told if told.replace("-", "").isalnum() and len(told) <= 35 else ""


def _name(inside: dict[bytes, memoryview], handler: memoryview) -> str:
    """Return the name somebody gave the track: udta's, else the handler's, "" for a muxer's own."""
    told = ""
    if b"udta" in inside:
        told = _text(by_kind(inside[b"udta"]).get(b"name", memoryview(b"")))
    if not told and len(handler) > 24:
        raw = handler[24:]
        pascal = raw[0] == len(raw) - 1  # QuickTime counts, MP4 ends with a zero
        told = _text(raw[1:] if pascal else raw)
    return "" if any(word in told.lower() for word in BOILERPLATE) else told


def _text(raw: memoryview) -> str:
    text = bytes(raw[:512]).split(b"\0", 1)[0].decode("utf-8", "replace")
    return "".join(c for c in text if c.isprintable()).strip()[:100]


def _edits(
    inside: dict[bytes, memoryview], movie_timescale: int, timescale: int
) -> tuple[Edit, ...]:
    if b"edts" not in inside:
        return ()
    elst = by_kind(inside[b"edts"]).get(b"elst")
    if elst is None:
        return ()
    wide = unpack(">B", elst)[0] == 1
    (count,) = unpack(">I", elst, 4)
    if count > MAX_EDITS:
        raise UnreadableMedia("A track of this file is edited from thousands of pieces.")
    width = 20 if wide else 12
    edits = []
    for at in range(8, 8 + count * width, width):
        duration, media_time = unpack(">Qq" if wide else ">Ii", elst, at)
        ticks = (duration * timescale * 2 + movie_timescale) // (2 * movie_timescale)
        edits.append(
            Edit(
                media_time=None if media_time < 0 else media_time,
                duration=min(ticks, (1 << 62)) if duration else None,
            )
        )
    return tuple(edits)


def _chapters(inside: dict[bytes, memoryview]) -> tuple[int, ...]:
    """Return the tracks that hold this one's chapter titles and pictures."""
    if b"tref" not in inside:
        return ()
    for child in children(inside[b"tref"]):
        if child.kind == b"chap":
            return tuple(numbers(child.body, 0, min(len(child.body) // 4, 64), ">u4").tolist())
    return ()
