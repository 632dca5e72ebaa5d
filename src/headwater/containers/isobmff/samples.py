"""Sample tables: stbl boxes into arrays, no loop per sample (ISO/IEC 14496-12 §8.6, §8.7)."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from headwater.containers.isobmff.boxes import DAMAGED, numbers, unpack
from headwater.containers.isobmff.entries import Entry
from headwater.containers.limits import MAX_SAMPLES, check_count
from headwater.containers.table import Bools, Int64s
from headwater.model.errors import UnreadableMedia

PACKET_SAMPLES = 1024  # how many samples of constant-size audio make one row, as ffmpeg groups them

Boxes = dict[bytes, memoryview]


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """The arrays of a TrackTable; *entries* numbers sample entries from 0."""

    offsets: Int64s
    sizes: Int64s
    pts: Int64s
    dts: Int64s
    durations: Int64s
    sync: Bools
    entries: Int64s


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chunks:
    """Per chunk: where it starts, how many samples it holds and in which sample entry."""

    offsets: Int64s
    counts: Int64s
    entries: Int64s


def no_samples() -> Samples:
    nothing = np.zeros(0, dtype=np.int64)
    return Samples(
        offsets=nothing,
        sizes=nothing,
        pts=nothing,
        dts=nothing,
        durations=nothing,
        sync=np.zeros(0, dtype=np.bool_),
        entries=nothing,
    )


def read_samples(stbl: Boxes, entry: Entry, *, kind: str, file_size: int) -> Samples:
    """Expand the tables of one track; samples of one size are no more than the file can hold.

    Raises:
        UnreadableMedia: a table promises more than it holds, or more than MAX_SAMPLES.
    """
    if b"stsz" not in stbl and b"stz2" not in stbl:
        return no_samples()
    constant, count = _sizes_header(stbl)
    if not count:  # all samples are in fragments
        return no_samples()
    chunks = _chunks(stbl)
    if not len(chunks.offsets):
        return no_samples()
    if kind == "audio" and _is_uniform(stbl, entry, constant=constant):
        return _packets(chunks, entry, constant=constant, count=count, file_size=file_size)
    if constant:
        chunks = _held(chunks, constant, file_size)
        count = min(count, int(chunks.counts.sum()))
    check_count(count)
    return _singles(stbl, chunks, _sizes(stbl, constant, count), kind=kind)


def _sizes_header(stbl: Boxes) -> tuple[int, int]:
    if b"stsz" in stbl:
        constant, count = unpack(">II", stbl[b"stsz"], 4)
        return constant, count
    return 0, unpack(">I", stbl[b"stz2"], 8)[0]


def _sizes(stbl: Boxes, constant: int, count: int) -> Int64s:
    if constant:
        return np.full(count, constant, dtype=np.int64)
    if b"stsz" in stbl:
        return numbers(stbl[b"stsz"], 12, count, ">u4")
    body = stbl[b"stz2"]
    (width,) = unpack(">B", body, 7)
    if width == 4:
        pairs = numbers(body, 12, (count + 1) // 2, "u1")
        return np.stack([pairs >> 4, pairs & 15], axis=1).reshape(-1)[:count]
    if width in (8, 16):
        return numbers(body, 12, count, f">u{width // 8}")
    raise UnreadableMedia(DAMAGED)


def _chunks(stbl: Boxes) -> _Chunks:
    body, width = (
        (stbl[b"co64"], ">i8") if b"co64" in stbl else (stbl.get(b"stco", memoryview(b"")), ">u4")
    )
    if len(body) < 8 or b"stsc" not in stbl:
        nothing = np.zeros(0, dtype=np.int64)
        return _Chunks(offsets=nothing, counts=nothing, entries=nothing)
    offsets = numbers(body, 8, unpack(">I", body, 4)[0], width)
    stsc = stbl[b"stsc"]
    runs = numbers(stsc, 8, unpack(">I", stsc, 4)[0] * 3, ">u4").reshape(-1, 3)
    firsts = runs[:, 0] - 1
    if not len(runs) or firsts[0] != 0 or (np.diff(firsts) <= 0).any():
        raise UnreadableMedia(DAMAGED)
    firsts = np.minimum(firsts, len(offsets))
    lengths = np.diff(firsts, append=len(offsets))
    return _Chunks(
        offsets=offsets,
        counts=np.repeat(runs[:, 1], lengths),
        entries=np.repeat(np.maximum(runs[:, 2], 1) - 1, lengths),
    )


def _singles(stbl: Boxes, chunks: _Chunks, sizes: Int64s, *, kind: str) -> Samples:
    """One row per sample."""
    ends = np.cumsum(np.minimum(chunks.counts, MAX_SAMPLES))
    count = min(len(sizes), int(ends[-1]))
    sizes = sizes[:count]
    counts = np.diff(np.minimum(ends, count), prepend=0)
    before = np.cumsum(sizes) - sizes  # bytes of earlier samples, wherever they lie
    firsts = np.minimum(ends, count) - counts
    heads = before[np.minimum(firsts, max(count - 1, 0))] if count else before
    offsets = np.repeat(chunks.offsets - heads, counts) + before if count else before
    durations = _durations(stbl, count)
    dts = np.cumsum(durations) - durations
    return Samples(
        offsets=offsets,
        sizes=sizes,
        pts=dts + _compositions(stbl, count),
        dts=dts,
        durations=durations,
        sync=_sync(stbl, count, kind=kind),
        entries=np.repeat(chunks.entries, counts),
    )


def _expand(body: memoryview, count: int, width: str) -> Int64s:
    """Expand (how often, value) pairs to at most *count* values."""
    pairs = numbers(body, 8, unpack(">I", body, 4)[0] * 2, ">u4").reshape(-1, 2)
    times = np.diff(np.minimum(np.cumsum(pairs[:, 0]), count), prepend=0)
    values = pairs[:, 1].astype(np.uint32).view(width).astype(np.int64)
    return np.repeat(values, times)


def _durations(stbl: Boxes, count: int) -> Int64s:
    told = np.zeros(0, dtype=np.int64)
    if b"stts" in stbl:
        told = _expand(stbl[b"stts"], count, "i4")
    # A negative duration is never meant; ffmpeg takes 1 for it too.
    told = np.where(told < 0, 1, told)
    return _padded(told, count, int(told[-1]) if len(told) else 1)


def _compositions(stbl: Boxes, count: int) -> Int64s:
    if b"ctts" not in stbl:
        return np.zeros(count, dtype=np.int64)
    # Writers put negative offsets into version 0 too, so both versions are read as signed.
    return _padded(_expand(stbl[b"ctts"], count, "i4"), count, 0)


def _padded(values: Int64s, count: int, rest: int) -> Int64s:
    missing = count - len(values)
    return np.concatenate([values, np.full(missing, rest, dtype=np.int64)]) if missing else values


def _sync(stbl: Boxes, count: int, *, kind: str) -> Bools:
    if b"stss" not in stbl:
        return np.ones(count, dtype=np.bool_)
    body = stbl[b"stss"]
    marks = numbers(body, 8, unpack(">I", body, 4)[0], ">u4") - 1
    sync: npt.NDArray[np.bool_] = np.zeros(count, dtype=np.bool_)
    sync[marks[(marks >= 0) & (marks < count)]] = True
    if kind == "audio" and not sync.any():
        sync[:] = True
    return sync


def _is_uniform(stbl: Boxes, entry: Entry, *, constant: int) -> bool:
    """Say whether this is QuickTime's audio of one tick and one size per sample."""
    body = stbl.get(b"stts", memoryview(b""))
    if len(body) < 16 or unpack(">II", body, 4)[0] != 1 or unpack(">I", body, 12)[0] != 1:
        return False
    return bool(constant) and bool(entry.packet_bytes or constant)


