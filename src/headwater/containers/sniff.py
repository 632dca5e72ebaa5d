"""What kind of file this is, by its first bytes alone; the name people gave it proves nothing.

The demuxer named here is the only one a codec process may use on the file, so a playlist or a
script that calls itself a video is never opened as what it is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from headwater.containers.refusals import refuse
from headwater.model.errors import UnreadableMedia


@dataclass(frozen=True, slots=True)
class Sniffed:
    """*container* is our word for it, *demuxer* ffmpeg's.

    *remux* is ffmpeg's muxer for an indexed copy of what has no index of ours: "mov" holds nearly
    every codec, "matroska" the few it refuses.
    """

    container: str
    demuxer: str
    remux: Literal["mov", "matroska"] = "mov"


ISOBMFF = Sniffed("isobmff", "mov")
MATROSKA = Sniffed("matroska", "matroska")
TOP_BOXES = b"ftyp moov mdat free skip wide pnot styp moof sidx uuid junk prfl".split()

# First bytes that leave no doubt.
MAGICS: tuple[tuple[bytes, Sniffed], ...] = (
    (b"FLV\x01", Sniffed("flv", "flv")),
    (b"OggS", Sniffed("ogg", "ogg")),
    (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), Sniffed("asf", "asf", "matroska")),
    (b"fLaC", Sniffed("flac", "flac", "matroska")),
    (b"\x00\x00\x01\xba", Sniffed("mpegps", "mpeg")),
    (b"\x00\x00\x01\xb3", Sniffed("mpegvideo", "mpegvideo")),
    (bytes.fromhex("060e2b34020501010d0102"), Sniffed("mxf", "mxf")),
    (b".RMF\x00\x00", Sniffed("rm", "rm")),
    (b"DKIF\x00\x00", Sniffed("ivf", "ivf", "matroska")),
    (b"nut/multimedia container\x00", Sniffed("nut", "nut")),
    (bytes.fromhex("726966662e91cf11a5d628db04c10000"), Sniffed("w64", "w64")),
    (b"caff\x00\x01", Sniffed("caf", "caf")),
    (b"#!AMR\n", Sniffed("amr", "amr")),
    (b"#!AMR-WB\n", Sniffed("amr", "amr")),
    (b".snd\x00\x00", Sniffed("au", "au")),
    (b"\x7f\xfe\x80\x01", Sniffed("dts", "dts")),
    (b"\x1f\x07\x00", Sniffed("dv", "dv")),
)
FORMS = {  # RIFF-like: four characters, a size, four characters
    (b"RIFF", b"AVI "): Sniffed("avi", "avi"),
    (b"RIFF", b"AVIX"): Sniffed("avi", "avi"),
    (b"RIFF", b"WAVE"): Sniffed("wav", "wav"),
    (b"RIFX", b"WAVE"): Sniffed("wav", "wav"),
    (b"RF64", b"WAVE"): Sniffed("wav", "wav"),
    (b"FORM", b"AIFF"): Sniffed("aiff", "aiff"),
    (b"FORM", b"AIFC"): Sniffed("aiff", "aiff"),
}
TS_PACKETS = ((188, 0), (192, 4), (204, 0))  # plain, with a time code before (M2TS), with parity
TS_IN_A_ROW = 5

MP3_KBPS = {  # ISO/IEC 11172-3 §2.4.2.3 and 13818-3, by (MPEG-1, layer)
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


def sniff(head: bytes, *, size: int) -> Sniffed:
    """Decide the container of a file of *size* bytes from its first ≤ 64 KiB.

    Raises:
        RefusedMedia: a kind of file that is refused on purpose, named in the sentence.
        UnreadableMedia: empty, or nothing we know.
    """
    if size == 0 or not head:
        raise UnreadableMedia("This file is empty.")
    refuse(head)
    for look in (_boxes, _ebml, _magic, _form, _transport_stream, _sound):
        if found := look(head):
            return found
    raise UnreadableMedia("This is not a video or sound file of any kind that we know.")


def _boxes(head: bytes) -> Sniffed | None:
    if head[4:8] not in TOP_BOXES:
        return None
    size = int.from_bytes(head[:4], "big")
    return ISOBMFF if size >= 8 or size in (0, 1) else None


def _ebml(head: bytes) -> Sniffed | None:
    if not head.startswith(b"\x1a\x45\xdf\xa3"):
        return None
    if b"matroska" in head[:256] or b"webm" in head[:256]:
        return MATROSKA
    return None


def _magic(head: bytes) -> Sniffed | None:
    return next((found for magic, found in MAGICS if head.startswith(magic)), None)


def _form(head: bytes) -> Sniffed | None:
    return FORMS.get((head[:4], head[8:12]))


def _transport_stream(head: bytes) -> Sniffed | None:
    """MPEG-TS: a sync byte at every packet's start, maybe after a torn first packet."""
    for step, lead in TS_PACKETS:
        for start in range(lead, lead + step):
            marks = head[start : start + step * TS_IN_A_ROW : step]
            whole = len(marks) == TS_IN_A_ROW or (start == lead and 0 < len(head) % step == 0)
            if whole and marks and marks.count(b"\x47") == len(marks):
                return Sniffed("mpegts", "mpegts")
    return None


