"""Notices over Redis when it freezes, dies or forgets: late, or told as missed."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from headwater.engines.notices.port import MISSED
from headwater.engines.notices.redis import STREAM, UNSENT, RedisNotices
from tests.support import redis

pytestmark = pytest.mark.anyio

News = AsyncIterator[tuple[str, bytes]]


@pytest.fixture
def server() -> Iterator[redis.Redis]:
    """One of this test's own, to kill."""
    with redis.server() as running:
        yield running


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[tuple[RedisNotices, News]]:
    notices = RedisNotices(url)
    async with notices.listen("t") as news:
        yield notices, news
        await notices.close()


async def take(news: News, count: int) -> list[tuple[str, bytes]]:
    async with asyncio.timeout(15.0):
        return [await anext(news) for _ in range(count)]


async def test_what_was_said_while_redis_stood_still_comes(server: redis.Redis) -> None:
    """From both sides of it, in order, and nothing is told as missed."""
    async with listening(server.url()) as (ours, news), listening(server.url()) as (theirs, heard):
        await theirs.publish("t", b"1")
        assert await take(news, 1) == [("t", b"1")]
        server.freeze()
        for body in (b"2", b"3"):
            await theirs.publish("t", body)
        await ours.publish("t", b"4")
        server.thaw()
        assert await take(news, 3) == [("t", b"4"), ("t", b"2"), ("t", b"3")]
        assert await take(heard, 4) == [("t", b"1"), ("t", b"2"), ("t", b"3"), ("t", b"4")]


async def test_many_at_once_all_arrive(server: redis.Redis) -> None:
    async with listening(server.url()) as (_, news), listening(server.url()) as (theirs, _):
        said = {("t", str(number).encode()) for number in range(100)}
        await asyncio.gather(*(theirs.publish(*each) for each in said))
        assert set(await take(news, 100)) == said


async def test_publishing_waits_for_one_deadline_only(server: redis.Redis) -> None:
    async with listening(server.url()) as (ours, news):
        server.kill()
        began = asyncio.get_running_loop().time()
        for _ in range(50):
            await ours.publish("t")
        assert asyncio.get_running_loop().time() - began < 1.0
        assert len(await take(news, 50)) == 50


async def test_another_redis_than_before_is_told(server: redis.Redis) -> None:
    """What was in the old one and not read is lost; then news go on."""
    async with listening(server.url()) as (_, news), listening(server.url()) as (theirs, _):
        await theirs.publish("t", b"1")
        await take(news, 1)
        server.restart()
        assert await take(news, 1) == [(MISSED, b"")]
        await theirs.publish("t", b"2")
        assert await take(news, 1) == [("t", b"2")]


async def test_a_process_that_starts_without_redis_hears_later(server: redis.Redis) -> None:
    server.kill()
    async with listening(server.url()) as (_, news), listening(server.url()) as (theirs, heard):
        await theirs.publish("t", b"1")
        server.start()
        assert await take(news, 1) == [(MISSED, b"")]
        assert set(await take(heard, 2)) == {(MISSED, b""), ("t", b"1")}
        await theirs.publish("t", b"2")
        while await take(news, 1) != [("t", b"2")]:
            pass


async def test_a_gap_is_told_before_what_follows_it(server: redis.Redis) -> None:
    """Cut off while more was said than is kept."""
    async with listening(server.url()) as (ours, news), listening(server.url()) as (theirs, _):
        assert ours._reading is not None
        ours._reading.cancel()  # as a process that stands still
        await asyncio.wait({ours._reading})
        for number in range(9):
            await theirs.publish("t", str(number).encode())
        server.say("XTRIM", STREAM, "MAXLEN", "2")
        ours._reading = asyncio.create_task(ours._read())
        assert await take(news, 3) == [(MISSED, b""), ("t", b"7"), ("t", b"8")]


async def test_more_than_is_kept_for_redis_is_told_as_missed(server: redis.Redis) -> None:
    async with listening(server.url()) as (_, news), listening(server.url()) as (theirs, _):
        server.freeze()
        for number in range(UNSENT + 10):
            await theirs.publish("t", str(number).encode())
        server.thaw()
        assert (await take(news, 1))[0] == (MISSED, b"")
        assert len(await take(news, UNSENT - 1)) == UNSENT - 1
