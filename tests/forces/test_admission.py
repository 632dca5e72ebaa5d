"""The law of admission: what waits first, what comes later, and that nobody comes back together."""

from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from headwater.forces.admission import (
    LATER_AT,
    LEAST_RETRY_S,
    MOST_RETRY_S,
    OPEN_AGAIN_AT,
    WARM_UP_WAITS_AT,
    Admission,
    Done,
    Level,
    Limits,
    Load,
    Reason,
    decide,
    plan_s,
    retry_after_s,
)
from headwater.forces.backoff import jitter

LIMITS = Limits(wait_s=100.0, floor_bytes=1000)
IDLE = Load(
    waiting_s=0.0,
    plans=0,
    coming=0,
    plan_s=2.0,
    encoders=4,
    free_bytes=1 << 40,
    store_answers=True,
    jobs={},
)


def loaded(**measured: float | bool) -> Load:
    return msgspec.structs.replace(IDLE, **measured)


def test_what_waits_and_what_is_on_its_way_is_ahead() -> None:
    """Twenty plans of two seconds on four encoders are ten seconds, however young they are."""
    assert loaded(plans=12, coming=8).wait_s == 10.0
    assert loaded(plans=12, coming=8, waiting_s=31.0).wait_s == 31.0
    assert loaded(plans=3, encoders=0).wait_s == 6.0


def test_warm_up_waits_first() -> None:
    levels = [decide(loaded(waiting_s=at), LIMITS).level for at in (0, 24, 26, 99, 101)]

    assert levels == [
        Level.OPEN,
        Level.OPEN,
        Level.WARM_UP_WAITS,
        Level.WARM_UP_WAITS,
        Level.LATER,
    ]


def test_what_stands_turns_back_only_when_the_pressure_has_clearly_fallen() -> None:
    """Going up the thresholds are others than coming down, so noise around one changes nothing."""
    shares = [0.2, 0.3, 0.15, 0.95, 1.1, 0.9, 0.55, 0.45, 0.2, 0.05]
    levels, before = [], None
    for share in shares:
        before = decide(loaded(waiting_s=share * LIMITS.wait_s), LIMITS, before=before)
        levels.append(int(before.level))

    assert levels == [0, 1, 1, 1, 2, 2, 2, 1, 1, 0]


@given(st.floats(0.0, 3.0), st.lists(st.floats(-0.04, 0.04), max_size=20))
def test_noise_changes_a_level_once_at_most(share: float, noise: list[float]) -> None:
    """However the wait trembles by a twelfth of what lies between two thresholds."""
    levels, before = [], None
    for tremble in noise:
        wait_s = max(0.0, share + tremble) * LIMITS.wait_s
        before = decide(loaded(waiting_s=wait_s), LIMITS, before=before)
        levels.append(before.level)

    assert sum(one is not two for one, two in pairwise(levels)) <= 1


def test_a_full_store_takes_nothing_until_it_clearly_has_room() -> None:
    full = decide(loaded(free_bytes=999), LIMITS)
    still = decide(loaded(free_bytes=1049), LIMITS, before=full)
    roomy = decide(loaded(free_bytes=1050), LIMITS, before=still)

    assert [(a.level, a.reason) for a in (full, still, roomy)] == [
        (Level.LATER, Reason.DISK),
        (Level.LATER, Reason.DISK),
        (Level.OPEN, None),
    ]


def test_a_store_that_does_not_answer_comes_before_everything() -> None:
    away = decide(loaded(store_answers=False, free_bytes=0), LIMITS)

    assert (away.level, away.reason) == (Level.LATER, Reason.STORE)
    assert decide(IDLE, LIMITS, before=away).level is Level.OPEN


def test_a_plan_takes_as_long_as_it_did_lately() -> None:
    """Alone by itself; in a queue with what lies between two of them, shared by the encoders."""
    alone = [Done(since=at, begun=at, ended=at + 2) for at in range(0, 100, 10)]
    queued = [Done(since=0.0, begun=at, ended=at + 2) for at in range(0, 30, 3)]

    assert plan_s([], encoders=2) is None
    assert plan_s(alone, encoders=1) == 2.0
    assert plan_s(queued, encoders=1) == 3.0
    assert plan_s(queued, encoders=2) == 6.0
    assert plan_s(queued[:4], encoders=1) == 2.0


def refused(**measured: float) -> Admission:
    admission = decide(loaded(**measured), LIMITS)
    assert admission.level is Level.LATER
    return admission


@given(st.integers(200, 100_000), st.integers(0, 10_000), st.floats(0, 0.999))
def test_who_is_refused_comes_back_when_there_is_room(plans: int, told: int, chance: float) -> None:
    """Not before the queue has drained, and never after a quarter of an hour."""
    admission = refused(plans=plans)
    after_s = retry_after_s(admission, told=told, jitter=chance)

    drained_s = admission.load.wait_s - OPEN_AGAIN_AT * LIMITS.wait_s
    assert min(drained_s, MOST_RETRY_S / 2) <= after_s <= MOST_RETRY_S
    assert after_s >= LEAST_RETRY_S


def test_those_refused_together_come_back_as_fast_as_they_can_be_served() -> None:
    """Of four hundred, two served a second, no minute sees more than a quarter over its share."""
    admission = refused(plans=200)
    comes = sorted(retry_after_s(admission, told=told, jitter=jitter()) for told in range(400))

    each_minute = [sum(at <= come < at + 60 for come in comes) for at in range(50, 250, 10)]
    assert max(each_minute) <= 60 / admission.load.each_s * 1.25


def test_the_thresholds_leave_room_between_them() -> None:
    assert WARM_UP_WAITS_AT < OPEN_AGAIN_AT < LATER_AT
