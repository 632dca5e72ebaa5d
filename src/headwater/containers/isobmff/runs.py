"""Fragments: moof boxes into runs of samples, and runs into arrays (ISO/IEC 14496-12 §8.8).

A run is kept as it stands in the file until all are known; then every run of one layout is
expanded at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from headwater.containers.isobmff.boxes import DAMAGED, by_kind, children, unpack
from headwater.containers.isobmff.samples import Samples, no_samples
from headwater.containers.limits import check_count
from headwater.containers.table import Bools, Int64s
from headwater.model.errors import UnreadableMedia

DURATION, SIZE, FLAGS, COMPOSITION = 0x100, 0x200, 0x400, 0x800  # trun: what each sample says
NOT_SYNC = 0x0101_0000  # sample_is_non_sync_sample, or depends on others


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What a sample is when it does not say so (trex, then tfhd)."""

    entry: int = 1
    duration: int = 0
    size: int = 0
    flags: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One trun. *decode_time* is None where it follows the run before; *offset* is absolute."""

    count: int
    layout: int
    offset: int
    decode_time: int | None
    first_flags: int | None
    defaults: Defaults
    rows: bytes

    @property
    def fields(self) -> int:
        return (self.layout & 0xF00).bit_count()

    @property
    def size(self) -> int:
        """Bytes of all its samples."""
        if not self.layout & SIZE:
            return self.count * self.defaults.size
        column = 1 if self.layout & DURATION else 0
        table = np.frombuffer(self.rows, dtype=">u4").reshape(self.count, self.fields)
        return int(table[:, column].astype(np.int64).sum())


def held(run: Run, file_size: int) -> Run:
    """End a run of samples of one size, said once for all, a little after the file ends."""
    if run.rows:
        return run
    room = max(file_size - run.offset, 0) // run.defaults.size + 1 if run.defaults.size else 0
    return replace(run, count=min(run.count, room))


def read_trex(mvex: memoryview) -> dict[int, Defaults]:
    defaults = {}
    for child in children(mvex):
        if child.kind == b"trex":
            track, entry, duration, size, flags = unpack(">IIIII", child.body, 4)
            defaults[track] = Defaults(entry=entry, duration=duration, size=size, flags=flags)
    return defaults


def read_moof(
    body: memoryview, *, position: int, trex: dict[int, Defaults]
) -> Iterator[tuple[int, Run]]:
    """Yield (track id, run) of one moof that starts at *position* of its file."""
    implicit = position  # without any base a track fragment starts where the one before ended
    for child in children(body):
        if child.kind == b"traf":
            for track, run in _traf(child.body, position=position, implicit=implicit, trex=trex):
                implicit = run.offset + run.size
                yield track, run


def _traf(
    body: memoryview, *, position: int, implicit: int, trex: dict[int, Defaults]
) -> Iterator[tuple[int, Run]]:
    inside = by_kind(body)
    if b"tfhd" not in inside:
        raise UnreadableMedia(DAMAGED)
    track, base, defaults = _tfhd(inside[b"tfhd"], position=position, implicit=implicit, trex=trex)
    decode_time = _tfdt(inside[b"tfdt"]) if b"tfdt" in inside else None
    end = base
    for child in children(body):
        if child.kind == b"trun":
            run = _trun(child.body, base=base, end=end, decode_time=decode_time, defaults=defaults)
            end, decode_time = run.offset + run.size, None
            yield track, run


def _tfhd(
    body: memoryview, *, position: int, implicit: int, trex: dict[int, Defaults]
) -> tuple[int, int, Defaults]:
    flags, track = unpack(">II", body)
    at, base = 8, implicit
    if flags & 0x01:
        (base,) = unpack(">Q", body, at)
        at += 8
    elif flags & 0x02_0000:  # default-base-is-moof
        base = position
    usual = trex.get(track, Defaults())
    told = [usual.entry, usual.duration, usual.size, usual.flags]
    for place, bit in enumerate((0x02, 0x08, 0x10, 0x20)):
        if flags & bit:
            (told[place],) = unpack(">I", body, at)
            at += 4
    entry, duration, size, sample_flags = told
    return track, base, Defaults(entry=entry, duration=duration, size=size, flags=sample_flags)


def _tfdt(body: memoryview) -> int:
    if unpack(">B", body)[0]:
        return unpack(">q", body, 4)[0]
    return unpack(">I", body, 4)[0]


def _trun(
    body: memoryview, *, base: int, end: int, decode_time: int | None, defaults: Defaults
) -> Run:
    flags, count = unpack(">II", body)
    at, offset, first_flags = 8, end, None
    if flags & 0x01:
        offset = base + unpack(">i", body, at)[0]
        at += 4
    if flags & 0x04:
        (first_flags,) = unpack(">I", body, at)
        at += 4
    check_count(count)
    length = count * (flags & 0xF00).bit_count() * 4
    if at + length > len(body) or offset < 0 or abs(offset) >= 1 << 62:
        raise UnreadableMedia(DAMAGED)
    return Run(
        count=count,
        layout=flags & 0xF00,
        offset=offset,
        decode_time=decode_time,
        first_flags=first_flags,
        defaults=defaults,
        rows=bytes(body[at : at + length]),
    )


def expand(runs: Sequence[Run], *, kind: str, start: int = 0) -> Samples:
    """Return the samples of all *runs* of one track, in order; the first follows tick *start*."""
    runs = [run for run in runs if run.count]
    if not runs:
        return no_samples()
    counts = np.array([run.count for run in runs], dtype=np.int64)
    check_count(int(counts.sum()))
    durations = _column(runs, counts, DURATION, [run.defaults.duration for run in runs])
    sizes = _column(runs, counts, SIZE, [run.defaults.size for run in runs])
    flags = _column(runs, counts, FLAGS, [run.defaults.flags for run in runs])
    shifts = _column(runs, counts, COMPOSITION, [0] * len(runs)).astype(np.int32).astype(np.int64)
    firsts = np.cumsum(counts) - counts
    for first, run in zip(firsts.tolist(), runs, strict=True):
        if run.first_flags is not None and not run.layout & FLAGS:
            flags[first] = run.first_flags
    lengths = np.add.reduceat(durations, firsts)
    dts = np.repeat(_starts(runs, lengths.tolist(), start), counts) + _within(
        durations, firsts, counts
    )
    offsets = np.array([run.offset for run in runs], dtype=np.int64)
    entries = np.array([max(run.defaults.entry, 1) - 1 for run in runs], dtype=np.int64)
    return Samples(
        offsets=np.repeat(offsets, counts) + _within(sizes, firsts, counts),
        sizes=sizes,
        pts=dts + shifts,
        dts=dts,
        durations=durations,
        sync=_sync(flags, kind=kind),
        entries=np.repeat(entries, counts),
    )


def _column(runs: Sequence[Run], counts: Int64s, bit: int, usual: list[int]) -> Int64s:
    """Return one value per sample: the run's own column *bit*, else what is usual in the run."""
    values = np.repeat(np.array(usual, dtype=np.int64), counts)
    layouts = np.array([run.layout for run in runs], dtype=np.int64)
    for layout in np.unique(layouts[layouts & bit != 0]).tolist():
        place = (layout & (bit - 1)).bit_count()
        rows = b"".join(run.rows for run in runs if run.layout == layout)
        table = np.frombuffer(rows, dtype=">u4").reshape(-1, layout.bit_count())
        values[np.repeat(layouts == layout, counts)] = table[:, place]
    return values


def _within(values: Int64s, firsts: Int64s, counts: Int64s) -> Int64s:
    """Return the sum of the earlier values of the same run."""
    before = np.cumsum(values) - values
    return before - np.repeat(before[firsts], counts)


def _starts(runs: Sequence[Run], lengths: list[int], start: int) -> Int64s:
    starts, now = [], start
    for run, length in zip(runs, lengths, strict=True):
        if run.decode_time is not None and abs(run.decode_time) < 1 << 61:
            now = run.decode_time
        starts.append(now)
        now += length
    return np.array(starts, dtype=np.int64)


def _sync(flags: Int64s, *, kind: str) -> Bools:
    if kind != "video":
        return np.ones(len(flags), dtype=np.bool_)
    return np.asarray((flags & NOT_SYNC) == 0, dtype=np.bool_)
