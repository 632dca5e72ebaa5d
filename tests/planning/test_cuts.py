"""Cuts: even, on closed keyframes where there are such, and every frame in exactly one segment."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.containers.table import TrackTable
from headwater.planning.cuts import (
    LONGEST_S,
    SHORTEST_S,
    Cuts,
    closed_keyframes,
    cost,
    cut_video,
    even_cuts,
)
from headwater.planning.timeline import place, presented
from tests.planning.tables import table, video


def cut(source: TrackTable) -> Cuts:
    placed, _ = place([source])
    return cut_video(placed[0])


def check(source: TrackTable) -> Cuts:
    """Hold what every video's cuts promise, whatever its shape."""
    placed, _ = place([source])
    found = cut_video(placed[0])
    rows, times = presented(placed[0])
    samples = placed[0].samples
    parting = closed_keyframes(samples.pts, samples.sync, samples.sound)

    assert found.cuts[0] == times[0]
    assert found.cuts[-1] > times[-1]
    assert (np.diff(found.cuts) > 0).all()
    segment = np.searchsorted(found.cuts, times, side="right") - 1
    assert np.bincount(segment, minlength=len(found.frames)).tolist() == found.frames.tolist()
    assert (found.frames > 0).all()
    for k, (lo, hi) in enumerate(found.windows.tolist()):
        mine = rows[segment == k]
        assert lo <= mine.min()
        assert mine.max() < hi <= len(source.pts)
        serves = source.sync & (source.pts - placed[0].shift + ~parting <= found.cuts[k])
        if serves[: mine.min() + 1].any():
            assert source.sync[lo]
            assert source.pts[lo] - placed[0].shift <= found.cuts[k]
    return found


def seconds(found: Cuts, source: TrackTable) -> list[float]:
    return (np.diff(found.cuts) / source.timescale).tolist()


def test_two_second_keyframes_give_four_second_segments() -> None:
    source = video(20, gop=60)

    found = check(source)

    assert seconds(found, source) == [4.0] * 5
    assert found.closed
    assert found.windows.tolist() == [[k * 120, k * 120 + 120] for k in range(5)]


@pytest.mark.parametrize(
    ("gop", "longest"), [(1, 4.0), (14, 6.0), (29, 6.0), (90, 6.0), (150, 5.0), (300, 10.0)]
)
def test_segments_stay_on_keyframes(gop: int, longest: float) -> None:
    source = video(60, gop=gop)

    found = check(source)

    assert found.closed
    assert max(seconds(found, source)) <= longest
    assert set(found.cuts[:-1].tolist()) <= set(source.pts[source.sync].tolist())


def test_the_usual_250_frames_at_23976_stay_whole() -> None:
    """x264 puts its keyframes 10.43 s apart there, and much of the world is made with it."""
    count, step = 1000, 1001
    source = table(
        "video",
        (np.arange(count) * step).tolist(),
        duration=step,
        timescale=24_000,
        sync=np.arange(count) % 250 == 0,
    )

    assert check(source).closed


@pytest.mark.parametrize("seconds_long", [12, 61, 600])
def test_one_keyframe_is_enough(seconds_long: int) -> None:
    """Cuts fall between frames; every window is fed from the keyframe."""
    source = video(seconds_long, gop=10**9)

    found = check(source)

    assert not found.closed
    assert found.windows[:, 0].tolist() == [0] * len(found.frames)
    lengths = seconds(found, source)
    assert min(lengths) >= SHORTEST_S
    assert max(lengths) <= 6


@pytest.mark.parametrize("gop", [60, 120, 10**9])
def test_where_nothing_is_copied_the_first_segment_is_short(gop: int) -> None:
    """It is all that has to be made before a video is playable."""
    source = video(20, gop=gop)
    placed, _ = place([source])

    found = cut_video(placed[0], free=True)

    assert seconds(found, source) == pytest.approx([2, 2, 4, 4, 4, 4], abs=0.3)


@pytest.mark.parametrize("frames", [1, 2, 60, 89, 90, 91])
def test_a_short_video_is_not_cut_further_than_it_can_be(frames: int) -> None:
    source = video(frames / 30)
    placed, _ = place([source])

    found = cut_video(placed[0], free=True)

    assert found.frames.sum() == frames
    assert len(found.frames) == (2 if frames >= 90 else 1)


