"""Movies written box by box, for what no muxer at hand writes."""

import struct

import numpy as np

from headwater.containers.isobmff.boxes import box, full_box, packed
from headwater.containers.isobmff.write import dinf, handler, mdhd, mvhd, tkhd

TWO_HOURS = [216_000, 337_500]
SAMPLE = b"\xaa"
FTYP = box(b"ftyp", b"isom", bytes(4))
ENTRIES = {"video": box(b"mp4v", bytes(78)), "audio": box(b"mp4a", bytes(28))}


def u32(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def track(kind: str, timescale: int, *tables: bytes, entry: bytes = b"", entries: int = 1) -> bytes:
    stsd = full_box(b"stsd", 0, 0, u32(entries), (entry or ENTRIES[kind]) * entries)
    hdlr, header = handler(kind)
    minf = box(b"minf", header, dinf(), box(b"stbl", stsd, *tables))
    media = box(b"mdia", mdhd(timescale, "und"), hdlr, minf)
    return box(b"trak", tkhd(shown=(0, 0), volume=0), media)


def movie(
    *, wide: bool = False, co64: bool = False, small_sizes: bool = False, entries: int = 1
) -> bytes:
    """Return a movie of four samples of 1, 2, 3 and 4 bytes in two chunks."""
    sizes = [1, 2, 3, 4]
    stsz = full_box(b"stsz", 0, 0, u32(0, 4, *sizes))
    if small_sizes:
        stsz = full_box(b"stz2", 0, 0, u32(4, 4), bytes([0x12, 0x34]))
    chunk_entries = u32(1, 1, 2, 1) if entries == 1 else u32(2, 1, 2, 1, 2, 2, 2)
    stsc = full_box(b"stsc", 0, 0, chunk_entries)
    media = SAMPLE * sum(sizes)

    def moov(start: int) -> bytes:
        chunks = [start, start + 3]
        stco = full_box(b"stco", 0, 0, u32(2, *chunks))
        if co64:
            stco = full_box(b"co64", 0, 0, u32(2), packed(">u8", chunks))
        stts = full_box(b"stts", 0, 0, u32(1, 4, 40))
        tables = (stts, stsz, stsc, stco)
        inside = mvhd(1000) + track("video", 1000, *tables, entries=entries)
        if wide:
            return struct.pack(">I4sQ", 1, b"moov", len(inside) + 16) + inside
        return box(b"moov", inside)

    start = len(FTYP) + len(moov(0)) + 8
    return FTYP + moov(start) + box(b"mdat", media)


def long_movie() -> bytes:
    """Return the index, without media, of two hours of 30 fps with B-frames and 48 kHz AAC."""
    pictures, sounds = TWO_HOURS
    compositions = np.stack(
        [np.ones(pictures, dtype=np.int64), np.arange(pictures) * 7 % 4 * 1000], axis=1
    )
    marks = np.arange(1, pictures + 1, 60)
    video = track(
        "video",
        30000,
        full_box(b"stts", 0, 0, u32(1, pictures, 1000)),
        full_box(b"ctts", 0, 0, u32(pictures), packed(">u4", compositions.reshape(-1))),
        full_box(b"stss", 0, 0, u32(len(marks)), packed(">u4", marks)),
        *_stored(pictures, 9000),
    )
    audio = track(
        "audio", 48000, full_box(b"stts", 0, 0, u32(1, sounds, 1024)), *_stored(sounds, 400)
    )
    return FTYP + box(b"moov", mvhd(1000), video, audio)


def _stored(count: int, largest: int) -> tuple[bytes, ...]:
    sizes = np.arange(count) * 7919 % largest
    chunks = np.arange(-(-count // 15)) * largest * 15
    return (
        full_box(b"stsz", 0, 0, u32(0, count), packed(">u4", sizes)),
        full_box(b"stsc", 0, 0, u32(1, 1, 15, 1)),
        full_box(b"co64", 0, 0, u32(len(chunks)), packed(">u8", chunks)),
    )
