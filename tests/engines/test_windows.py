"""Sliding windows: never more than allowed in any window, and honest about when to come back."""

from hypothesis import given
from hypothesis import strategies as st

from headwater.engines.rates.memory import SlidingWindows


def test_a_burst_up_to_the_limit_passes_and_the_next_waits() -> None:
    windows = SlidingWindows()

    waits = [windows.hit("k", times=3, per_s=10, now=100.0) for _ in range(4)]

    assert waits[:3] == [None, None, None]
    assert waits[3] is not None


def test_keys_do_not_share() -> None:
    windows = SlidingWindows()

    assert windows.hit("a", times=1, per_s=10, now=0.0) is None
    assert windows.hit("b", times=1, per_s=10, now=0.0) is None


@given(
    steps=st.lists(st.floats(0, 5), min_size=1, max_size=60),
    times=st.integers(1, 8),
    per_s=st.integers(1, 20),
)
def test_a_caller_who_waits_as_told_is_served(steps: list[float], times: int, per_s: int) -> None:
    windows, now = SlidingWindows(), 1000.0

    for step in steps:
        now += step
        wait_s = windows.hit("k", times=times, per_s=per_s, now=now)
        if wait_s is not None:
            assert 0 < wait_s <= 2 * per_s
            now += wait_s + 1e-6
            assert windows.hit("k", times=times, per_s=per_s, now=now) is None


@given(
    steps=st.lists(st.floats(0, 3), min_size=1, max_size=80),
    times=st.integers(1, 8),
    per_s=st.integers(1, 20),
)
def test_no_fixed_window_gets_more_than_its_share(
    steps: list[float], times: int, per_s: int
) -> None:
    windows, now = SlidingWindows(), 0.0
    served: dict[int, int] = {}

    for step in steps:
        now += step
        if windows.hit("k", times=times, per_s=per_s, now=now) is None:
            served[int(now // per_s)] = served.get(int(now // per_s), 0) + 1

    assert all(count <= times for count in served.values())


def test_the_quietest_key_is_forgotten_first() -> None:
    """A flood of addresses cannot fill the memory."""
    windows = SlidingWindows(keys_held=2)
    for key in ("a", "b", "a", "c"):
        windows.hit(key, times=1, per_s=1000, now=0.0)

    assert windows.hit("a", times=1, per_s=1000, now=0.0) is not None
    assert windows.hit("b", times=1, per_s=1000, now=0.0) is None
