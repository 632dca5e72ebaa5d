"""Balancing: which of several that can all do it is asked next, and which is left alone a while.

Least response time: each one's cost is what it took lately, times how many already wait there. What
is known fades, so that one that was slow is asked again some time; one that fails is left out until
it has answered a few times in a row.

Source: "peak EWMA" of Finagle's balancers (P2C with a peak-sensitive average).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

FADES_S = 10.0  # after so long without an answer, a third of what was known is left
OUT_AFTER = 2  # failures in a row
BACK_AFTER = 3  # successes in a row


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one candidate. *response_s* holds for *measured_at*; 0: never asked."""

    response_s: float = 0.0
    measured_at: float = 0.0
    failures: int = 0
    successes: int = 0
    is_out: bool = False

    def expected_s(self, now: float) -> float:
        """Return the response to expect: what is known, fading."""
        return self.response_s * math.exp(-max(now - self.measured_at, 0.0) / FADES_S)

    def answered(self, took_s: float, now: float) -> "Standing":
        """Count an answer. A slower one is believed at once, faster ones little by little."""
        expected_s = self.expected_s(now)
        mean_s = max(took_s, expected_s + (took_s - expected_s) / 4)
        successes = self.successes + 1
        is_out = self.is_out and successes < BACK_AFTER
        return Standing(mean_s, now, 0, successes, is_out)

    def failed(self) -> "Standing":
        """Count a failure: no answer, or none in time."""
        failures = self.failures + 1
        is_out = self.is_out or failures >= OUT_AFTER
        return replace(self, failures=failures, successes=0, is_out=is_out)


def by_cost(candidates: Sequence[tuple[Standing, int]], *, now: float) -> list[int]:
    """Return the places of the candidates that are not out, cheapest first.

    Each is given with how many wait there already. Of equals the one with the fewest waiting, then
    the one that was asked longest ago, goes first.
    """

    def cost(place: int) -> tuple[float, int, float]:
        standing, waiting = candidates[place]
        return standing.expected_s(now) * (waiting + 1), waiting, standing.measured_at

    return sorted((p for p, (known, _) in enumerate(candidates) if not known.is_out), key=cost)
