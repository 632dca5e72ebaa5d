"""What is measured of engines, over the real ones; and that nothing of them is hidden by it."""

from collections.abc import Callable

import anyio
import pytest
from prometheus_client import REGISTRY

from headwater.compose.core import Core
from headwater.compose.timing import timed_cache
from headwater.engines.blobs.port import blob_key
from headwater.engines.cache.memory import MemoryCache
from headwater.engines.clock import Clock
from headwater.model.actor import SYSTEM
from headwater.model.errors import BlobNotFound, Unavailable

pytestmark = pytest.mark.anyio


def counted(name: str, **labels: str) -> Callable[[], float]:
    """Return how much more there is of a sample now than when this was called."""

    def value() -> float:
        return REGISTRY.get_sample_value(name, labels) or 0.0

    before = value()
    return lambda: value() - before


def calls(engine: str, call: str) -> Callable[[], float]:
    return counted("headwater_engine_seconds_count", engine=engine, call=call)


def failures(engine: str, call: str, code: str) -> Callable[[], float]:
    return counted("headwater_engine_failures_total", engine=engine, call=call, code=code)


async def test_calls_of_the_store_are_measured_and_answered(core: Core) -> None:
    put, opened, absent = (calls("blobs", call) for call in ("put_absent", "open", "stat"))
    failed = failures("blobs", "stat", "blob-not-found")
    key = blob_key("a/b")

    stored = await core.blobs.put_absent(key, b"abc")
    (await core.blobs.open(key)).close()
    with pytest.raises(BlobNotFound):
        await core.blobs.stat(blob_key("a/c"))

    assert (stored.size, stored.won) == (3, True)
    assert (put(), opened(), absent(), failed()) == (1, 1, 0, 0)
    assert [found async for found in core.blobs.list("a/")] == [(key, 3)]  # passes by unmeasured


async def test_blocks_of_the_database_are_measured(core: Core) -> None:
    measured = {call: calls("database", call) for call in ("read", "begin", "write", "commit")}

    async with core.engines.reader(SYSTEM):
        pass
    async with core.engines.writer(SYSTEM):
        pass
    with pytest.raises(KeyError):
        async with core.engines.writer(SYSTEM):
            raise KeyError

    assert {call: more() for call, more in measured.items()} == {
        "read": 1,
        "begin": 2,
        "write": 1,
        "commit": 1,
    }


async def test_an_engine_that_is_away_is_counted_by_its_code(core: Core) -> None:
    failed = failures("database", "write", "unavailable")

    with pytest.raises(Unavailable):
        async with core.database.writer():
            raise Unavailable("away")

    assert failed() == 1


async def test_answers_of_the_cache_are_counted_by_operation() -> None:
    cache = timed_cache(MemoryCache(Clock()))
    hit, miss, stale = (
        counted("headwater_cache_answers_total", operation="videos.tried", outcome=outcome)
        for outcome in ("hit", "miss", "stale")
    )

    async def make() -> bytes:
        return b"made"

    for fresh_s in (60.0, 60.0):
        assert await cache.get_or_make("videos.tried|1", make, fresh_s=fresh_s) == b"made"
    assert (hit(), miss(), stale()) == (1, 1, 0)

    anew = anyio.Event()

    async def make_anew() -> bytes:
        anew.set()
        return b"made anew"

    await cache.get_or_make("videos.tried|2", make, fresh_s=0.0, stale_s=60.0)
    old = await cache.get_or_make("videos.tried|2", make_anew, fresh_s=0.0, stale_s=60.0)
    with anyio.fail_after(5):
        await anew.wait()
    await cache.close()
    assert old == b"made"
    assert (hit(), miss(), stale()) == (2, 2, 1)
