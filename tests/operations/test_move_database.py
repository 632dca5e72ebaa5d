"""Rows move from SQLite to PostgreSQL while everybody writes, and nothing is lost on the way."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random  # noqa: TID251 (seeded)
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, update

from headwater.compose.engines import open_database
from headwater.engines.database.port import Database
from headwater.engines.database.postgres import PostgresDatabase
from headwater.engines.database.postgres_arriving import PostgresArriving
from headwater.engines.database.schema import (
    accounts,
    events,
    inbox,
    jobs,
    metadata,
    preferences,
    sources,
    uploads,
    videos,
)
from headwater.engines.database.sqlite import SqliteDatabase
from headwater.engines.database.sqlite_leaving import SqliteLeaving
from headwater.engines.reach import Reach
from headwater.model.errors import Conflict, SettingsError, Unavailable
from headwater.operations.move_database import abandon, move_database
from tests.drills.sample import SEED, WHOLE
from tests.support import databases, postgres

pytestmark = pytest.mark.anyio

WRITERS = 2  # of a process
DEADLINE_S = 30.0
STEPS = range(1000) if WHOLE else (0, 3, 9, 23, 1000)  # after which a mover dies
VIDEO = {
    "owner": "o",
    "title": "A walk",
    "description": "",
    "visibility": "public",
    "state": "ready",
    "created_at": 0.1,
}


@pytest.fixture
async def source(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    """The database of a server that has been used for a while."""
    database = SqliteDatabase(tmp_path / "headwater.sqlite3")
    await database.migrate()
    async with database.writer() as session:
        values = {"name": "O", "role": "owner", "password_hash": "", "created_at": 1 / 3}
        await session.execute(insert(accounts).values(id="o", email="o@example.org", **values))
        await session.execute(insert(videos).values([{"id": f"v{i}", **VIDEO} for i in range(50)]))
    yield database
    await database.close()


@pytest.fixture
def target(postgres_server: postgres.Postgres) -> Iterator[str]:
    with postgres.database(postgres_server, like=databases.MIGRATED) as url:
        yield url


def url_of(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path / 'headwater.sqlite3'}"


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    database = open_database(url)
    try:
        yield database
    finally:
        await database.close()


async def move(tmp_path: Path, url: str, *, told: Any = lambda *_: None) -> Any:
    arriving = PostgresArriving(url)
    try:
        leaving = SqliteLeaving(tmp_path / "headwater.sqlite3")
        return await move_database(leaving, arriving, url=url, told=told)
    finally:
        await arriving.close()


async def everything(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of all tables, as one moment has them."""
    async with database.reader() as session:
        return {
            table.name: sorted(
                (tuple(row.values()) for row in await session.rows(select(table))), key=repr
            )
            for table in metadata.sorted_tables
        }


class Writer:
    """Somebody who writes without pause, and remembers what was acknowledged."""

    def __init__(self, database: Database, number: int) -> None:
        self.kept: dict[str, str] = {}
        self.turn = 0
        self._moved_on = asyncio.Condition()
        self._database, self._number = database, number
        self._random = Random(SEED + number)

    async def run(self, until: asyncio.Event) -> None:
        while not until.is_set():
            await self._write(f"w{self._number}-{self.turn}")
            async with self._moved_on:
                self.turn += 1
                self._moved_on.notify_all()
            await asyncio.sleep(0)

    async def reach(self, turn: int) -> None:
        async with self._moved_on:
            await self._moved_on.wait_for(lambda: self.turn >= turn)

    async def _write(self, name: str) -> None:
        """Make a video with its upload, source, job and event; forget or change an older one."""
        older = self._random.choice(list(self.kept)) if self.kept else None
        is_forgotten = self._random.random() < 0.4
        async with self._database.writer() as session:
            await session.execute(insert(videos).values(id=name, **VIDEO))
            await session.execute(
                insert(uploads).values(
                    id=name, owner="o", video=name, created_at=0.0, expires_at=1e9
                )
            )
            await session.execute(insert(sources).values(video=name, size=7, extents=b"\x00\xff"))
            await session.execute(
                insert(events).values(topic="video.uploaded", body=name.encode(), created_at=0.2)
            )
            if older is not None and is_forgotten:
                await session.execute(
                    update(uploads).where(uploads.c.id == older).values(video=None)
                )
                await session.execute(delete(videos).where(videos.c.id == older))
            elif older is not None:
                await session.execute(
                    update(videos).where(videos.c.id == older).values(title=name, version=2)
                )
        self.kept[name] = "A walk"
        if older is not None and is_forgotten:
            del self.kept[older]
        elif older is not None:
            self.kept[older] = name


