"""Every Cache adapter keeps every promise of engines/cache/port.py."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
import pytest

from headwater.engines.cache.answers import NOT_FOUND_S
from headwater.engines.cache.level import ENTRY_BYTES, LARGEST_BYTES
from headwater.engines.cache.memory import MemoryCache
from headwater.engines.cache.port import Cache
from headwater.engines.cache.redis import LEASE_S, RedisCache
from headwater.engines.reach import Reach
from headwater.model.errors import VideoNotFound
from tests.support.beside import Beside, beside
from tests.support.cache_beside import opened
from tests.support.clocks import OwnTime
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio


class Maker:
    """Counts how often it is asked; each value is the number, as text."""

    def __init__(self) -> None:
        self.times = 0
        self.error: Exception | None = None
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.takes: Callable[[], None] = lambda: None

    async def __call__(self) -> bytes:
        self.times += 1
        text = str(self.times).encode()
        await self.may_go_on.wait()
        self.takes()
        if self.error is not None:
            raise self.error
        return text


Get = Callable[..., Awaitable[bytes]]


@pytest.fixture
def clock() -> OwnTime:
    return OwnTime()


@pytest.fixture(params=["memory", "redis"])
async def cache(request: pytest.FixtureRequest, clock: OwnTime) -> AsyncIterator[Cache]:
    cache = (
        MemoryCache(clock)
        if request.param == "memory"
        else opened(request.getfixturevalue("redis_url"), clock)
    )
    yield cache
    await cache.close()


@pytest.fixture
async def apart(redis_url: str) -> AsyncIterator[Beside]:
    """Another process on the same store."""
    async with beside("tests.support.cache_beside", redis_url) as running:
        yield running


@pytest.fixture
async def ours(redis_url: str, clock: OwnTime) -> AsyncIterator[RedisCache]:
    cache = opened(redis_url, clock)
    yield cache
    await cache.close()


async def settled(cache: Cache) -> None:
    """Return when nothing is being made any more."""
    while tasks := cache._level._tasks:  # type: ignore[attr-defined]
        await asyncio.wait(set(tasks))


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
def get(cache: Cache, maker: Maker) -> Get:
    async def got(key: str = "k", stale_s: float = 0.0, tags: tuple[str, ...] = ()) -> bytes:
        return await cache.get_or_make(key, maker, fresh_s=100.0, stale_s=stale_s, tags=tags)

    return got


async def test_a_fresh_value_is_not_made_again(get: Get, clock: OwnTime) -> None:
    """Its life is shortened by up to a tenth, never longer."""
    assert await get() == b"1"
    clock.at += 89.9
    assert await get() == b"1"
    clock.at += 10.2
    assert await get() == b"2"


async def test_many_askers_one_making(get: Get, maker: Maker) -> None:
    maker.may_go_on.clear()
    asking = [asyncio.ensure_future(get()) for _ in range(100)]
    await eventually(lambda: maker.times == 1)
    maker.may_go_on.set()
    assert set(await asyncio.gather(*asking)) == {b"1"}
    assert maker.times == 1


async def test_an_asker_who_leaves_takes_nothing_away(get: Get, maker: Maker) -> None:
    maker.may_go_on.clear()
    first, second = asyncio.ensure_future(get()), asyncio.ensure_future(get())
    await eventually(lambda: maker.times == 1)
    first.cancel()
    await anyio.wait_all_tasks_blocked()
    maker.may_go_on.set()
    assert await second == b"1"
    assert maker.times == 1


async def test_a_stale_value_is_served_while_it_is_made_anew(
    get: Get, maker: Maker, clock: OwnTime, cache: Cache
) -> None:
    """Nobody waits, one making runs; beyond the bound everybody waits for the new."""
    await get(stale_s=50.0)
    clock.at += 120.0
    maker.may_go_on.clear()
    assert await asyncio.gather(*(get(stale_s=50.0) for _ in range(9))) == [b"1"] * 9
    await eventually(lambda: maker.times == 2)
    assert await get(stale_s=50.0) == b"1"
    maker.may_go_on.set()
    await settled(cache)
    assert await get(stale_s=50.0) == b"2"
    clock.at += 151.0
    assert await get(stale_s=50.0) == b"3"


async def test_a_stale_value_stands_in_for_an_error(
    get: Get, maker: Maker, clock: OwnTime, cache: Cache
) -> None:
    """While it may; then the error shows, and is not kept."""
    await get(stale_s=50.0)
    maker.error = ConnectionError()
    clock.at += 120.0
    for _ in range(3):
        assert await get(stale_s=50.0) == b"1"
        await settled(cache)
    assert maker.times == 2  # and not one more for each who asks
    clock.at += 60.0
    for _ in range(2):
        with pytest.raises(ConnectionError):
            await get(stale_s=50.0)
    maker.error = None
    assert await get() == b"5"


async def test_all_askers_hear_of_a_failure(get: Get, maker: Maker) -> None:
    maker.error = ConnectionError()
    asking = [asyncio.ensure_future(get()) for _ in range(3)]
    results = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(result) for result in results] == [ConnectionError] * 3
    assert maker.times == 1


async def test_purging_by_tag(get: Get, cache: Cache) -> None:
    """Every value with one of the tags goes, the others stay."""
    tags = {"a": ("x", "y"), "b": ("y",), "c": ("z",)}

    async def all_of(keys: str) -> list[bytes]:
        return [await get(key, tags=tags[key]) for key in keys]

    assert await all_of("abc") == [b"1", b"2", b"3"]
    await cache.purge("x")
    assert await all_of("abc") == [b"4", b"2", b"3"]
    await cache.purge("y", "z", "never used")
    assert await all_of("bc") == [b"5", b"6"]


async def test_forgetting_is_of_this_process(get: Get, cache: Cache) -> None:
    """What others share stays, and what was on its way is not kept."""
    assert await get(tags=("x",)) == b"1"
    cache.forget("x")
    first = await get(tags=("x",))
    assert first == (b"1" if cache.reach is Reach.FLEET else b"2")
    cache.forget()
    assert await get(tags=("x",)) == (first if cache.reach is Reach.FLEET else b"3")


async def test_what_is_not_there_is_believed_for_a_moment(
    get: Get, maker: Maker, cache: Cache, clock: OwnTime
) -> None:
    """Until then, or until its tag is purged, nobody looks again."""
    maker.error = VideoNotFound("There is no such video.")
    for _ in range(3):
        with pytest.raises(VideoNotFound, match="no such video"):
            await get(tags=("x",))
    assert maker.times == 1
    clock.at += NOT_FOUND_S
    with pytest.raises(VideoNotFound):
        await get(tags=("x",))
    assert maker.times == 2
    maker.error = None
    await cache.purge("x")
    assert await get(tags=("x",)) == b"3"


async def test_what_took_long_is_made_anew_before_its_time(
    get: Get, maker: Maker, cache: Cache, clock: OwnTime
) -> None:
    """By one asker, and nobody waits: with 20 s of making, almost surely in the last 60."""
    maker.takes = lambda: setattr(clock, "at", clock.at + 20.0)
    assert await get() == b"1"
    maker.takes = lambda: None
    clock.at += 50.0
    for _ in range(500):
        assert await get() in {b"1", b"2"}
        clock.at += 0.05
    await settled(cache)
    assert maker.times == 2


async def test_a_value_being_made_is_purged_too(get: Get, cache: Cache, maker: Maker) -> None:
    """It may have read what is old now: who asked before gets it, who asks after does not."""
    maker.may_go_on.clear()
    before = asyncio.ensure_future(get(tags=("x",)))
    await eventually(lambda: maker.times == 1)
    await cache.purge("x")
    after = asyncio.ensure_future(get(tags=("x",)))
    await eventually(lambda: maker.times == 2)
    maker.may_go_on.set()
    assert (await before, await after) == (b"1", b"2")
    assert await get(tags=("x",)) == b"2"


async def test_a_large_value_is_returned_and_not_kept(cache: Cache) -> None:
    made = 0

    async def make() -> bytes:
        nonlocal made
        made += 1
        return bytes(LARGEST_BYTES + 1)

    for _ in range(2):
        assert len(await cache.get_or_make("k", make, fresh_s=9.0)) == LARGEST_BYTES + 1
    assert made == 2


async def test_memory_is_bounded(clock: OwnTime) -> None:
    """What was used least recently goes first."""
    cache, made = MemoryCache(clock, most_bytes=10 * (1000 + ENTRY_BYTES + 1)), []

    async def get(key: str) -> None:
        async def make() -> bytes:
            made.append(key)
            return bytes(1000)

        await cache.get_or_make(key, make, fresh_s=99.0, tags=(key,))

    for key in "abcdefghij":
        await get(key)
    await get("a")
    await get("k")
    made.clear()
    await get("a")
    await get("b")
    assert made == ["b"]
    await cache.close()


# Over processes


def unused() -> Awaitable[bytes]:
    raise AssertionError("it is there already")


async def test_what_one_process_made_another_has(ours: RedisCache, apart: Beside) -> None:
    assert await apart.ask("get", key="k", body="theirs", tags=["x"]) == "theirs"
    assert await ours.get_or_make("k", unused, fresh_s=100.0, tags=("x",)) == b"theirs"


async def test_one_process_makes_while_the_other_waits(
    ours: RedisCache, apart: Beside, maker: Maker
) -> None:
    theirs = apart.ask("get", key="k", body="theirs", wait=True)
    await told(apart, 1)
    waiting = asyncio.ensure_future(ours.get_or_make("k", maker, fresh_s=100.0))
    await asyncio.wait({waiting}, timeout=0.1)
    assert not waiting.done()
    await apart.ask("go")
    assert (await theirs, await waiting, maker.times) == ("theirs", b"theirs", 0)


async def test_one_that_takes_long_is_waited_for(
    ours: RedisCache, apart: Beside, maker: Maker
) -> None:
    """As long as it lives."""
    theirs = apart.ask("get", key="k", body="theirs", wait=True)
    await told(apart, 1)
    waiting = asyncio.ensure_future(ours.get_or_make("k", maker, fresh_s=100.0))
    await asyncio.wait({waiting}, timeout=1.5 * LEASE_S)
    await apart.ask("go")
    assert (await theirs, await waiting, maker.times) == ("theirs", b"theirs", 0)


async def test_one_that_dies_making_is_not_waited_for_long(
    ours: RedisCache, apart: Beside, maker: Maker
) -> None:
    apart.ask("get", key="k", body="theirs", wait=True)
    await told(apart, 1)
    apart.kill()
    async with asyncio.timeout(LEASE_S + 2.0):
        assert await ours.get_or_make("k", maker, fresh_s=100.0) == b"1"


async def test_a_purge_holds_in_every_process_that_heard_of_it(
    ours: RedisCache, apart: Beside
) -> None:
    """Who did not hear holds its copy; who makes anew makes it for both."""
    assert await apart.ask("get", key="k", body="old", tags=["x"]) == "old"
    assert await ours.get_or_make("k", unused, fresh_s=100.0, tags=("x",)) == b"old"
    await ours.purge("x")
    assert await apart.ask("get", key="k", body="new", tags=["x"]) == "old"
    await apart.ask("forget", tags=["x"])
    assert await apart.ask("get", key="k", body="new", tags=["x"]) == "new"
    assert await ours.get_or_make("k", unused, fresh_s=100.0, tags=("x",)) == b"new"


async def test_what_another_began_before_a_purge_is_not_kept(
    ours: RedisCache, apart: Beside, maker: Maker
) -> None:
    """It read what is old now; who asks after the purge does not even wait for it."""
    theirs = apart.ask("get", key="k", body="old", wait=True, tags=["x"])
    await told(apart, 1)
    await ours.purge("x")
    assert await ours.get_or_make("k", maker, fresh_s=100.0, tags=("x",)) == b"1"
    await apart.ask("go")
    assert await theirs == "old"
    ours.forget()
    assert await ours.get_or_make("k", unused, fresh_s=100.0, tags=("x",)) == b"1"


async def test_another_version_is_not_looked_at(
    ours: RedisCache, redis_url: str, clock: OwnTime, maker: Maker
) -> None:
    """Old and new run side by side during an upgrade."""
    assert await ours.get_or_make("k", maker, fresh_s=100.0) == b"1"
    newer = opened(redis_url, clock, version="2")
    assert await newer.get_or_make("k", maker, fresh_s=100.0) == b"2"
    await newer.close()


async def told(apart: Beside, times: int) -> None:
    """Return when the other process makes for the *times*th time."""

    async def is_told() -> bool:
        return int(await apart.ask("how_often")) >= times

    await eventually(is_told)
