"""Waiting for a condition, with a deadline."""

import time
from collections.abc import Callable

POLL_S = 0.05


def until(condition: Callable[[], bool], *, within_s: float) -> None:
    """Return once *condition* holds; fail if it does not in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(POLL_S)
