"""Pacing of logins: each further failure makes the next try wait longer, per account and address.

A try is counted before its password is looked at, so many tries at once do not get round it; a
right password takes its own try back. An account's wait is capped low, because anybody can cause
it; an address's high. Memory of one process, bounded.
"""

from collections import OrderedDict
from dataclasses import dataclass

from headwater.model.errors import RateLimited

NAMES_HELD = 20_000
FORGET_S = 3600.0


@dataclass(slots=True)
class Tries:
    count: int
    last_at: float
    not_before: float


@dataclass(frozen=True, slots=True)
class Pace:
    """*free* tries without waiting, then 1, 2, 4 … seconds up to *longest_s*."""

    free: int
    longest_s: float

    def wait_s(self, count: int) -> float:
        if count < self.free:
            return 0.0
        return min(2.0 ** min(count - self.free, 20), self.longest_s)


ACCOUNT = Pace(free=5, longest_s=60.0)
ADDRESS = Pace(free=20, longest_s=900.0)  # one address may be a whole school


class Pacing:
    def __init__(self) -> None:
        self._tries: OrderedDict[str, Tries] = OrderedDict()

    def attempt(self, *, email: str, address: str, now: float) -> None:
        """Count a try. Raises RateLimited with the seconds to wait; that try is not counted."""
        names = ((f"account:{email}", ACCOUNT), (f"address:{address}", ADDRESS))
        wait_s = max(self._wait_s(name, now) for name, _ in names)
        if wait_s > 0:
            raise RateLimited("Too many wrong tries; wait a little.", retry_after_s=wait_s)
        for name, pace in names:
            self._count(name, pace, now)

    def succeeded(self, *, email: str, address: str) -> None:
        """Forget the account's tries and take this one back from the address."""
        self._tries.pop(f"account:{email}", None)
        tries = self._tries.get(f"address:{address}")
        if tries is not None:
            tries.count = max(tries.count - 1, 0)
            tries.not_before = 0.0

    def _wait_s(self, name: str, now: float) -> float:
        tries = self._tries.get(name)
        return tries.not_before - now if tries else 0.0

    def _count(self, name: str, pace: Pace, now: float) -> None:
        tries = self._tries.setdefault(name, Tries(0, now, 0.0))
        if now - tries.last_at > FORGET_S:
            tries.count = 0
        tries.count += 1
        tries.last_at = now
        tries.not_before = now + pace.wait_s(tries.count)
        self._tries.move_to_end(name)
        if len(self._tries) > NAMES_HELD:
            self._tries.popitem(last=False)
