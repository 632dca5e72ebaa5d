"""CMAF: init segments and media segments of one track (ISO/IEC 23000-19, ISO/IEC 14496-12).

Nothing is inferred: the same arguments give the same bytes. There is no edit list; decode times and
signed composition offsets say all.
"""

import struct
from collections.abc import Iterable, Sequence

import numpy as np

from headwater.containers.isobmff.boxes import box, full_box
from headwater.containers.isobmff.colours import colr
from headwater.model.plan import Colour

TRACK_ID = 1
MATRIX = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
SYNC = 0x0200_0000  # depends on nothing
NOT_SYNC = 0x0101_0000  # depends on others, is not a sync sample
STYP = box(b"styp", b"msdh", struct.pack(">I", 0), b"msdhcmfs")


def video_init(
    *,
    width: int,
    height: int,
    timescale: int,
    avcc: bytes,
    sample_aspect: tuple[int, int] = (1, 1),
    colour: Colour | None = None,
) -> bytes:
    """Return the init segment of an H.264 track; *avcc* is its AVCDecoderConfigurationRecord."""
    across, down = sample_aspect
    entry = box(
        b"avc1",
        struct.pack(">6xH16xHHIIIH32xHh", 1, width, height, 0x480000, 0x480000, 0, 1, 24, -1),
        box(b"avcC", avcc),
        box(b"pasp", struct.pack(">II", across, down)),
        colr(colour or Colour()),
    )
    shown = (width * across * 0x10000 // down, height * 0x10000)
    return _init(
        timescale=timescale,
        tkhd=tkhd(shown=shown, volume=0),
        handler=handler("video"),
        language="und",
        entry=entry,
    )


def audio_init(
    *, sample_rate: int, channels: int, asc: bytes, language: str, bitrate: int
) -> bytes:
    """Return the init segment of an AAC track; *asc* is its AudioSpecificConfig."""
    rate = sample_rate if sample_rate < 0x10000 else 0  # 16 bits; the config tells the rest
    entry = box(
        b"mp4a",
        struct.pack(">6xH8xHHI", 1, channels, 16, 0),
        struct.pack(">I", rate << 16),
        _esds(asc, channels=channels, bitrate=bitrate),
    )
    return _init(
        timescale=sample_rate,
        tkhd=tkhd(shown=(0, 0), volume=0x100),
        handler=handler("audio"),
        language=language,
        entry=entry,
    )


def segment(
    *,
    sequence: int,
    decode_time: int,
    samples: Sequence[tuple[int, int, bool, int]],
    payload: Iterable[bytes],
) -> bytes:
    """Return one media segment: styp, moof, mdat.

    Args:
        sequence: the fragment's number, from 1.
        decode_time: tick of the first sample in decode order.
        samples: (duration, signed composition offset, sync, size in bytes) in decode order, n ≥ 1.
        payload: the bytes of all samples, in any pieces.
    """
    durations, offsets, marks, sizes = zip(*samples, strict=True)
    flags = [SYNC if mark else NOT_SYNC for mark in marks]
    tfhd_flags, usual = 0x02_0000, b""  # default-base-is-moof
    columns: list[tuple[int, Sequence[int], str]] = [(0x200, sizes, ">u4")]
    if len(set(durations)) == 1:
        tfhd_flags, usual = tfhd_flags | 0x08, struct.pack(">I", durations[0])
    else:
        columns.insert(0, (0x100, durations, ">u4"))
    first = b""
    if len(set(flags[1:])) <= 1:
        rest = flags[-1]
        tfhd_flags, usual = tfhd_flags | 0x20, usual + struct.pack(">I", rest)
        first = b"" if flags[0] == rest else struct.pack(">I", flags[0])
    else:
        columns.append((0x400, flags, ">u4"))
    if any(offsets):
        columns.append((0x800, offsets, ">i4"))
    trun_flags = 0x01 | (0x04 if first else 0) | sum(bit for bit, _, _ in columns)
    rows = _interleaved(columns)
    parts = (
        full_box(b"mfhd", 0, 0, struct.pack(">I", sequence)),
        full_box(b"tfhd", 0, tfhd_flags, struct.pack(">I", TRACK_ID), usual),
        full_box(b"tfdt", 1, 0, struct.pack(">Q", decode_time)),
    )
    # Headers of moof and traf with the parts, the trun with count and offset, the header of mdat.
    data_offset = 8 + sum(map(len, parts)) + 8 + 20 + len(first) + len(rows) + 8
    trun = full_box(
        b"trun", 1, trun_flags, struct.pack(">Ii", len(samples), data_offset), first, rows
    )
    moof = box(b"moof", parts[0], box(b"traf", parts[1], parts[2], trun))
    return b"".join((STYP, moof, box(b"mdat", *payload)))


def _interleaved(columns: Sequence[tuple[int, Sequence[int], str]]) -> bytes:
    """Return the trun's table, row by row."""
    words = [np.array(values, dtype=np.int64).astype(kind) for _, values, kind in columns]
    table = np.stack([column.view(">u4") for column in words], axis=1)
    return table.astype(">u4").tobytes()  # stack goes back to the machine's own order


def tkhd(*, shown: tuple[int, int], volume: int) -> bytes:
    """*shown* is width and height in 16.16 fixed point."""
    return full_box(
        b"tkhd",
        0,
        0x3,  # enabled, in the movie
        struct.pack(">IIIII8xhhHH", 0, 0, TRACK_ID, 0, 0, 0, 0, volume, 0),
        MATRIX,
        struct.pack(">II", *shown),
    )


def mvhd(timescale: int) -> bytes:
    return full_box(
        b"mvhd",
        0,
        0,
        struct.pack(">IIIIIH10x", 0, 0, timescale, 0, 0x10000, 0x100),
        MATRIX,
        struct.pack(">24xI", TRACK_ID + 1),
    )


def mdhd(timescale: int, language: str) -> bytes:
    letters = (
        language if len(language) == 3 and language.isascii() and language.islower() else "und"
    )
    code = 0
    for letter in letters:
        code = code << 5 | (ord(letter) - 0x60) & 31
    return full_box(b"mdhd", 0, 0, struct.pack(">IIIIHH", 0, 0, timescale, 0, code, 0))


def handler(kind: str) -> tuple[bytes, bytes]:
    """Return the hdlr box and the media header box of a kind of track."""
    code, header = {
        "video": (b"vide", full_box(b"vmhd", 0, 1, bytes(8))),
        "audio": (b"soun", full_box(b"smhd", 0, 0, bytes(4))),
    }[kind]
    return full_box(b"hdlr", 0, 0, struct.pack(">I4s12x", 0, code), b"\0"), header


def dinf() -> bytes:
    here = full_box(b"url ", 0, 1)  # the media is in this very file
    return box(b"dinf", full_box(b"dref", 0, 0, struct.pack(">I", 1), here))


def _init(
    *, timescale: int, tkhd: bytes, handler: tuple[bytes, bytes], language: str, entry: bytes
) -> bytes:
    none = struct.pack(">I", 0)
    stbl = box(
        b"stbl",
        full_box(b"stsd", 0, 0, struct.pack(">I", 1), entry),
        full_box(b"stts", 0, 0, none),
        full_box(b"stsc", 0, 0, none),
        full_box(b"stsz", 0, 0, none, none),
        full_box(b"stco", 0, 0, none),
    )
    hdlr, header = handler
    mdia = box(
        b"mdia",
        mdhd(timescale, language),
        hdlr,
        _elng(language),
        box(b"minf", header, dinf(), stbl),
    )
    trex = full_box(b"trex", 0, 0, struct.pack(">IIIII", TRACK_ID, 1, 0, 0, 0))
    moov = box(b"moov", mvhd(timescale), box(b"trak", tkhd, mdia), box(b"mvex", trex))
    return box(b"ftyp", b"cmfc", struct.pack(">I", 0), b"iso6cmfcmp41") + moov


def _elng(language: str) -> bytes:
    """Return the extended language tag where three letters cannot say it."""
    if len(language) == 3:
        return b""
    return full_box(b"elng", 0, 0, language.encode("ascii", "replace"), b"\0")


def _esds(asc: bytes, *, channels: int, bitrate: int) -> bytes:
    """ISO/IEC 14496-1 §7.2.6.5, ISO/IEC 14496-3: AAC's decoder buffer is 6144 bits per channel."""
    buffer_bytes = 768 * max(channels, 1)
    decoder = struct.pack(">BB", 0x40, 0x15) + buffer_bytes.to_bytes(3, "big")
    decoder += struct.pack(">II", bitrate, bitrate) + _descriptor(5, asc)
    body = struct.pack(">HB", 0, 0) + _descriptor(4, decoder) + _descriptor(6, b"\x02")
    return full_box(b"esds", 0, 0, _descriptor(3, body))


def _descriptor(tag: int, body: bytes) -> bytes:
    length = bytes(len(body) >> shift & 0x7F | (0x80 if shift else 0) for shift in (21, 14, 7, 0))
    return bytes([tag]) + length + body
