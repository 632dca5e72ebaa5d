"""Back-off: how long to wait, so that many who failed together do not return together."""

import random  # noqa: TID251 (its home; nothing here is a secret)

_spread = random.Random()  # noqa: S311


def jitter() -> float:
    """Return a number in [0, 1) to spread a pause with."""
    return _spread.random()


def pause_s(attempt: int, *, first_s: float, most_s: float, jitter: float) -> float:
    """Return the pause before try *attempt* + 1: doubling from *first_s*, never over *most_s*.

    *jitter* in [0, 1) takes up to half of it away ("equal jitter"): spread, yet never at once.
    *attempt* counts failures so far, from 1. Monotone in *attempt* for one *jitter*.
    """
    whole = min(most_s, first_s * 2.0 ** min(attempt - 1, 60))  # 2^60 is past any limit we set
    return whole * (1 - jitter / 2)
