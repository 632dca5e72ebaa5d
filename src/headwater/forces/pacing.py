"""Pacing: each further wrong try makes the next one wait longer, up to a bound."""

from dataclasses import dataclass

FORGET_S = 3600.0  # of peace, and the tries before count no more


@dataclass(frozen=True, slots=True)
class Pace:
    """*free* tries without waiting, then 1, 2, 4 … seconds up to *longest_s*."""

    free: int
    longest_s: float

    def wait_s(self, count: int) -> float:
        if count < self.free:
            return 0.0
        return min(2.0 ** min(count - self.free, 20), self.longest_s)
