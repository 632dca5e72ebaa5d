"""A cache inside one process: bounded, least recently used goes first."""

from headwater.engines.cache.answers import Answer, Make, make_answer
from headwater.engines.cache.level import Level
from headwater.engines.clock import Clock
from headwater.engines.reach import Reach

MOST_BYTES = 64 << 20


class MemoryCache:
    reach = Reach.PROCESS

    def __init__(self, clock: Clock, *, most_bytes: int = MOST_BYTES) -> None:
        self._clock = clock
        self._level = Level(clock, most_bytes=most_bytes)

    async def get_or_make(
        self,
        key: str,
        make: Make,
        *,
        fresh_s: float,
        stale_s: float = 0.0,
        tags: tuple[str, ...] = (),
    ) -> bytes:
        async def fetch(instead_of: Answer | None) -> Answer:
            _ = instead_of
            return await make_answer(make, fresh_s=fresh_s, stale_s=stale_s, clock=self._clock)

        return await self._level.get(key, fetch, tags)

    async def purge(self, *tags: str) -> None:
        self._level.forget(*tags)

    def forget(self, *tags: str) -> None:
        self._level.forget(*tags)

    async def close(self) -> None:
        await self._level.close()
