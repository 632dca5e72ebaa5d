"""Samples: a track's table made safe to plan with, whatever the container claimed.

Nothing is moved: row i is row i of the table, so that windows count rows of the stored index.
"""

from dataclasses import dataclass

import numpy as np

from headwater.containers.table import Bools, Int64s, TrackTable

LONGEST_S = 48 * 3600  # what lies further from the first sample is damage, not a video
FARTHEST = 1 << 61  # ticks: beyond, sums of two times leave 64 bits
LONGEST_PACKET_S = 10  # FLAC's largest block at 8 kHz; one that claims more is followed by a hole
HOLE_S = 6 * 3600  # sound that is silent for longer than this, and
HOLE_SHARE = 20  # for so many times what there is of it, is several files or a lie
USUAL_RATE = 25  # samples per second of a track that never says how long one lasts


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """*pts* and *ends* in media ticks per row; rows where *sound* is False hold nothing to present:
    no bytes, a time out of all bounds, or the same time as an earlier row. *strays* when some were
    out of bounds.
    """

    timescale: int
    pts: Int64s
    ends: Int64s
    sync: Bools
    sound: Bools
    strays: bool


def read_samples(table: TrackTable) -> Samples | None:
    """Return the samples of *table*, None if none of them can be presented."""
    if table.timescale <= 0 or not len(table.sizes):
        return None
    sound = (table.sizes > 0) & (table.offsets >= 0)
    if not sound.any():
        return None
    held = int(sound.sum())
    reach = LONGEST_S * table.timescale
    pts = np.clip(table.pts, -FARTHEST, FARTHEST)
    sound &= np.abs(pts - int(np.median(pts[sound]))) < reach
    if not sound.any():
        return None
    sound &= pts < int(pts[sound].min()) + reach
    strays = int(sound.sum()) < held
    sound &= ~_repeated(pts, sound)
    told = (table.durations > 0) & (table.durations < reach)
    usual = np.median(table.durations[told]) if told.any() else table.timescale // USUAL_RATE
    durations = np.where(told, table.durations, max(1, int(usual)))
    if table.kind == "audio":
        durations = np.minimum(durations, LONGEST_PACKET_S * table.timescale)
        together = _together(pts, durations, sound, hole=HOLE_S * table.timescale)
        strays, sound = strays or bool((sound & ~together).any()), sound & together
    return Samples(
        timescale=table.timescale,
        pts=pts,
        ends=pts + durations,
        sync=table.sync,
        sound=sound,
        strays=strays,
    )


def _repeated(pts: Int64s, sound: Bools) -> Bools:
    """Mark rows whose time an earlier sound row already has."""
    rows = np.flatnonzero(sound)
    order = rows[np.argsort(pts[rows], kind="stable")]
    repeated = np.zeros(len(pts), dtype=np.bool_)
    repeated[order[1:][np.diff(pts[order]) == 0]] = True
    return repeated


def _together(pts: Int64s, durations: Int64s, sound: Bools, *, hole: int) -> Bools:
    """Mark, of what holes over *hole* and HOLE_SHARE times all the sound part, what holds most."""
    rows = np.flatnonzero(sound)
    rows = rows[np.argsort(pts[rows], kind="stable")]
    most = max(hole, HOLE_SHARE * int(durations[rows].sum()))
    parts = np.split(rows, np.flatnonzero(np.diff(pts[rows]) > most) + 1)
    marked = np.zeros(len(pts), dtype=np.bool_)
    marked[max(parts, key=lambda part: int(durations[part].sum()))] = True
    return marked
