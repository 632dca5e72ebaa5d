"""The timeline: edit lists and start offsets become one shift per track.

presentation = media - shift, for every sample of a track; nothing downstream reads an edit list.

An edit list that shows one stretch of the media maps exactly. One that shows several (a cut, a
repetition) cannot be one shift: the longest stretch of the video is shown, and of the sound what
goes with it; the rest is left out and the owner is told. What an edit hides is never shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from headwater.containers.table import Bools, Edit, Int64s, TrackTable
from headwater.planning.samples import FARTHEST, LONGEST_S, Samples, read_samples

ROUNDING_S = Fraction(1, 500)  # edit lists count in the movie's ticks, often milliseconds
PRIMING_PACKETS = 3
PRIMING_S = 0.2
STRAYS = "Parts of this file are dated days away from the rest; they are left out."
SEVERAL_SPANS = "This file is edited together from several pieces; only the longest is shown."


@dataclass(frozen=True, slots=True)
class Span:
    """Media ticks [*start*, *stop*), to the end without a stop, shown from tick *position* on."""

    start: int
    stop: int | None
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One track on the common timeline. *shown* marks rows that are presented.

    *start* and *end* are presentation ticks: of video the first frame's begin and the last one's
    end; of audio what is heard (its first frame may begin earlier, with priming).
    """

    table: TrackTable
    samples: Samples
    shift: int
    shown: Bools
    start: int
    end: int

    @property
    def start_s(self) -> Fraction:
        return Fraction(self.start, self.samples.timescale)

    @property
    def end_s(self) -> Fraction:
        return Fraction(self.end, self.samples.timescale)


def spans_of(edits: Sequence[Edit], *, slack: int) -> list[Span]:
    """Return what *edits* show, neighbours joined; *slack* ticks between two are rounding."""
    spans: list[Span] = []
    position = 0
    for edit in edits:
        if edit.media_time is None:
            position = min(position + max(0, edit.duration or 0), FARTHEST)
            continue
        start = max(0, edit.media_time)
        stop = start + edit.duration if edit.duration is not None else None
        if stop is not None and stop <= start:
            continue
        last = spans[-1] if spans else None
        if last and last.stop is not None and abs(start - last.stop) <= slack:
            spans[-1] = Span(last.start, stop, last.position)
        else:
            spans.append(Span(start, stop, position))
        if stop is None:
            break
        position = min(position + stop - start, FARTHEST)
    return spans


def place(
    tables: Sequence[TrackTable],
) -> tuple[list[Placed], list[str]]:
    """Put *tables* on one timeline, the earliest at 0 and offsets between them kept.

    The first table leads: where an edit list shows several stretches, the others follow its choice.
    Tables of which nothing can be presented are left out. Returns the placed tracks, in order, and
    notes for the owner.
    """
    notes: list[str] = []
    found: list[tuple[TrackTable, Samples, Span]] = []
    near: Fraction | None = None
    for table in tables:
        samples = read_samples(table)
        if samples is None:
            continue
        if samples.strays:
            notes.append(STRAYS)
        span, several = _span(table, samples, near=near)
        if several:
            notes.append(SEVERAL_SPANS)
        if several and near is None:
            near = Fraction(span.position, table.timescale)
        found.append((table, samples, span))
    starts: list[Fraction] = []
    kept: list[tuple[TrackTable, Samples, Span, Bools]] = []
    for table, samples, span in found:
        shown = _shown(samples, span)
        if not shown.any():
            continue
        start = Fraction(_start(table, samples, span, shown), samples.timescale)
        if starts and abs(start - starts[0]) > LONGEST_S:
            notes.append(STRAYS)
            continue
        kept.append((table, samples, span, shown))
        starts.append(start)
    origin = min(starts, default=Fraction(0))
    return [_placed(*one, origin=origin) for one in kept], list(dict.fromkeys(notes))


def _span(table: TrackTable, samples: Samples, *, near: Fraction | None) -> tuple[Span, bool]:
    """Choose the one stretch of *table* that is shown; say whether there were several."""
    slack = int(ROUNDING_S * table.timescale) + 1
    spans = spans_of(table.edits, slack=slack)
    last = int(samples.ends[samples.sound].max())
    first = int(samples.pts[samples.sound].min())
    spans = [s for s in spans if s.start < last and (s.stop is None or s.stop > first)]
    if not spans:
        start = _heard_from(samples, first, last) if table.kind == "audio" else first
        return Span(start, None, start), False
    if len(spans) == 1:
        return spans[0], False

    def length(span: Span) -> int:
        return (last if span.stop is None else min(span.stop, last)) - max(span.start, first)

    if near is None:
        return max(spans, key=length), True
    return min(spans, key=lambda s: abs(Fraction(s.position, table.timescale) - near)), True


def _heard_from(samples: Samples, first: int, last: int) -> int:
    """Return where sound begins that no edit list trims: after what only primes its decoder.

    Matroska dates priming before 0. Fragments that ffmpeg writes without an edit list date it at 0,
    and all that follows a hole later.
    """
    if first < 0 < last:
        return 0
    times = np.sort(samples.pts[samples.sound])
    steps = np.diff(times)
    if len(steps) > PRIMING_PACKETS:
        early = steps[:PRIMING_PACKETS]
        holes = np.flatnonzero(
            (early > 1.5 * np.median(steps)) & (early < PRIMING_S * samples.timescale)
        )
        if len(holes):
            return int(times[holes[-1] + 1])
    return first


def _shown(samples: Samples, span: Span) -> Bools:
    """Mark the sound rows that *span* shows, the one it starts within included."""
    slack = int(ROUNDING_S * samples.timescale)
    shown = samples.sound & (samples.pts >= span.start)
    before = samples.sound & (samples.pts <= span.start)
    if before.any():
        at = int(np.argmax(np.where(before, samples.pts, np.iinfo(np.int64).min)))
        if samples.ends[at] > span.start + slack:
            shown = samples.sound & (samples.pts >= samples.pts[at])
    if span.stop is not None:
        within = shown & (samples.pts < span.stop - slack)
        shown = within if within.any() else shown & (samples.pts < span.stop)
    return shown


def _start(table: TrackTable, samples: Samples, span: Span, shown: Bools) -> int:
    """Return the presentation tick, before the common origin, at which the track starts.

    A picture that an edit starts within begins whole: everything else moves later by its begin.
    Sound that does is heard from the edit on.
    """
    first = int(samples.pts[shown].min())
    if table.kind == "audio":
        first = max(first, span.start)
    return first - span.start + span.position


def _placed(
    table: TrackTable, samples: Samples, span: Span, shown: Bools, *, origin: Fraction
) -> Placed:
    offset = round(origin * samples.timescale)
    shift = span.start - span.position + offset
    end = int(samples.ends[shown].max())
    if table.kind == "audio" and span.stop is not None:
        end = min(end, span.stop)
    return Placed(
        table=table,
        samples=samples,
        shift=shift,
        shown=shown,
        start=_start(table, samples, span, shown) - offset,
        end=end - shift,
    )


def presented(placed: Placed) -> tuple[Int64s, Int64s]:
    """Return (rows, times) of what is shown, in presentation order; times in ticks."""
    rows = np.flatnonzero(placed.shown)
    times = placed.samples.pts[rows] - placed.shift
    order = np.argsort(times, kind="stable")
    return rows[order], times[order]
