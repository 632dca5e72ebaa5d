"""Stampedes: many clients of several processes want at once what is not there; Redis dies."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest

from headwater.engines.cache.answers import JITTER
from headwater.engines.cache.redis import LEASE_S, RedisCache
from headwater.engines.clock import Clock
from tests.drills.sample import WHOLE
from tests.support import redis
from tests.support.beside import IN_TIME_S, Beside, beside
from tests.support.clocks import OwnTime

pytestmark = pytest.mark.anyio

PROCESSES = 4
CLIENTS = 1000
TIMES = 20 if WHOLE else 2
KEYS = 10_000 if WHOLE else 300
LOAD_S = 10.0 if WHOLE else 2.0
TOGETHER_S = 0.3  # from now: time to tell all processes when


@pytest.fixture(scope="module")
def server() -> Iterator[redis.Redis]:
    """One of these drills' own, to kill."""
    with redis.server() as running:
        yield running


@pytest.fixture
async def processes(server: redis.Redis) -> AsyncIterator[list[Beside]]:
    async with AsyncExitStack() as stack:
        running = [
            await stack.enter_async_context(beside("tests.support.cache_beside", server.url()))
            for _ in range(PROCESSES)
        ]
        await asyncio.gather(*(process.ask("how_often") for process in running))
        yield running


async def test_a_thousand_clients_miss_one_key_at_once(processes: list[Beside]) -> None:
    """One of them makes it, and all get it."""
    for number in range(TIMES):
        key, at = f"hot {number}", Clock().now() + TOGETHER_S
        said = await asyncio.gather(
            *(
                process.ask("miss", key=key, clients=CLIENTS // PROCESSES, at=at)
                for process in processes
            )
        )
        assert sum(each["made"] for each in said) == 1, said
        assert all(each["got"] == [key] for each in said)


async def test_what_was_made_together_ends_apart(server: redis.Redis) -> None:
    """Of keys made in the same second each tenth of the jitter brings about a tenth back."""
    clock, fresh_s = OwnTime(), 1000.0
    cache = RedisCache(server.url(), clock, version="1", deadline_s=IN_TIME_S)
    made: Counter[int] = Counter()

    async def make() -> bytes:
        made[int(clock.at)] += 1
        return b"value"

    async def ask_for_all() -> None:
        keys = [f"apart {key}" for key in range(KEYS)]
        await asyncio.gather(*(cache.get_or_make(key, make, fresh_s=fresh_s) for key in keys))

    await ask_for_all()
    step_s = fresh_s * JITTER / 10
    clock.at += fresh_s * (1 - JITTER)
    for _ in range(10):
        clock.at += step_s
        await ask_for_all()
    await cache.close()
    first, *later = made.values()
    assert first == sum(later) == KEYS
    assert max(later) < KEYS / 10 + 5 * (KEYS / 10) ** 0.5, later  # five standard deviations


async def test_redis_dies_and_comes_back_in_the_middle(
    server: redis.Redis, processes: list[Beside]
) -> None:
    """Every answer is right, and none is late: nobody waits longer than for a lease."""
    loads = [process.ask("load", keys=50, seconds=LOAD_S) for process in processes]
    await asyncio.sleep(LOAD_S / 4)
    server.kill()
    await asyncio.sleep(LOAD_S / 4)
    server.start()
    said = await asyncio.gather(*loads)
    assert all(each["wrong"] == 0 and each["asked"] > 0 for each in said)
    assert max(each["slowest_s"] for each in said) < LEASE_S + 1.0, said
    key, at = "after", Clock().now() + TOGETHER_S
    again = [process.ask("miss", key=key, clients=10, at=at) for process in processes]
    assert all(each["got"] == [key] for each in await asyncio.gather(*again))