@asynccontextmanager
async def writing(database: Database, *, first: int = 0) -> AsyncIterator[list[Writer]]:
    """Write while the block runs; a write that fails fails the test."""
    over = asyncio.Event()
    writers = [Writer(database, number) for number in range(first, first + WRITERS)]
    async with asyncio.TaskGroup() as group:
        for writer in writers:
            group.create_task(writer.run(over))
        try:
            yield writers
        finally:
            over.set()


async def wait_until(writers: list[Writer], more: int) -> None:
    """Wait until each has written so much more than now."""
    wanted = [writer.turn + more for writer in writers]
    async with asyncio.timeout(DEADLINE_S):
        for writer, turn in zip(writers, wanted, strict=True):
            await writer.reach(turn)


async def assert_kept(database: Database, writers: list[Writer]) -> None:
    """Every video that was acknowledged is there, as it was written last; no other is."""
    async with database.reader() as session:
        rows = await session.rows(select(videos.c.id, videos.c.title))
        made = await session.row(select(func.count().label("all")).select_from(events))
    kept = {name: title for writer in writers for name, title in writer.kept.items()}
    found = {row["id"]: row["title"] for row in rows if row["id"].startswith("w")}
    assert found == kept
    assert made is not None
    assert made["all"] == sum(writer.turn for writer in writers)


@pytest.mark.usefixtures("source")
async def test_rows_move_under_writers(target: str, tmp_path: Path) -> None:
    """Two processes write all the time; none of their writes fails, and none is lost."""
    async with opened(url_of(tmp_path)) as server, opened(url_of(tmp_path)) as worker:
        async with writing(server) as ours, writing(worker, first=WRITERS) as theirs:
            writers = ours + theirs
            await wait_until(writers, 20)
            moved = await move(tmp_path, target)
            await wait_until(writers, 20)
        assert server.reach is Reach.FLEET
        await assert_kept(server, writers)
        async with opened(target) as there:
            assert await everything(there) == await everything(server)
    assert moved.rows >= 50
    assert moved.pause_s < 4


async def test_all_kinds_of_values_arrive(
    source: SqliteDatabase, target: str, tmp_path: Path
) -> None:
    """Numbers to their last bit, bytes, what is null, and keys of several columns."""
    async with source.writer() as session:
        for i in range(20):
            when = 1_763_000_000.123456 + i / 7
            values = {"consumer": "c", "event": 1 << 40, "recorded_at": when, "taken_at": 1e-9}
            await session.execute(insert(inbox).values(**values))
        await session.execute(insert(preferences).values(name="ä∞", value=bytes(range(256))))
    before = await everything(source)
    await move(tmp_path, target)

    async with opened(target) as there:
        assert await everything(there) == before


async def test_numbers_go_on(source: SqliteDatabase, target: str, tmp_path: Path) -> None:
    """A consumer counts by them: no number is given twice, even if all its rows are gone."""
    async with source.writer() as session:
        await session.execute(
            insert(events).values([{"topic": "t", "body": b"", "created_at": 0.0}] * 9)
        )
        await session.execute(delete(events))
    await move(tmp_path, target)

    async with opened(url_of(tmp_path)) as server:
        async with server.writer() as session:
            await session.execute(insert(events).values(topic="t", body=b"", created_at=0.0))
        async with server.reader() as session:
            row = await session.row(select(events.c.id))
    assert row == {"id": 10}


