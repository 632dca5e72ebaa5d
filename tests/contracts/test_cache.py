"""Every Cache adapter keeps every promise of engines/cache/port.py."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
import pytest

from headwater.engines.cache.memory import ENTRY_BYTES, LARGEST_BYTES, MemoryCache
from headwater.engines.cache.port import Cache
from tests.support.clocks import OwnTime

pytestmark = pytest.mark.anyio


class Maker:
    """Counts how often it is asked; each value is the number, as text."""

    def __init__(self) -> None:
        self.times = 0
        self.error: Exception | None = None
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def __call__(self) -> bytes:
        self.times += 1
        text = str(self.times).encode()
        await self.may_go_on.wait()
        if self.error is not None:
            raise self.error
        return text


Get = Callable[..., Awaitable[bytes]]


@pytest.fixture
def clock() -> OwnTime:
    return OwnTime()


@pytest.fixture(params=["memory"])
async def cache(request: pytest.FixtureRequest, clock: OwnTime) -> AsyncIterator[Cache]:
    assert request.param == "memory"
    cache = MemoryCache(clock)
    yield cache
    await cache.close()


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
    await anyio.wait_all_tasks_blocked()
    maker.may_go_on.set()
    assert set(await asyncio.gather(*asking)) == {b"1"}
    assert maker.times == 1


async def test_an_asker_who_leaves_takes_nothing_away(get: Get, maker: Maker) -> None:
    maker.may_go_on.clear()
    first, second = asyncio.ensure_future(get()), asyncio.ensure_future(get())
    await anyio.wait_all_tasks_blocked()
    first.cancel()
    await anyio.wait_all_tasks_blocked()
    maker.may_go_on.set()
    assert await second == b"1"
    assert maker.times == 1


async def test_a_stale_value_is_served_while_it_is_made_anew(
    get: Get, maker: Maker, clock: OwnTime
) -> None:
    """Nobody waits, one making runs; beyond the bound everybody waits for the new."""
    await get(stale_s=50.0)
    clock.at += 120.0
    maker.may_go_on.clear()
    assert await asyncio.gather(*(get(stale_s=50.0) for _ in range(9))) == [b"1"] * 9
    await anyio.wait_all_tasks_blocked()
    maker.may_go_on.set()
    await anyio.wait_all_tasks_blocked()
    assert await get(stale_s=50.0) == b"2"
    clock.at += 151.0
    assert await get(stale_s=50.0) == b"3"


async def test_a_stale_value_stands_in_for_an_error(get: Get, maker: Maker, clock: OwnTime) -> None:
    """While it may; then the error shows, and is not kept."""
    await get(stale_s=50.0)
    maker.error = ConnectionError()
    clock.at += 120.0
    for _ in range(3):
        assert await get(stale_s=50.0) == b"1"
        await anyio.wait_all_tasks_blocked()
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
    assert await get("a", tags=("x", "y")) == b"1"
    assert await get("b", tags=("y",)) == b"2"
    assert await get("c", tags=("z",)) == b"3"
    await cache.purge("x")
    assert [await get("a"), await get("b"), await get("c")] == [b"4", b"2", b"3"]
    await cache.purge("y", "z", "never used")
    assert [await get("b"), await get("c")] == [b"5", b"6"]


async def test_a_value_being_made_is_purged_too(get: Get, cache: Cache, maker: Maker) -> None:
    """It may have read what is old now: who asked before gets it, who asks after does not."""
    maker.may_go_on.clear()
    before = asyncio.ensure_future(get(tags=("x",)))
    await anyio.wait_all_tasks_blocked()
    await cache.purge("x")
    after = asyncio.ensure_future(get(tags=("x",)))
    await anyio.wait_all_tasks_blocked()
    maker.may_go_on.set()
    assert (await before, await after) == (b"1", b"2")
    assert await get() == b"2"


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
