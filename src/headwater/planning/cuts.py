"""Cuts: where segments begin, and which samples making each of them needs.

Segments last 2 to 10 s and aim at 4; the first is half as long where all is encoded. They begin at
closed keyframes where there are such; where two of those lie more than 10 s apart, at frames
between them, and the encode is fed from the keyframe before.
"""

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

from headwater.containers.table import Bools, Int64s
from headwater.model.errors import UnreadableMedia
from headwater.planning.rates import Float64s
from headwater.planning.timeline import Placed, presented

AIM_S = 4.0
SHORTEST_S = 2.0
LONGEST_S = 10.5  # 10, as HLS rounds: x264's usual 250 frames last 10.43 s at 23.976 per second
FREE_GAP_S = 6.0  # the same where nothing is copied
STRIDE = 8  # divides into every frame step there is
SPARSE_S = 1.0  # where keyframes lie closer in the mean, more choice makes no better segments
DENSE_S = 0.25  # none are considered closer, so that a hostile table costs no more than a plain one
TOO_LONG, TOO_SHORT = 1e9, 1e4  # what breaking a bound costs: more than any evenness can win


@dataclass(frozen=True, slots=True, kw_only=True)
class Cuts:
    """*cuts* rising presentation ticks, one more than segments; *windows* (lo, hi) rows in decode
    order per segment; *frames* presented in each and their *sizes* in bytes of the source. *closed*
    when every window is exactly its segment's own samples and begins with a keyframe, so that it
    can be copied.
    """

    cuts: Int64s
    windows: Int64s
    frames: Int64s
    sizes: Int64s
    closed: bool

    def durations_s(self, second: int) -> Float64s:
        durations: Float64s = np.diff(self.cuts) / second
        return durations


def closed_keyframes(pts: Int64s, sync: Bools, sound: Bools) -> Bools:
    """Mark sync samples that part the track: all before in decode order are presented before them,
    all after them after.

    A later sample presented earlier (an open GOP) may refer to what a cut would leave behind.
    """
    lowest, highest = np.iinfo(np.int64).min, np.iinfo(np.int64).max
    told = np.where(sound, pts, highest)
    after = np.minimum.accumulate(told[::-1])[::-1]  # earliest time from here on
    earlier = np.maximum.accumulate(np.where(sound, pts, lowest))
    before = np.concatenate(([lowest], earlier[:-1]))
    parts: Bools = sync & sound & (after == pts) & (before < pts)
    return parts


def cut_video(placed: Placed, *, free: bool = False) -> Cuts:
    """Cut the video track; every presented frame lies in exactly one segment, none is empty.

    Where closed keyframes lie too far apart, frames between them are cuts too. *free*: nothing is
    copied, so that keyframes have less of a say, and the first segment is short.
    """
    rows, times = presented(placed)
    if not len(rows):
        raise UnreadableMedia("There is no picture in this file that can be shown.")
    samples = placed.samples
    parting = closed_keyframes(samples.pts, samples.sync, samples.sound)
    second = samples.timescale
    candidates = times[parting[rows]]
    end = max(placed.end, int(times[-1]) + 1)
    places = _places(candidates, times, end, second, gap_s=FREE_GAP_S if free else LONGEST_S)
    cuts = even_cuts(places, second)
    if free:
        cuts = _with_short_start(cuts, times, second)
    firsts = np.searchsorted(times, cuts[:-1])
    frames = np.diff(np.append(firsts, len(times)))
    lows = np.minimum.reduceat(rows, firsts)
    highs = np.maximum.reduceat(rows, firsts) + 1
    starts = _feeds(placed, parting, cuts[:-1], lows)
    at_keyframes = bool(parting[rows[firsts]].all())
    closed = at_keyframes and bool((highs - lows == frames).all())
    return Cuts(
        cuts=cuts,
        windows=np.stack([starts, highs], axis=1),
        frames=frames,
        sizes=np.add.reduceat(placed.table.sizes[rows], firsts),
        closed=closed,
    )


def _places(candidates: Int64s, times: Int64s, end: int, second: int, *, gap_s: float) -> Int64s:
    """Return where segments may begin, from the first frame on, and the end.

    Closed keyframes, thinned; where they leave more than *gap_s*, frames about AIM_S apart too.
    """
    places = np.unique(np.concatenate((times[:1], candidates)))
    crowded = int(places[-1] - places[0]) < (len(places) - 1) * SPARSE_S * second
    places = _thinned(places, max(1, int((SPARSE_S if crowded else DENSE_S) * second)))
    edges = np.append(places, end)
    gaps = np.diff(edges)
    filled = [edges]
    for at in np.flatnonzero(gaps > gap_s * second).tolist():
        parts = max(2, round(int(gaps[at]) / (AIM_S * second)))
        ideal = edges[at] + gaps[at] * np.arange(1, parts) / parts
        filled.append(_nearest(times, ideal, first=int(edges[at]), second=second))
    places = np.unique(np.concatenate(filled))
    return places[places <= end]


