"""Rates inside one process: sliding windows and tries, in bounded tables.

Our own because the measured library (limits 5.8) reads the wall clock itself, keeps one lock per
key and walks every key each 10 ms; here `now` is a value and the number of keys has a ceiling.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from headwater.engines.reach import Reach
from headwater.forces.pacing import FORGET_S, Pace

KEYS_HELD = 100_000  # about 30 MB when full; the caller quiet for longest is forgotten first
NAMES_HELD = 20_000


class SlidingWindows:
    """Counts per key: [window number, hits in it, hits in the one before].

    The count of the previous window is weighted by how much of it the sliding one still covers.
    """

    def __init__(self, *, keys_held: int = KEYS_HELD) -> None:
        self._windows: OrderedDict[str, list[int]] = OrderedDict()
        self._keys_held = keys_held

    def hit(self, key: str, *, times: int, per_s: int, now: float) -> float | None:
        """Count one hit, or say how long to wait, as the port says it."""
        number, into = divmod(now, per_s)
        counts = self._current(key, int(number))
        share_left = 1.0 - into / per_s
        if counts[1] + 1 + counts[2] * share_left <= times:
            counts[1] += 1
            return None
        if counts[1] + 1 > times:  # full by itself: only the next window can help
            excess = (counts[1] + 1 - times) / counts[1]
            return per_s - into + excess * per_s
        spare = (times - counts[1] - 1) / counts[2]
        return (share_left - spare) * per_s

    def _current(self, key: str, number: int) -> list[int]:
        counts = self._windows.get(key)
        if counts is None:
            counts = self._windows[key] = [number, 0, 0]
            if len(self._windows) > self._keys_held:
                self._windows.popitem(last=False)
            return counts
        self._windows.move_to_end(key)
        if counts[0] != number:
            counts[2] = counts[1] if counts[0] == number - 1 else 0
            counts[0], counts[1] = number, 0
        return counts


@dataclass(slots=True)
class Tries:
    count: int
    last_at: float
    not_before: float


class MemoryRates:
    reach = Reach.PROCESS

    def __init__(self) -> None:
        self._windows = SlidingWindows()
        self._tries: OrderedDict[str, Tries] = OrderedDict()

    async def hit(self, key: str, *, times: int, per_s: int, now: float) -> float | None:
        return self._windows.hit(key, times=times, per_s=per_s, now=now)

    async def attempt(self, paces: Mapping[str, Pace], *, now: float) -> float:
        wait_s = max(self._wait_s(name, now) for name in paces)
        if wait_s > 0:
            return wait_s
        for name, pace in paces.items():
            self._count(name, pace, now)
        return 0.0

    async def forgive(self, name: str, *, taken_back: str) -> None:
        self._tries.pop(name, None)
        tries = self._tries.get(taken_back)
        if tries is not None:
            tries.count = max(tries.count - 1, 0)
            tries.not_before = 0.0

    async def close(self) -> None:
        return

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
