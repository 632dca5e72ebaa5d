"""A cache over a Redis that stands still, dies, forgets or fills up: slower, never wrong."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from headwater.compose.engines import open_cache
from headwater.engines.cache.redis import OUTAGE_S, RedisCache
from headwater.engines.clock import Clock
from headwater.model.errors import SettingsError
from tests.support import redis
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

Open = Callable[[], RedisCache]


class Row:
    """The truth that is cached."""

    def __init__(self) -> None:
        self.text, self.reads = b"old", 0

    async def __call__(self) -> bytes:
        self.reads += 1
        return self.text


@pytest.fixture(params=[False])
def server(request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    """One of this test's own, to kill."""
    with redis.server(keeps=request.param) as running:
        yield running


@pytest.fixture
async def open_one(server: redis.Redis) -> AsyncIterator[Open]:
    """Open one more process's handle."""
    opened: list[RedisCache] = []

    def opener() -> RedisCache:
        opened.append(RedisCache(server.url(), Clock(), version="1"))
        return opened[-1]

    yield opener
    for cache in opened:
        await cache.close()


@pytest.fixture
def row() -> Row:
    return Row()


async def read(cache: RedisCache, row: Row, key: str = "k") -> bytes:
    return await cache.get_or_make(key, row, fresh_s=600.0, stale_s=600.0, tags=("row", key))


async def is_back(cache: RedisCache) -> None:
    await eventually(lambda: not cache._link.is_away)


def seconds() -> float:
    return asyncio.get_running_loop().time()


async def test_answers_go_on_without_redis(server: redis.Redis, open_one: Open, row: Row) -> None:
    """Each process makes for itself, once, and waits for nothing."""
    ours, theirs = open_one(), open_one()
    assert await read(ours, row) == await read(theirs, row) == b"old"
    server.kill()
    began = seconds()
    for number in range(100):
        assert await read(ours, row, f"{number}") == await read(theirs, row, f"{number}")
    assert row.reads == 1 + 200
    assert seconds() - began < 2.0
    for number in range(100):
        await read(ours, row, f"{number}")
    assert row.reads == 1 + 200


async def test_one_that_stands_still_costs_a_few_deadlines(
    server: redis.Redis, open_one: Open, row: Row
) -> None:
    ours = open_one()
    await read(ours, row)
    server.freeze()
    began = seconds()
    for number in range(100):
        assert await read(ours, row, f"{number}") == b"old"
    assert seconds() - began < 2.0


async def test_what_was_purged_meanwhile_does_not_come_back(
    server: redis.Redis, open_one: Open, row: Row
) -> None:
    """Whoever asks first: the one that purged, or another with nothing of it in its own hands."""
    ours, theirs = open_one(), open_one()
    await read(ours, row)
    server.freeze()
    row.text = b"new"
    await ours.purge("row")
    server.thaw()
    assert await read(ours, row) == b"new"
    await is_back(ours)
    assert await read(theirs, row) == b"new"


async def test_after_an_outage_nothing_from_before_is_believed(
    server: redis.Redis, open_one: Open, row: Row
) -> None:
    """Who purged may have died with it."""
    ours, theirs = open_one(), open_one()
    await read(ours, row)
    server.freeze()
    dying = open_one()
    await dying.purge("row")
    row.text = b"new"
    await dying.close()
    await read(theirs, row, "another")  # finds out that Redis is away
    await theirs.purge("yet another")
    await asyncio.sleep(OUTAGE_S)
    server.thaw()
    await is_back(theirs)
    assert await read(theirs, row) == b"new"


@pytest.mark.parametrize("server", [True], indirect=True)
async def test_a_redis_that_kept_its_data_over_a_restart_is_not_believed(
    server: redis.Redis, open_one: Open, row: Row
) -> None:
    """Its last second of purges may be gone."""
    ours = open_one()
    await read(ours, row)
    server.restart()
    row.text = b"new"
    theirs = open_one()
    assert await read(theirs, row) == b"new"
    await read(ours, row, "another")  # meets the other life
    await is_back(ours)
    ours.forget()
    assert await read(ours, row) == b"new"


async def test_a_full_redis_is_lived_with(server: redis.Redis, open_one: Open, row: Row) -> None:
    ours = open_one()
    await read(ours, row)
    server.say("CONFIG", "SET", "maxmemory", "1")
    for number in range(20):
        assert await read(ours, row, f"{number}") == b"old"
    row.text = b"new"
    await ours.purge("row")
    assert await read(ours, row) == b"new"


async def test_what_somebody_else_wrote_is_made_anew(
    server: redis.Redis, open_one: Open, row: Row
) -> None:
    ours = open_one()
    await read(ours, row)
    keys = server.say("KEYS", "*:value:*").decode().split("\r\n")
    name = next(key for key in keys if ":value:" in key)
    server.say("SETRANGE", name, "60", "x" * 40)
    ours.forget()
    assert await read(ours, row) == b"old"
    assert row.reads == 2


async def test_a_check_names_the_server(open_one: Open, server: redis.Redis) -> None:
    ours = open_one()
    assert (await ours.check()).startswith("Redis ")
    server.kill()


def test_the_driver_is_imported_only_when_picked() -> None:
    code = (
        "import sys\n"
        "from headwater.compose.engines import open_cache, open_notices, open_rates\n"
        "from headwater.engines.clock import Clock\n"
        "from headwater.engines.database.sqlite import SqliteDatabase\n"
        "database = SqliteDatabase('x.db')\n"
        "open_cache('', Clock())\n"
        "open_rates('')\n"
        "open_notices('table:', 'api', database, Clock())\n"
        "assert 'redis' not in sys.modules\n"
        "open_cache('redis://h/0', Clock())\n"
        "assert 'redis' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("url", ["redis://", "redis://h", "redis://h/name", "redis://h/0?db=1"])
def test_an_address_nobody_could_ask_is_refused(url: str) -> None:
    """And not repeated: it may hold a password."""
    with pytest.raises(SettingsError, match="HEADWATER_CACHE: use redis://") as error:
        open_cache(url, Clock())
    assert url + "." not in str(error.value)
