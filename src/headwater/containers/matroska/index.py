"""The index of a Matroska or WebM file, made by walking its blocks: it has none of its own."""

from typing import Literal, cast

import numpy as np

from headwater.containers.limits import check_count, cut_to_bytes, end_s
from headwater.containers.matroska.cursor import Cursor
from headwater.containers.matroska.ticks import NANOSECONDS, nearest
from headwater.containers.matroska.tracks import Track
from headwater.containers.matroska.walk import (
    COLUMNS,
    LACE_SHIFT,
    TRACK_SHIFT,
    USUAL_SCALE,
    Walked,
    walk,
)
from headwater.containers.table import Int64s, RangeReader, SourceIndex, TrackTable
from headwater.model.errors import UnreadableMedia

LONGEST_TICKS = 1 << 60


def read_index(reader: RangeReader) -> SourceIndex:
    """Read every track of a Matroska file; costs one pass over its block headers.

    Raises:
        UnreadableMedia: no tracks, or an index that is absurd.
    """
    found = walk(Cursor(reader))
    if not any(track.kind != "other" for track in found.tracks.values()):
        raise UnreadableMedia(
            next(iter(found.notes), "There is no picture and no sound in this file.")
        )
    rows = np.frombuffer(found.rows, dtype=np.int64).reshape(-1, COLUMNS)
    durations = np.zeros(len(rows), dtype=np.int64)
    told = np.frombuffer(found.durations, dtype=np.int64).reshape(-1, 2)
    durations[told[:, 0]] = told[:, 1]
    owners = rows[:, 0] >> TRACK_SHIFT
    tables = []
    for track in found.tracks.values():
        mine = np.nonzero(owners == track.number)[0]
        check_count(len(mine))
        tables.append(_table(track, rows[mine], durations[mine], found))
    ends = [end_s(table) for table in tables if table.kind != "other" and len(table.pts)]
    index = SourceIndex(
        family="matroska",
        tracks=tuple(tables),
        truncated_at_s=min(ends) if found.cut_off and ends else None,
        notes=tuple(found.notes),
    )
    return cut_to_bytes(index, reader.size)


def _table(track: Track, rows: Int64s, told: Int64s, found: Walked) -> TrackTable:
    scale, exact = found.scale, NANOSECONDS % found.scale == 0
    used = scale if exact else USUAL_SCALE
    times = rows[:, 3]
    laces = rows[:, 0] >> LACE_SHIFT & 0xFF
    if not exact:  # no whole number of ticks makes a second: milliseconds then
        factor = scale / USUAL_SCALE
        times = np.rint(np.clip(times * factor, -LONGEST_TICKS, LONGEST_TICKS)).astype(np.int64)
        told = np.rint(told * factor).astype(np.int64)
    times = np.clip(times, -LONGEST_TICKS, LONGEST_TICKS)
    frame_ns = track.default_duration or _lace_step(times, laces) * used
    if laces.any():
        times = times + (2 * laces * frame_ns + used) // (2 * used)
    pts = times - nearest(track.delay, used)
    dts = np.sort(pts)
    return TrackTable(
        number=track.number,
        kind=cast("Literal['video', 'audio', 'other']", track.kind),
        family="matroska",
        codec=track.codec,
        timescale=NANOSECONDS // used,
        offsets=rows[:, 1].copy(),
        sizes=rows[:, 2].copy(),
        pts=pts,
        dts=dts,
        durations=_durations(track, dts, told, used),
        sync=(rows[:, 0] & 1).astype(np.bool_) | (track.kind == "audio"),
        description=track.description,
        config=track.config,
        prefix=track.prefix,
        language=track.language,
        name=track.name,
        width=track.width,
        height=track.height,
        sample_aspect=track.sample_aspect,
        rotation=track.rotation,
        channels=track.channels,
        sample_rate=track.sample_rate,
        default=track.default,
    )


def _lace_step(times: Int64s, laces: Int64s) -> int:
    """Estimate the ticks of one laced frame from the distance of the blocks."""
    if not laces.any():
        return 0
    firsts = np.nonzero(laces == 0)[0]
    if len(firsts) < 2:
        return 0
    steps = np.diff(times[firsts]) / np.diff(firsts)
    return max(int(np.median(steps) + 0.5), 0)


def _durations(track: Track, dts: Int64s, told: Int64s, scale: int) -> Int64s:
    """Return how long each frame lasts: sound as its track says, pictures until the next one."""
    usual = nearest(track.default_duration, scale)
    if track.kind == "audio" and usual:
        return np.where(told > 0, told, usual)
    steps = np.diff(dts)
    last = told[-1:] if len(told) and told[-1] else np.array([usual], dtype=np.int64)
    if not last[0] and len(steps):
        last = steps[-1:]
    return np.concatenate([steps, last])[: len(dts)]