def _sound(head: bytes) -> Sniffed | None:
    """Streams of sound frames, maybe after an ID3 tag or silence-like zeros."""
    tagged = head[:3] == b"ID3" and len(head) >= 10
    at = 0
    if tagged:
        a, b, c, d = (byte & 0x7F for byte in head[6:10])
        at = 10 + (a << 21 | b << 14 | c << 7 | d)
        if head[at : at + 4] == b"fLaC":
            return Sniffed("flac", "flac", "matroska")
    kinds: tuple[tuple[str, Callable[[bytes, int], int]], ...] = (
        ("aac", _adts_frame),
        ("mp3", _mpeg_frame),
        ("ac3", _ac3_frame),
    )
    for name, frame in kinds:
        if _in_a_row(head, at, frame):
            if name == "ac3":
                name = "eac3" if head[at + 5] >> 3 > 10 else "ac3"  # noqa: PLW2901
            return Sniffed(name, name)
    # A tag may be longer than what we see, or hold a picture; nothing but MP3 commonly bears one.
    return Sniffed("mp3", "mp3") if tagged else None


def _in_a_row(head: bytes, at: int, frame: Callable[[bytes, int], int]) -> bool:
    """Say whether three frames follow each other from *at*, or as many as the head holds."""
    for count in range(3):
        if count and at + 8 > len(head):
            return True
        length = frame(head, at)
        if not length:
            return False
        at += length
    return True


def _adts_frame(head: bytes, at: int) -> int:
    if len(head) < at + 7 or head[at] != 0xFF or head[at + 1] & 0xF6 != 0xF0:
        return 0
    length = (head[at + 3] & 3) << 11 | head[at + 4] << 3 | head[at + 5] >> 5
    return length if length > 7 and (head[at + 2] >> 2 & 15) < 13 else 0


def _mpeg_frame(head: bytes, at: int) -> int:
    if len(head) < at + 4:
        return 0
    word = int.from_bytes(head[at : at + 4], "big")
    version, layer = word >> 19 & 3, 4 - (word >> 17 & 3)
    rate, frequency, padding = word >> 12 & 15, word >> 10 & 3, word >> 9 & 1
    if word >> 21 != 0x7FF or version == 1 or layer == 4 or rate in (0, 15) or frequency == 3:
        return 0
    bps = MP3_KBPS[version == 3, layer][rate - 1] * 1000
    hertz = (44100, 48000, 32000)[frequency] >> {3: 0, 2: 1, 0: 2}[version]
    if layer == 1:
        return (12 * bps // hertz + padding) * 4
    samples = 72 if layer == 3 and version != 3 else 144
    return samples * bps // hertz + padding


def _ac3_frame(head: bytes, at: int) -> int:
    """Return the length of an AC-3 or E-AC-3 frame (ETSI TS 102 366 §5.3, §E.1.2)."""
    if len(head) < at + 6 or head[at : at + 2] != b"\x0b\x77":
        return 0
    if head[at + 5] >> 3 > 10:
        return ((head[at + 2] & 7) << 8 | head[at + 3]) * 2 + 2
    rates = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
    frequency, code = head[at + 4] >> 6, head[at + 4] & 63
    if frequency == 3 or code >> 1 >= len(rates):
        return 0
    kbps = rates[code >> 1]
    if frequency == 1:  # 44.1 kHz: the words do not come out even
        return (kbps * 96000 // 44100 + (code & 1)) * 2
    return kbps * (4 if frequency == 0 else 6)
