"""What is told of speeds follows from work done, and is nothing where nothing is known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.model.ids import GenerationId
from headwater.pipeline.pace import Pace
from headwater.planning.speeds import speeds, warm_up_s, work_of
from tests.planning.tables import avcc, plan_of, sound, video

PLAN = plan_of(video(40, config=avcc()), sound(40))
assert PLAN.video is not None
VIDEO = PLAN.video
ENCODED = [rung for rung in VIDEO.rungs if not rung.copy]
ONE, OTHER = GenerationId("one"), GenerationId("other")


def test_lower_rungs_are_made_faster_and_copies_are_not_told() -> None:
    told = speeds(PLAN, 60e6)

    assert list(told) == [rung.id for rung in ENCODED]
    assert sorted(told.values(), reverse=True) == list(told.values())
    assert len(ENCODED) < len(VIDEO.rungs)
    assert speeds(PLAN, None) == {}
    assert speeds(plan_of(sound(40)), 60e6) == {}


@given(pace=st.floats(1e6, 1e10), factor=st.floats(1.1, 10))
def test_a_faster_machine_is_faster_at_everything(pace: float, factor: float) -> None:
    slow, fast = speeds(PLAN, pace), speeds(PLAN, pace * factor)

    assert all(fast[track] >= slow[track] for track in slow)


def test_rungs_made_together_are_decoded_once() -> None:
    alone = sum(work_of(VIDEO, [rung]) for rung in ENCODED)

    assert max(work_of(VIDEO, [rung]) for rung in ENCODED) < work_of(VIDEO, ENCODED) < alone
    assert work_of(VIDEO, [rung for rung in VIDEO.rungs if rung.copy]) == 0


def test_the_rest_takes_as_long_as_its_work() -> None:
    """One second of work for each second of video, ten segments of four seconds, two at once."""
    segments = len(VIDEO.cuts) - 1
    pace = work_of(VIDEO, ENCODED)
    missing = {rung.id: segments for rung in VIDEO.rungs}

    assert warm_up_s(PLAN, missing, pace=pace, at_once=2) == pytest.approx(20, rel=0.01)
    half = {rung.id: segments // 2 for rung in VIDEO.rungs}
    assert warm_up_s(PLAN, half, pace=pace, at_once=1) == pytest.approx(20, rel=0.01)
    assert warm_up_s(PLAN, {}, pace=pace, at_once=1) == 0
    assert warm_up_s(PLAN, missing, pace=None, at_once=1) is None


def test_a_pace_is_that_of_the_video_before_that_of_others() -> None:
    pace = Pace()
    assert pace.of(ONE, urgent=True) is None

    pace.saw(ONE, urgent=False, work=100.0, took_s=10.0)
    assert pace.of(OTHER, urgent=True) == 10.0
    pace.saw(OTHER, urgent=True, work=100.0, took_s=1.0)
    assert pace.of(OTHER, urgent=True) == 100.0
    assert pace.of(ONE, urgent=True) == 10.0
    for _ in range(20):
        pace.saw(ONE, urgent=False, work=100.0, took_s=5.0)
    assert pace.of(ONE, urgent=False) == pytest.approx(20.0, rel=0.01)
    pace.saw(ONE, urgent=False, work=0.0, took_s=5.0)
    assert pace.of(ONE, urgent=False) == pytest.approx(20.0, rel=0.01)
