"""How much an index may hold before it is an attack, and how a table ends where the bytes end.

A day of 50 fps is 4.3 million pictures; a day of AAC at 48 kHz 4 million frames.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from headwater.containers.table import Bools, SourceIndex, TrackTable
from headwater.forces.seconds import in_seconds
from headwater.model.errors import UnreadableMedia

MAX_SAMPLES = 5_000_000
MAX_ALL_SAMPLES = 10_000_000  # some 400 MB of tables, and every copy made of one is of one track
MAX_TRACKS = 64
MAX_INDEX_BYTES = 256 << 20
UNEVEN_S = 1.0  # tracks that end further apart are told apart; nearer, the file's end is said once


def check_count(count: int) -> None:
    """Raises UnreadableMedia for more samples than one track of a day has."""
    if count > MAX_SAMPLES:
        raise UnreadableMedia(
            "A track of this file claims more than five million pictures or sound frames."
        )


def cut_to_bytes(index: SourceIndex, size: int) -> SourceIndex:
    """End each table at its last sample that is wholly among the *size* bytes, in decode order.

    One before it that is not, its place or size damaged, stays as a sample of nothing.
    """
    tracks: list[TrackTable] = []
    cut: list[TrackTable] = []
    ends: list[float] = [] if index.truncated_at_s is None else [index.truncated_at_s]
    notes = list(index.notes)
    for table in index.tracks:
        sound = (table.offsets >= 0) & (table.sizes <= size - table.offsets)
        if sound.all():
            tracks.append(table)
            continue
        last = len(sound) - int(np.argmax(sound[::-1])) if sound.any() else 0
        kept = slice_rows(table, 0, last)
        tracks.append(_emptied(kept, ~sound[:last]))
        if table.kind == "other":
            continue
        if last < len(sound):
            cut.append(kept)
        if not sound[:last].all():
            notes.append(f"Parts of the {_part_of(table)} are damaged or missing.")
    ends += map(end_s, cut)
    notes += _early(cut, tracks)
    return SourceIndex(
        family=index.family,
        tracks=tuple(tracks),
        truncated_at_s=min(ends) if ends else None,
        notes=tuple(notes),
    )


def _early(cut: Sequence[TrackTable], tracks: Sequence[TrackTable]) -> Iterator[str]:
    """Name those of *cut* that end well before the longest of *tracks*."""
    longest_s = max((end_s(table) for table in tracks if table.kind != "other"), default=0.0)
    for table in cut:
        if end_s(table) < longest_s - UNEVEN_S:
            yield f"The {_part_of(table)} stops after {in_seconds(end_s(table))}."


def _part_of(table: TrackTable) -> str:
    return "picture" if table.kind == "video" else "sound"


def _emptied(table: TrackTable, lost: Bools) -> TrackTable:
    """Return *table* with no bytes in the samples *lost*."""
    if not lost.any():
        return table
    return replace(
        table,
        offsets=np.where(lost, 0, table.offsets),
        sizes=np.where(lost, 0, table.sizes),
    )


def slice_rows(table: TrackTable, lo: int, hi: int) -> TrackTable:
    """Return *table* with the samples [*lo*, *hi*) alone, as views."""
    rows = slice(lo, hi)
    return replace(
        table,
        offsets=table.offsets[rows],
        sizes=table.sizes[rows],
        pts=table.pts[rows],
        dts=table.dts[rows],
        durations=table.durations[rows],
        sync=table.sync[rows],
        entries=None if table.entries is None else table.entries[rows],
    )


def end_s(table: TrackTable) -> float:
    """Return when the last sample ends, in seconds after the first edit's start."""
    if not len(table.pts):
        return 0.0
    started = next((e.media_time for e in table.edits if e.media_time is not None), 0)
    delay = sum(e.duration or 0 for e in table.edits[:1] if e.media_time is None)
    ticks = int((table.pts + table.durations).max()) - started + delay
    return max(0.0, ticks / table.timescale)
