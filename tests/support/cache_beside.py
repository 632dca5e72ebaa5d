"""python -m tests.support.cache_beside URL: a cache in another process (tests/support/beside)."""

import asyncio
import sys
from typing import Any

from headwater.engines.cache.redis import RedisCache
from headwater.engines.clock import Clock
from headwater.model.errors import NotFound
from tests.support.beside import IN_TIME_S, serve
from tests.support.clocks import OwnTime

MAKING_S = 0.05


def opened(url: str, clock: Clock, *, version: str = "1") -> RedisCache:
    return RedisCache(url, clock, version=version, deadline_s=IN_TIME_S)


class Crowd:
    """Many clients of one process, on the real clock."""

    def __init__(self, url: str) -> None:
        self._cache = RedisCache(url, Clock(), version="1")
        self._patient = opened(url, Clock())
        self._made = 0

    async def miss(self, key: str, clients: int, at: float) -> dict[str, Any]:
        """Let *clients* ask for *key* together at the moment *at*; making takes a while."""
        clock, got = Clock(), set()

        async def make() -> bytes:
            self._made += 1
            await asyncio.sleep(MAKING_S)
            return key.encode()

        async def ask() -> None:
            got.add((await self._patient.get_or_make(key, make, fresh_s=60.0)).decode())

        before = self._made
        await asyncio.sleep(at - clock.now())
        began = clock.monotonic()
        await asyncio.gather(*(ask() for _ in range(clients)))
        took_s = clock.monotonic() - began
        return {"made": self._made - before, "got": sorted(got), "took_s": took_s}

    async def load(self, keys: int, seconds: float) -> dict[str, Any]:
        """Ask for *keys* in turn, whose values are soon old; say what came and how late.

        With the deadlines of a server.
        """
        clock, wrong, asked, slowest_s = Clock(), 0, 0, 0.0
        until = clock.monotonic() + seconds
        while (began := clock.monotonic()) < until:
            key = str(asked % keys)

            async def make(key: str = key) -> bytes:
                return key.encode()

            wrong += await self._cache.get_or_make(key, make, fresh_s=0.2) != key.encode()
            slowest_s = max(slowest_s, clock.monotonic() - began)
            asked += 1
            await asyncio.sleep(0)
        return {"asked": asked, "wrong": wrong, "slowest_s": slowest_s}


async def main(url: str) -> None:
    clock = OwnTime()
    cache = opened(url, clock)
    may_go_on = asyncio.Event()
    made = 0

    async def get(key: str, body: str, *, wait: bool = False, **rules: Any) -> str:
        """Return the value, which is *body* if this call makes it; with *wait*, after go()."""

        async def make() -> bytes:
            nonlocal made
            made += 1
            if wait:
                await may_go_on.wait()
            return body.encode()

        rules["tags"] = tuple(rules.get("tags", ()))
        try:
            return (await cache.get_or_make(key, make, **{"fresh_s": 100.0, **rules})).decode()
        except NotFound as error:
            return error.code

    async def go() -> None:
        may_go_on.set()

    async def purge(tags: list[str]) -> None:
        await cache.purge(*tags)

    async def forget(tags: list[str]) -> None:
        cache.forget(*tags)

    async def how_often() -> int:
        return made

    async def move(at: float) -> None:
        clock.at = at

    does = {"get": get, "go": go, "purge": purge, "forget": forget, "move": move}
    crowd = Crowd(url)
    await serve({**does, "how_often": how_often, "miss": crowd.miss, "load": crowd.load})


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