def _with_short_start(cuts: Int64s, times: Int64s, second: int) -> Int64s:
    """Halve the first segment: a video of which nothing is copied is playable once that is made."""
    length = int(cuts[1] - cuts[0])
    if length < 1.5 * SHORTEST_S * second:
        return cuts
    middle = np.array([cuts[0] + length / 2])
    return np.unique(np.append(cuts, _nearest(times, middle, first=int(cuts[0]), second=second)))


def _thinned(places: Int64s, spacing: int) -> Int64s:
    """Keep the first of *places* and after each kept one the next that is *spacing* ticks later."""
    ticks = places.tolist()
    kept, at = [ticks[0]], 0
    while (at := bisect_left(ticks, kept[-1] + spacing, at)) < len(ticks):
        kept.append(ticks[at])
    return np.array(kept, dtype=np.int64)


def _nearest(times: Int64s, wanted: Float64s, *, first: int, second: int) -> Int64s:
    """Return the frames nearest to *wanted*, a multiple of STRIDE after the one at *first*.

    A rung that keeps every n-th frame then keeps the same ones in one pass over many segments as
    in each of them alone. Where frames are so few that STRIDE of them take long, none is left out.
    """
    after = np.clip(np.searchsorted(times, wanted), 1, max(1, len(times) - 1))
    after = np.minimum(after, len(times) - 1)
    before = np.maximum(after - 1, 0)
    nearer = np.where(wanted - times[before] <= times[after] - wanted, before, after)
    origin = int(np.searchsorted(times, first))
    strides = origin + (nearer - origin + STRIDE // 2) // STRIDE * STRIDE
    strides = np.where(strides < len(times), strides, nearer)
    return times[np.where(np.abs(times[strides] - times[nearer]) <= second // 2, strides, nearer)]


def cost(length: int, second: int) -> float:
    """Return how unwelcome a segment of *length* ticks is."""
    seconds = length / second
    price = (seconds - AIM_S) ** 2
    if seconds > LONGEST_S:
        price += TOO_LONG * (seconds / LONGEST_S)
    elif seconds < SHORTEST_S:
        price += TOO_SHORT
    return price


def even_cuts(places: Int64s, second: int) -> Int64s:
    """Choose among *places* (rising; the first and the last are always cuts) those of least cost.

    The sum of squares about AIM_S is least for the evenest segments near 4 s. Dynamic programming:
    the best way to each place continues the best way to an earlier one, at most LONGEST_S before or
    the one just before. A test compares it with every possible choice.
    """
    ticks = places.tolist()
    longest = LONGEST_S * second
    best = [0.0] + [np.inf] * (len(ticks) - 1)
    came = [0] * len(ticks)
    for here in range(1, len(ticks)):
        at, before = ticks[here], here - 1
        while before >= 0 and (before == here - 1 or at - ticks[before] <= longest):
            price = best[before] + cost(at - ticks[before], second)
            if price < best[here]:
                best[here], came[here] = price, before
            before -= 1
    chosen = [len(ticks) - 1]
    while chosen[-1] > 0:
        chosen.append(came[chosen[-1]])
    return places[chosen[::-1]]


def _feeds(placed: Placed, parting: Bools, cuts: Int64s, lows: Int64s) -> Int64s:
    """Return, per segment, the row of the keyframe its decoding starts with.

    The latest that is presented by the cut and decoded by the segment's first sample; one that is
    not closed must be presented before the cut.
    """
    keys = np.flatnonzero(placed.samples.sync & placed.samples.sound)
    if not len(keys):
        return np.zeros(len(cuts), dtype=np.int64)
    serves = placed.samples.pts[keys] - placed.shift + ~parting[keys]
    at = np.searchsorted(keys, lows, side="right") - 1
    for _ in range(16):  # open keyframes overtake each other by one; more is damage
        late = (at > 0) & (serves[np.maximum(at, 0)] > cuts)
        if not late.any():
            break
        at = at - late
    starts: Int64s = np.where(at >= 0, keys[np.maximum(at, 0)], 0)
    return np.minimum(starts, lows)
