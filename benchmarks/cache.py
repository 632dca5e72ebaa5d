"""cache: what an answer costs from each level, and a counted call, beside a plain GET.

One asker on a Redis of this bench's own; the plain GET is of the same driver, over the same socket.
"""

import asyncio
import math
import shutil
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as Broken

from benchmarks.clips import Clips
from benchmarks.report import Row
from headwater.engines.cache.memory import MemoryCache
from headwater.engines.cache.redis import RedisCache
from headwater.engines.clock import Clock
from headwater.engines.rates.memory import MemoryRates
from headwater.engines.rates.redis import RedisRates
from headwater.roles import free_port

ABOUT = "One answer of 1 KB, asked for one after the other; microseconds each."
BATCHES, BATCH = 60, 50  # the quickest batch counts: others were disturbed
BODY = bytes(1024)
READY_S = 10.0
GET = "a plain GET"


def measure(clips: Clips, folder: Path) -> list[Row]:
    _ = clips
    program, port = shutil.which("redis-server"), free_port("127.0.0.1")
    assert program, "redis-server is missing; tools/test_programs.sh installs it"
    words = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    with subprocess.Popen([program, *words], stdout=subprocess.DEVNULL) as server:
        try:
            return asyncio.run(_measure(f"redis://127.0.0.1:{port}/0"))
        finally:
            server.kill()


async def _measure(url: str) -> list[Row]:
    plain = Redis.from_url(url, protocol=2)
    await _ready(plain)
    await plain.set("plain", BODY)
    clock = Clock()
    cache = RedisCache(url, clock, version="bench", deadline_s=READY_S)
    rates, own = RedisRates(url, deadline_s=READY_S), MemoryRates()
    memory = MemoryCache(clock)

    async def make() -> bytes:
        return BODY

    async def held() -> None:
        await cache.get_or_make("k", make, fresh_s=600.0, tags=("a",))

    async def in_memory() -> None:
        await memory.get_or_make("k", make, fresh_s=600.0, tags=("a",))

    async def in_redis() -> None:
        cache.forget()
        await held()

    async def made() -> None:
        await cache.purge("a")
        await held()

    async def counted() -> None:
        await rates.hit("k", times=10**9, per_s=60, now=0.0)

    async def counted_here() -> None:
        await own.hit("k", times=10**9, per_s=60, now=0.0)

    async def get() -> None:
        await plain.get("plain")

    cases: list[tuple[str, Callable[[], Awaitable[None]], str]] = [
        ("held in memory alone", in_memory, ""),
        ("held by this process, over Redis", held, ""),
        ("held in Redis", in_redis, "one MGET of the value and its tags' tokens"),
        ("purged and made", made, "five steps: purge, look, lease, make, put"),
        ("a call counted in memory", counted_here, ""),
        ("a call counted in Redis", counted, "one script"),
    ]
    rows = []
    for what, once, note in cases:
        baseline, figure = await _both_us(get, once)
        rows.append(
            Row(what=what, figure=figure, unit="µs", baseline=baseline, against=GET, note=note)
        )
    await cache.close()
    await rates.close()
    await plain.aclose()
    return rows


async def _both_us(*onces: Callable[[], Awaitable[None]]) -> list[float]:
    """Return what one call of each costs, in turn, so that both meet the same machine."""
    best = [math.inf] * len(onces)
    for _ in range(BATCHES):
        for at, once in enumerate(onces):
            began = time.perf_counter()
            for _ in range(BATCH):
                await once()
            best[at] = min(best[at], (time.perf_counter() - began) / BATCH * 1e6)
    return best


async def _ready(redis: Redis) -> None:
    async with asyncio.timeout(READY_S):
        while True:
            try:
                await redis.ping()
            except (Broken, OSError):
                await asyncio.sleep(0.01)
            else:
                return
