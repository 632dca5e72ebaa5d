"""Every Notices adapter keeps every promise of engines/notices/port.py."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from headwater.engines.database.port import Database
from headwater.engines.database.schema import notices as rows
from headwater.engines.notices.listeners import QUEUED
from headwater.engines.notices.memory import MemoryNotices
from headwater.engines.notices.port import MISSED, NOTICE_BYTES, Notices
from headwater.engines.notices.redis import RedisNotices
from headwater.engines.notices.table import KEPT_S, TableNotices
from headwater.model.errors import InvalidInput
from tests.support.beside import beside
from tests.support.clocks import OwnTime
from tests.support.databases import KINDS, MIGRATED, fresh, open_at

pytestmark = pytest.mark.anyio

Open = Callable[[], Notices]
Publish = Callable[[str, list[str]], Awaitable[None]]
News = AsyncIterator[tuple[str, bytes]]


@pytest.fixture(
    params=[("memory", ""), *(("table", kind) for kind in KINDS), ("redis", "")], ids="-".join
)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    adapter, kind = request.param
    if adapter != "table":
        yield "memory:" if adapter == "memory" else request.getfixturevalue("redis_url")
        return
    with fresh(kind, tmp_path, request, like=MIGRATED) as database:
        yield database


@pytest.fixture
async def open_notices(url: str) -> AsyncIterator[Open]:
    """Open one more handle: of one process the same, of a database another process's."""
    opened: list[Notices] = []
    databases: list[Database] = []

    def opener() -> Notices:
        if url == "memory:":
            opened[:] = opened or [MemoryNotices()]
        elif url.startswith("redis:"):
            opened.append(RedisNotices(url))
        else:
            databases.append(open_at(url))
            opened.append(TableNotices(databases[-1], OwnTime()))
        return opened[-1]

    if not url.startswith(("memory:", "redis:")):
        migrated = open_at(url)
        await migrated.migrate()
        await migrated.close()
    yield opener
    for notices in opened:
        await notices.close()
    for database in databases:
        await database.close()


@pytest.fixture
async def publish_apart(url: str, open_notices: Open) -> AsyncIterator[Publish]:
    """Publish in another process; of what reaches one process only, in the same."""
    if url == "memory:":

        async def publish(topic: str, bodies: list[str]) -> None:
            for body in bodies:
                await open_notices().publish(topic, body.encode())

        yield publish
        return
    async with beside("tests.support.notices_beside", url) as apart:
        yield lambda topic, bodies: apart.ask("publish", topic=topic, bodies=bodies)


async def take(news: News, count: int) -> list[tuple[str, bytes]]:
    async with asyncio.timeout(5.0):
        return [await anext(news) for _ in range(count)]


async def test_another_process_is_heard(open_notices: Open, publish_apart: Publish) -> None:
    """In order, mixed with our own."""
    ours = open_notices()
    async with ours.listen("t") as news:
        await publish_apart("t", ["1", "2"])
        assert await take(news, 2) == [("t", b"1"), ("t", b"2")]
        await ours.publish("t", b"3")
        await publish_apart("t", ["4"])
        assert await take(news, 2) == [("t", b"3"), ("t", b"4")]


async def test_another_handle_hears(open_notices: Open) -> None:
    """What is published while the block is open, in order; not what was before."""
    ours, theirs = open_notices(), open_notices()
    await theirs.publish("t", b"before")
    async with ours.listen("t") as news:
        for i in range(5):
            await theirs.publish("t", str(i).encode())
        assert await take(news, 5) == [("t", str(i).encode()) for i in range(5)]


async def test_our_own_news_comes_too(open_notices: Open) -> None:
    notices = open_notices()
    async with notices.listen("t") as news:
        await notices.publish("t")
        assert await take(news, 1) == [("t", b"")]


