"""Rates: how often somebody has asked lately, and whether that is too often.

Flow      the runner counts calls that are limited; logins count wrong tries.
Adapters  memory.MemoryRates (one process), redis.RedisRates (a fleet); compose picks by
          HEADWATER_CACHE.
Promises  tests/contracts/test_rates.py.

Counts may be lost at any time; then somebody asks a little more often than is allowed.
"""

from collections.abc import Mapping
from typing import Protocol

from headwater.engines.reach import Reach
from headwater.forces.pacing import Pace


class Rates(Protocol):
    @property
    def reach(self) -> Reach: ...

    async def hit(self, key: str, *, times: int, per_s: int, now: float) -> float | None:
        """Count one hit, or return how many seconds to wait if *times* in *per_s* would be passed.

        A refused hit is not counted, so a caller that waits as told is served.
        """
        ...

    async def attempt(self, paces: Mapping[str, Pace], *, now: float) -> float:
        """Count a try under each name of *paces* and return 0, or how many seconds to wait.

        A try that has to wait is counted nowhere.
        """
        ...

    async def forgive(self, name: str, *, taken_back: str) -> None:
        """Forget the tries under *name*, and take one back that was counted under *taken_back*."""
        ...

    async def close(self) -> None: ...
