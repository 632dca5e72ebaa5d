"""A few samples as a small complete MP4: moov first, no edit list, time 0 at the first dts."""

import struct
from collections.abc import Sequence

import numpy as np

from headwater.containers.isobmff.boxes import box, full_box, packed
from headwater.containers.isobmff.write import dinf, handler, mdhd, mvhd, tkhd
from headwater.containers.table import Int64s, TrackTable

LONGEST = (1 << 31) - 1  # ticks; ffmpeg reads larger ones as negative


def write_window(table: TrackTable, payload: Sequence[bytes]) -> tuple[bytes, int]:
    """Return the file and the tick of *table*'s media time that its time 0 stands for.

    *payload* holds the bytes of every sample of *table*, n ≥ 1. The display rotation is left out:
    pictures come out as they are coded.
    """
    sizes = np.array([len(data) for data in payload], dtype=np.int64)
    head, base = window_head(table, sizes)
    return b"".join((head, *payload)), base


def window_head(table: TrackTable, sizes: Int64s) -> tuple[bytes, int]:
    """Return all of the file before its samples, which have *sizes*, and the tick of its time 0."""
    base = int(table.dts[0])
    steps = np.clip(np.diff(table.dts), 0, LONGEST)
    last = np.clip(table.durations[-1:], 0, LONGEST)
    durations = np.concatenate([steps, last])
    compositions = np.clip(table.pts - base - (np.cumsum(durations) - durations), -LONGEST, LONGEST)
    ftyp = _ftyp(table)
    moov = _moov(table, sizes, durations, compositions, data_at=0)
    moov = _moov(table, sizes, durations, compositions, data_at=len(ftyp) + len(moov) + 16)
    size = int(sizes.sum()) + 16  # a 64-bit header whatever the size, so that it is known
    return ftyp + moov + struct.pack(">I4sQ", 1, b"mdat", size), base


def _ftyp(table: TrackTable) -> bytes:
    """QuickTime's longer audio entries and raw audio are read by its own rules."""
    entry_version = table.description[16:18] if table.kind == "audio" else b"\0\0"
    brand = b"qt  " if entry_version != b"\0\0" or table.codec.startswith("pcm_") else b"isom"
    return box(b"ftyp", brand, struct.pack(">I", 512), brand)


def _moov(
    table: TrackTable,
    sizes: Int64s,
    durations: Int64s,
    compositions: Int64s,
    *,
    data_at: int,
) -> bytes:
    stbl = [
        full_box(b"stsd", 0, 0, struct.pack(">I", table.descriptions), table.description),
        full_box(b"stts", 0, 0, _runs(durations, ">u4")),
    ]
    if compositions.any():
        stbl.append(full_box(b"ctts", 1, 0, _runs(compositions, ">i4")))
    if not table.sync.all():
        marks = np.nonzero(table.sync)[0] + 1
        stbl.append(full_box(b"stss", 0, 0, struct.pack(">I", len(marks)), packed(">u4", marks)))
    stbl.append(full_box(b"stsz", 0, 0, struct.pack(">II", 0, len(sizes)), packed(">u4", sizes)))
    stbl.extend(_chunks(table, sizes, data_at))
    shown = (table.width << 16, table.height << 16)
    hdlr, header = handler("audio" if table.kind == "audio" else "video")
    minf = box(b"minf", header, dinf(), box(b"stbl", *stbl))
    mdia = box(b"mdia", mdhd(table.timescale, "und"), hdlr, minf)
    trak = box(b"trak", tkhd(shown=shown, volume=0), mdia)
    return box(b"moov", mvhd(table.timescale), trak)


def _chunks(table: TrackTable, sizes: Int64s, data_at: int) -> tuple[bytes, bytes]:
    """Return stsc and co64: one chunk per run of samples of one sample entry."""
    entries = np.zeros(len(sizes), dtype=np.int64) if table.entries is None else table.entries
    firsts = np.concatenate([[0], np.nonzero(np.diff(entries))[0] + 1])
    counts = np.diff(firsts, append=len(sizes))
    before = np.cumsum(sizes) - sizes
    rows = np.stack([np.arange(len(firsts)) + 1, counts, entries[firsts] + 1], axis=1)
    count = struct.pack(">I", len(firsts))
    return (
        full_box(b"stsc", 0, 0, count, packed(">u4", rows.reshape(-1))),
        full_box(b"co64", 0, 0, count, packed(">u8", before[firsts] + data_at)),
    )


def _runs(values: Int64s, kind: str) -> bytes:
    """Return (how often, value) pairs after their count, as stts and ctts hold them."""
    firsts = np.concatenate([[0], np.nonzero(np.diff(values))[0] + 1])
    counts = np.diff(firsts, append=len(values))
    table = np.stack([counts.astype(">u4"), values[firsts].astype(kind).view(">u4")], axis=1)
    return struct.pack(">I", len(firsts)) + table.astype(">u4").tobytes()
