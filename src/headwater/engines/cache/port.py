"""Cache: values that may be lost at any time and are never the truth.

Flow      the runner asks before it opens a session, and purges by tag after a commit.
Adapters  memory.MemoryCache (one process), redis.RedisCache (a fleet); compose picks by
          HEADWATER_CACHE.
Promises  tests/contracts/test_cache.py.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from headwater.engines.reach import Reach


class Cache(Protocol):
    @property
    def reach(self) -> Reach: ...

    async def get_or_make(
        self,
        key: str,
        make: Callable[[], Awaitable[bytes]],
        *,
        fresh_s: float,
        stale_s: float = 0.0,
        tags: tuple[str, ...] = (),
    ) -> bytes:
        """Return the value of *key*, making it at most once however many ask at the same time.

        Younger than *fresh_s* (jittered by up to a tenth): as it is; shortly before, the more so
        the longer making took, one caller makes it anew in the background. Up to *stale_s* older:
        as it is, while one makes it anew; served too if making fails. A NotFound that making
        raises is kept as well, for a moment. Values over 1 MiB are returned and not kept.

        With a cache of the fleet, all this holds over its processes; while that is away, for each.
        """
        ...

    async def purge(self, *tags: str) -> None:
        """Forget every value with one of *tags*, those being made right now too.

        In the fleet's store and in this process; the others are told by whoever purges, and
        forget(). It never fails: what cannot be purged now is purged before it can be read again.
        """
        ...

    def forget(self, *tags: str) -> None:
        """Forget what this process itself holds with one of *tags*, all of it if none is named.

        Enough where another process has purged them already.
        """
        ...

    async def close(self) -> None: ...