def test_one_frame_is_one_segment() -> None:
    source = video(1 / 30)

    found = check(source)

    assert found.cuts.tolist() == [0, 512]
    assert found.frames.tolist() == [1]


def test_reordered_frames_keep_their_closed_cuts() -> None:
    source = video(20, reorder=True)

    found = check(source)

    assert found.closed
    assert found.cuts[0] == 0


def test_an_open_keyframe_is_no_cut_for_a_copy() -> None:
    """What follows it in decode order but not in time may refer to what came before."""
    source = video(20, gop=60, open_gops=True)

    found = check(source)

    assert not found.closed
    for k, (lo, _) in enumerate(found.windows.tolist()):
        if k:
            assert source.pts[lo] < found.cuts[k]  # fed from the keyframe before


def test_closed_keyframes_part_the_track() -> None:
    """Compared with the definition, sample by sample."""
    source = video(10, gop=30, open_gops=True)
    everything = np.ones(len(source.pts), dtype=np.bool_)

    marked = closed_keyframes(source.pts, source.sync, everything)

    for i, one in enumerate(source.pts):
        parts = (source.pts[:i] < one).all() and (source.pts[i + 1 :] > one).all()
        assert marked[i] == (source.sync[i] and parts)


@given(
    gaps=st.lists(st.integers(1, 70), min_size=1, max_size=9),
    second=st.sampled_from([5, 10]),
)
@settings(deadline=None, max_examples=200)
def test_even_cuts_cost_least_of_all_choices(gaps: list[int], second: int) -> None:
    """Every subset of the inner places is tried."""
    places = np.cumsum([0, *gaps])

    chosen = even_cuts(places, second)

    def price(cuts: list[int]) -> float:
        return sum(cost(b - a, second) for a, b in itertools.pairwise(cuts))

    inner = places[1:-1].tolist()
    choices = (
        [0, *some, int(places[-1])]
        for n in range(len(inner) + 1)
        for some in itertools.combinations(inner, n)
    )
    assert price(chosen.tolist()) == pytest.approx(min(map(price, choices)))


@st.composite
def tables(draw: st.DrawFn) -> TrackTable:
    """Variable frame rate, any keyframes, B-frames, open GOPs, a start of its own."""
    timescale = draw(st.sampled_from([30, 600, 1000, 24_000, 90_000, 1_000_000_000]))
    steps = draw(st.lists(st.integers(1, 4 * 30), min_size=1, max_size=120))
    unit = max(1, timescale // 30)
    start = draw(st.integers(-200, 200)) * unit
    times = start + np.cumsum([0, *steps[:-1]]) * unit
    order = list(range(len(times)))
    for at in range(1, len(order) - 2):
        if draw(st.integers(0, 3)) == 0:
            order[at], order[at + 1] = order[at + 1], order[at]
    sync = np.array([draw(st.integers(0, 9)) == 0 for _ in order])
    sync[0] = draw(st.booleans())
    durations = np.array(steps) * unit
    return table(
        "video",
        times[order].tolist(),
        duration=unit,
        timescale=timescale,
        sync=sync,
        durations=durations[order],
    )


@given(source=tables())
@settings(deadline=None, max_examples=150)
def test_every_frame_is_in_exactly_one_segment(source: TrackTable) -> None:
    found = check(source)

    step = np.diff(np.sort(source.pts), append=0)[:-1].max(initial=0) / source.timescale
    longest = max(seconds(found, source))
    last = int(source.durations.max()) / source.timescale
    assert longest <= LONGEST_S + 2 * max(step, last)


def test_a_crowd_of_keyframes_costs_no_more() -> None:
    """Half of them far apart, half within ten seconds: the choice stays small."""
    far = np.arange(20_000) * 1_500
    near = far[-1] + 1_500 + np.arange(20_000) // 2
    source = table("video", np.unique([*far, *near]).tolist(), duration=1, timescale=1000)

    started = time.process_time()
    check(source)

    assert time.process_time() - started < 5


def test_two_hours_are_cut_in_a_moment() -> None:
    """216 000 samples in 0.1 s on an idle core; the bound here leaves room for a busy one."""
    source = video(7200, gop=250, reorder=True)

    started = time.process_time()
    found = cut(source)

    assert time.process_time() - started < 0.5
    assert found.frames.sum() == 216_000