async def test_what_is_unique_changes_hands(
    source: SqliteDatabase, target: str, tmp_path: Path
) -> None:
    """A job that ended makes room for the next of its kind, in whatever order they come over."""
    job = {"kind": "warm", "video": "v1", "owner": "o", "run_at": 0.0} | dict.fromkeys(
        ("created_at", "updated_at"), 0.0
    )

    async def next_job(*_: object) -> None:
        async with source.writer() as session:
            await session.execute(update(jobs).values(state="done"))
            found = await session.row(select(func.count().label("all")).select_from(jobs))
            assert found is not None
            # The new one's key comes first, so it would be written first.
            await session.execute(
                insert(jobs).values(id=f"j{999 - found['all']}", state="queued", **job)
            )

    pending: list[asyncio.Task[None]] = []
    await move(tmp_path, target, told=lambda *_: pending.append(asyncio.ensure_future(next_job())))
    with suppress(Unavailable):  # Moved: the old handle does not follow
        await asyncio.gather(*pending)

    async with opened(target) as there, there.reader() as session:
        live = await session.rows(select(jobs).where(jobs.c.state == "queued"))
    assert len(live) == 1


async def test_whoever_opens_the_old_one_finds_the_new(
    source: SqliteDatabase, target: str, tmp_path: Path
) -> None:
    """A process that starts with the old setting works where the rows are; so does a backup."""
    await move(tmp_path, target)
    async with opened(url_of(tmp_path)) as late:
        await late.migrate()
        assert "PostgreSQL" in await late.check()
        async with late.writer() as session:
            await session.execute(insert(preferences).values(name="late", value=b""))
        await late.backup_to(str(tmp_path / "copy"))
    copy = SqliteDatabase(tmp_path / "copy")
    async with copy.reader() as session:
        assert await session.row(select(preferences).where(preferences.c.name == "late"))
    await copy.close()
    with pytest.raises(Unavailable, match="moved"):
        async with source.writer():
            pass
    with pytest.raises(Unavailable, match="moved"):
        async with source.reader():
            pass
    assert await move(tmp_path, target) is None  # again: it is there already


async def test_a_database_with_rows_is_refused(
    source: SqliteDatabase, target: str, tmp_path: Path
) -> None:
    there = PostgresDatabase(target)
    await there.migrate()
    async with there.writer() as session:
        await session.execute(insert(preferences).values(name="a", value=b""))
    await there.close()

    with pytest.raises(Conflict, match="rows already"):
        await move(tmp_path, target)
    async with source.writer() as session:
        await session.execute(insert(preferences).values(name="on", value=b""))


class Interrupted(Exception):
    """The mover died."""


@pytest.mark.usefixtures("source")
async def test_a_move_that_died_goes_on(target: str, tmp_path: Path) -> None:
    """Whatever the step; the old one stays in charge until the last, and takes writes."""

    def dying(after: int) -> Any:
        steps = iter(range(after))

        def told(*_: object) -> None:
            if next(steps, None) is None:
                raise Interrupted

        return told

    async with opened(url_of(tmp_path)) as server, writing(server) as writers:
        for after in STEPS:
            await wait_until(writers, 2)
            with suppress(Interrupted):
                await move(tmp_path, target, told=dying(after))
                break
            assert server.reach is Reach.HOST
            early = PostgresDatabase(target)
            with pytest.raises(SettingsError, match="not in charge"):
                await early.migrate()
            await early.close()
        await wait_until(writers, 2)
    async with opened(target) as there:
        await assert_kept(there, writers)
    assert not list(tmp_path.glob("*.moving"))


async def test_a_move_that_is_ended_leaves_nothing(
    source: SqliteDatabase, target: str, tmp_path: Path
) -> None:
    """No journal is kept any more, and another database can be moved to."""

    def die(*_: object) -> None:
        raise Interrupted

    with suppress(Interrupted):
        await move(tmp_path, target, told=die)
    await source.backup_to(str(tmp_path / "copy"))
    await abandon(SqliteLeaving(tmp_path / "headwater.sqlite3"))
    for file in ("headwater.sqlite3", "copy"):
        leaving = SqliteLeaving(tmp_path / file)
        assert await leaving.mark() is None  # a copy never knew of it
    assert not list(tmp_path.glob("*.moving"))
