"""Every Rates adapter keeps every promise of engines/rates/port.py."""

import asyncio
import random  # noqa: TID251 (seeded)
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from headwater.engines.rates.memory import MemoryRates
from headwater.engines.rates.port import Rates
from headwater.engines.rates.redis import RedisRates
from headwater.forces.pacing import FORGET_S, Pace
from tests.support import redis
from tests.support.beside import IN_TIME_S, beside

pytestmark = pytest.mark.anyio

Open = Callable[[], Rates]
PACE = Pace(free=3, longest_s=8.0)


@pytest.fixture(params=["memory", "redis"])
async def open_rates(request: pytest.FixtureRequest) -> AsyncIterator[Open]:
    """Open one more handle: of one process the same, of Redis another process's."""
    opened: list[Rates] = []
    url = "" if request.param == "memory" else request.getfixturevalue("redis_url")

    def opener() -> Rates:
        if not url:
            opened[:] = opened or [MemoryRates()]
        else:
            opened.append(RedisRates(url, deadline_s=IN_TIME_S))
        return opened[-1]

    yield opener
    for rates in opened:
        await rates.close()


async def test_handles_share_a_limit(open_rates: Open) -> None:
    ours, theirs = open_rates(), open_rates()
    waits = [await rates.hit("k", times=3, per_s=10, now=100.0) for rates in (ours, theirs) * 2]
    assert waits[:3] == [None, None, None]
    assert waits[3] is not None
    assert await ours.hit("another", times=3, per_s=10, now=100.0) is None


async def test_processes_share_a_limit(redis_url: str) -> None:
    """Many at once in two processes: exactly so many pass."""
    rates = RedisRates(redis_url, deadline_s=IN_TIME_S)
    async with beside("tests.support.rates_beside", redis_url) as apart:
        theirs = apart.ask("hit", key="k", count=100, times=60, per_s=3600, now=0.0)
        waits = await asyncio.gather(
            *(rates.hit("k", times=60, per_s=3600, now=0.0) for _ in range(100))
        )
        assert waits.count(None) + await theirs == 60
    await rates.close()


async def test_the_law_is_the_same_everywhere(open_rates: Open) -> None:
    """As one process alone counts it, to the moment when to come back."""
    rates, law, chance = open_rates(), MemoryRates(), random.Random(7)
    for key in ("a", "b", "c"):
        times, per_s, now = chance.randint(1, 6), chance.randint(1, 20), 1_700_000_000.0
        for _ in range(60):
            now += chance.choice((0.0, chance.uniform(0, per_s / 2)))
            said = await rates.hit(key, times=times, per_s=per_s, now=now)
            expected = await law.hit(key, times=times, per_s=per_s, now=now)
            assert said == (None if expected is None else pytest.approx(expected, abs=1e-4))


async def test_a_clock_that_is_behind_opens_nothing(redis_url: str) -> None:
    """Hosts differ by some seconds: the window of the one ahead counts."""
    rates = RedisRates(redis_url, deadline_s=IN_TIME_S)
    assert await rates.hit("k", times=1, per_s=10, now=105.0) is None
    assert await rates.hit("k", times=1, per_s=10, now=99.0) is not None
    await rates.close()


async def test_tries_wait_longer_and_longer(open_rates: Open) -> None:
    """Under every name at once; who has to wait is not counted."""
    ours, theirs = open_rates(), open_rates()
    names = {"account:a": PACE, "address:b": Pace(free=100, longest_s=900.0)}
    assert [await rates.attempt(names, now=0.0) for rates in (ours, theirs, ours)] == [0.0] * 3
    now = 0.0
    for expected in (1.0, 2.0, 4.0, 8.0, 8.0):
        assert await theirs.attempt(names, now=now) == expected
        now += expected
        assert await ours.attempt(names, now=now) == 0.0
    assert await ours.attempt({"address:b": Pace(free=9, longest_s=9.0)}, now=now) == 0.0


async def test_a_right_password_forgives(open_rates: Open) -> None:
    ours, theirs = open_rates(), open_rates()
    names = {"account:a": PACE, "address:b": PACE}
    for _ in range(3):
        await ours.attempt(names, now=0.0)
    assert await theirs.attempt(names, now=0.0) > 0
    await theirs.forgive("account:a", taken_back="address:b")
    assert await ours.attempt(names, now=0.0) == 0.0
    assert await ours.attempt({"account:a": PACE}, now=0.0) == 0.0
    assert await ours.attempt({"address:b": PACE}, now=0.0) > 0


async def test_peace_forgets(open_rates: Open) -> None:
    rates = open_rates()
    for _ in range(3):
        await rates.attempt({"n": PACE}, now=0.0)
    later = FORGET_S + 2.0
    assert [await rates.attempt({"n": PACE}, now=later) for _ in range(2)] == [0.0, 0.0]


@pytest.fixture
def server() -> Iterator[redis.Redis]:
    with redis.server() as running:
        yield running


async def test_without_redis_a_process_counts_for_itself(server: redis.Redis) -> None:
    """From what it let pass before; nobody is let through, nobody kept out, beyond that."""
    rates = RedisRates(server.url())
    for _ in range(3):
        assert await rates.hit("k", times=5, per_s=60, now=0.0) is None
        assert await rates.attempt({"n": PACE}, now=0.0) == 0.0
    server.kill()
    waits = [await rates.hit("k", times=5, per_s=60, now=0.0) for _ in range(3)]
    assert waits[:2] == [None, None]
    assert waits[2] is not None
    assert await rates.attempt({"n": PACE}, now=0.0) == 1.0
    await rates.forgive("n", taken_back="n")
    assert await rates.attempt({"n": PACE}, now=0.0) == 0.0
    await rates.close()
