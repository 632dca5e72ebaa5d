"""Pauses grow, stay below their bound, and spread."""

from hypothesis import given
from hypothesis import strategies as st

from headwater.forces.backoff import jitter, pause_s


def test_pauses_double_up_to_the_bound() -> None:
    pauses = [pause_s(n, first_s=2.0, most_s=30.0, jitter=0.0) for n in range(1, 7)]
    assert pauses == [2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_jitter_takes_at_most_half(attempt: int, spread: float) -> None:
    whole = pause_s(attempt, first_s=1.0, most_s=300.0, jitter=0.0)
    assert whole / 2 <= pause_s(attempt, first_s=1.0, most_s=300.0, jitter=spread) <= whole


def test_jitter_spreads() -> None:
    assert all(0 <= jitter() < 1 for _ in range(1000))
    assert len({jitter() for _ in range(100)}) > 90