async def test_topics_and_prefixes(open_notices: Open) -> None:
    """Each notice once, however many of one's topics match it."""
    notices = open_notices()
    async with notices.listen("video:*", "jobs", "video:1") as some, notices.listen("*") as every:
        for topic in ("video:1", "jobs", "jobs:2", "videos", "video:"):
            await open_notices().publish(topic)
        assert [topic for topic, _ in await take(some, 3)] == ["video:1", "jobs", "video:"]
        heard = {topic for topic, _ in await take(every, 5)}
        assert heard == {"video:1", "jobs", "jobs:2", "videos", "video:"}


async def test_listening_ends_with_the_block(open_notices: Open) -> None:
    """One listener's end is not another's, and a new one hears only what is new."""
    notices = open_notices()
    async with notices.listen("t") as outer:
        async with notices.listen("t") as inner:
            await notices.publish("t", b"1")
            await take(inner, 1)
        await notices.publish("t", b"2")
        async with notices.listen("t") as late:
            await notices.publish("t", b"3")
            assert await take(late, 1) == [("t", b"3")]
        assert await take(outer, 3) == [("t", b"1"), ("t", b"2"), ("t", b"3")]


async def test_nobody_listening_is_fine(open_notices: Open) -> None:
    await open_notices().publish("t", bytes(NOTICE_BYTES))
    with pytest.raises(InvalidInput):
        await open_notices().publish("t", bytes(NOTICE_BYTES + 1))


async def test_closing_ends_the_wait(open_notices: Open) -> None:
    notices = open_notices()
    async with notices.listen("t") as news:
        await notices.close()
        async with asyncio.timeout(5.0):
            assert [item async for item in news] == []


async def test_a_slow_listener_loses_the_oldest() -> None:
    """And is told so; the publisher never waits for it."""
    notices = MemoryNotices()
    async with notices.listen("t") as news:
        for i in range(QUEUED + 10):
            await notices.publish("t", str(i).encode())
        assert await take(news, 2) == [(MISSED, b""), ("t", b"10")]


async def count(database: Database) -> int:
    async with database.reader() as session:
        row = await session.row(select(func.count().label("n")).select_from(rows))
    assert row is not None
    return int(row["n"])


async def test_old_rows_go(database_url: str) -> None:
    """Publishers clean up, so that a table nobody reads stays small."""
    database, clock = open_at(database_url), OwnTime()
    await database.migrate()
    notices = TableNotices(database, clock)
    await asyncio.gather(*(notices.publish("t") for _ in range(9)))
    clock.at += KEPT_S + 1
    await notices.publish("t")
    assert await count(database) == 1
    await database.close()


async def test_old_rows_go_though_nobody_says_anything(database_url: str) -> None:
    """What was said of a video that is gone does not stay until the next one comes."""
    database, clock = open_at(database_url), OwnTime()
    await database.migrate()
    notices = TableNotices(database, clock)
    async with notices.listen("t") as news:
        await notices.publish("t")
        await take(news, 1)
        clock.at += KEPT_S + 1
        async with asyncio.timeout(5.0):
            while (left := await count(database)) > 0:
                assert left == 1
                await asyncio.sleep(0.01)
    await notices.close()
    await database.close()


async def test_nobody_listening_costs_no_reads(database_url: str) -> None:
    """Looking for news ends with the last listener."""
    database = open_at(database_url)
    await database.migrate()
    notices = TableNotices(database, OwnTime())
    async with notices.listen("t") as news:
        await notices.publish("t")
        await take(news, 1)
    assert notices._polling is not None
    async with asyncio.timeout(5.0):
        await notices._polling
    await database.close()


async def test_who_could_not_look_for_long_is_told(database_url: str) -> None:
    """What it did not see may have been pruned by others."""
    database, clock = open_at(database_url), OwnTime()
    await database.migrate()
    notices = TableNotices(database, clock)
    async with notices.listen("t") as news:
        await notices.publish("t", b"1")
        assert await take(news, 1) == [("t", b"1")]
        clock.at += KEPT_S + 1
        assert await take(news, 1) == [(MISSED, b"")]
    await notices.close()
    await database.close()
