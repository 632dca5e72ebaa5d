"""python -m tests.support.cache_beside URL: a cache in another process (tests/support/beside)."""

import asyncio
import sys
from typing import Any

from headwater.engines.cache.redis import RedisCache
from headwater.engines.clock import Clock
from headwater.model.errors import NotFound
from tests.support.beside import serve
from tests.support.clocks import OwnTime
from tests.support.redis import IN_TIME_S


def opened(url: str, clock: Clock, *, version: str = "1") -> RedisCache:
    return RedisCache(url, clock, version=version, deadline_s=IN_TIME_S)


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
    await serve({**does, "how_often": how_often})


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