def _held(chunks: _Chunks, unit_bytes: int, file_size: int) -> _Chunks:
    """End each chunk one unit after the file ends: enough to see that something is missing."""
    room = np.clip(file_size - chunks.offsets, 0, file_size) // unit_bytes + 1
    return replace(chunks, counts=np.minimum(chunks.counts, room))


def _packets(
    chunks: _Chunks, entry: Entry, *, constant: int, count: int, file_size: int
) -> Samples:
    """One row per up to PACKET_SAMPLES samples of one chunk."""
    unit_samples = max(entry.packet_samples, 1)
    unit_bytes = entry.packet_bytes or constant * unit_samples
    step = max(PACKET_SAMPLES // unit_samples, 1) * unit_samples
    held = _held(chunks, unit_bytes, file_size).counts * unit_samples
    chunks = replace(chunks, counts=np.minimum(chunks.counts, held))
    ends = np.minimum(np.cumsum(np.minimum(chunks.counts, 1 << 40)), count)
    counts = np.diff(ends, prepend=0)
    rows = -(-counts // step)
    check_count(int(rows.sum()))
    chunk_of = np.repeat(np.arange(len(rows)), rows)
    within = np.arange(len(chunk_of)) - np.repeat(np.cumsum(rows) - rows, rows)
    durations = np.minimum(step, counts[chunk_of] - within * step)
    dts = (ends - counts)[chunk_of] + within * step
    return Samples(
        offsets=chunks.offsets[chunk_of] + within * (step // unit_samples) * unit_bytes,
        sizes=durations // unit_samples * unit_bytes,
        pts=dts,
        dts=dts.copy(),
        durations=durations,
        sync=np.ones(len(dts), dtype=np.bool_),
        entries=chunks.entries[chunk_of],
    )
