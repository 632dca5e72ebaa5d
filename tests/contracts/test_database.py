"""Every Database adapter keeps every promise of engines/database/port.py."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import bindparam, delete, func, insert, select, text, update

from headwater.engines.database.port import Database, Session
from headwater.engines.database.schema import (
    accounts,
    events,
    notices,
    preferences,
    upload_extents,
    uploads,
)
from headwater.engines.database.sqlite import SqliteDatabase
from headwater.model.errors import Conflict, IntegrityViolated, SettingsError, Unavailable
from headwater.model.freshness import Freshness
from tests.support import postgres
from tests.support.databases import KINDS, MIGRATED, fresh, left_for, open_at, with_replicas
from tests.support.killed import said_before_kill
from tests.support.replicas import Cluster, cluster

pytestmark = pytest.mark.anyio

Open = Callable[..., Any]
MANY_TURNS = 50  # a loop that waits for the database takes two or three


@pytest.fixture(scope="module")
def replicated_server() -> Iterator[Cluster]:
    """A PostgreSQL with a replica, and a migrated database to copy."""
    with cluster(1) as made:
        made.primary.sql(f"CREATE DATABASE {MIGRATED} TEMPLATE template0")
        asyncio.run(open_at(made.primary.url(MIGRATED)).migrate())
        yield made


@pytest.fixture(params=[*KINDS, "following", "replicated"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """One of each kind, one that was SQLite until its rows moved, and one with a replica."""
    if request.param == "replicated":
        made: Cluster = request.getfixturevalue("replicated_server")
        with postgres.database(made.primary, like=MIGRATED) as url:
            made.wait()
            yield with_replicas(made, url)
        return
    kind = "postgres" if request.param == "following" else request.param
    with fresh(kind, tmp_path, request, like=MIGRATED) as url:
        yield left_for(url, tmp_path) if request.param == "following" else url


@pytest.fixture
async def open_database(database_url: str) -> AsyncIterator[Open]:
    """Open one more handle on the *same* database: the second one plays another process."""
    opened: list[Database] = []

    def opener(deadline_s: float = 10.0) -> Database:
        opened.append(open_at(database_url, deadline_s=deadline_s))
        return opened[-1]

    await opener().migrate()
    yield opener
    for database in opened:
        await database.close()


async def put(session: Session, name: str, value: bytes = b"") -> None:
    await session.execute(insert(preferences).values(name=name, value=value))


async def add_account(session: Session, name: str) -> None:
    values = {"email": f"{name}@example.org", "name": name, "role": "member", "password_hash": ""}
    await session.execute(insert(accounts).values(id=name, created_at=0.0, **values))


async def names(session: Session) -> list[str]:
    rows = await session.rows(select(preferences.c.name).order_by(preferences.c.name))
    return [row["name"] for row in rows]


async def test_what_one_wrote_another_process_reads(open_database: Open) -> None:
    """A write is seen by every handle as soon as its block has ended."""
    async with open_database().writer() as session:
        await put(session, "a", b"\x00\xff")

    async with open_database().reader() as session:
        row = await session.row(select(preferences).where(preferences.c.name == "a"))
        assert row is not None
        assert dict(row) == {"name": "a", "value": b"\x00\xff"}
        assert await session.row(select(preferences).where(preferences.c.name == "b")) is None


async def test_who_came_with_the_position_of_a_write_sees_it(open_database: Open) -> None:
    """Whoever answers, in whichever process; and it is one moment that they see."""
    ours, theirs = open_database(), open_database()
    for i in range(20):
        async with ours.writer() as session:
            await put(session, f"{i:02}")
        need = Freshness(60.0, after=session.position)
        async with theirs.reader(need) as session:
            before = await names(session)
            async with ours.writer() as other:
                await put(other, f"{i:02}+")
            assert await names(session) == before
        assert f"{i:02}" in before
        assert 0 <= session.age_s <= 60


async def test_a_block_that_raises_leaves_nothing(open_database: Open) -> None:
    """Both writes or none; the database goes on."""
    database = open_database()
    with pytest.raises(IntegrityViolated):  # noqa: PT012 (the block is what raises)
        async with database.writer() as session:
            await put(session, "a")
            await put(session, "a")
    async with database.writer() as session:
        assert await names(session) == []
        await put(session, "b")
    async with open_database().reader() as session:
        assert await names(session) == ["b"]


async def test_execute_counts_rows(open_database: Open) -> None:
    async with open_database().writer() as session:
        rows = [{"name": n, "value": b""} for n in "abc"]
        assert await session.execute(insert(preferences).values(rows)) == 3
        assert await session.execute(update(preferences).values(value=b"x")) == 3
        changed = delete(preferences).where(preferences.c.name.in_(["a", "z"]))
        assert await session.execute(changed) == 1


async def test_returning_reads_what_was_written(open_database: Open) -> None:
    async with open_database().writer() as session:
        row = await session.row(
            insert(notices).values(topic="t", body=b"", created_at=1.0).returning(notices.c.id)
        )
        assert row is not None
        assert row["id"] >= 1


async def test_a_statement_built_once_runs_with_values(open_database: Open) -> None:
    """Reads, writes and errors are those of a statement with its values in it."""
    add = insert(uploads)
    named = select(uploads).where(uploads.c.id == bindparam("of"), uploads.c.offset == 0)
    several = select(uploads.c.id).where(uploads.c.id.in_(bindparam("of", expanding=True)))
    move = update(uploads).where(uploads.c.id == bindparam("of")).values(expires_at=7, video=None)
    values = dict.fromkeys(uploads.c.keys())
    values |= {"id": "a", "owner": "o", "offset": 0, "metadata": "{}", "partial": True}
    values |= {"concat": "", "created_at": 1, "expires_at": 2.5}

    async with open_database().writer() as session:
        await add_account(session, "o")
        assert await session.execute(add, values) == 1
        assert await session.execute(move, {"of": "a"}) == 1
        assert await session.execute(move, {"of": "b"}) == 0
        with pytest.raises(IntegrityViolated):
            await session.execute(add, values)
        with pytest.raises(KeyError):
            await session.row(named, {})
        await session.execute(add, values | {"id": "b", "partial": False})
        plain = await session.rows(select(uploads).order_by(uploads.c.id))
        built = [await session.row(named, {"of": name}) for name in "ab"]
        assert built == plain
        assert [(row["partial"], row["expires_at"]) for row in plain] == [(True, 7.0), (False, 2.5)]
        assert await session.row(named, {"of": "c"}) is None
        found = await session.rows(several, {"of": ["a", "b", "c"]})
        assert [row["id"] for row in found] == ["a", "b"]


async def test_text_sorts_by_its_bytes(open_database: Open) -> None:
    """Everywhere alike, so that pages of rows mean the same: not as a language would have it."""
    async with open_database().writer() as session:
        for name in ("b", "a-b", "B", "ab", "é", "_"):
            await put(session, name)
        assert await names(session) == ["B", "_", "a-b", "ab", "b", "é"]
        few = select(preferences.c.name).where(preferences.c.name < "a")
        assert {row["name"] for row in await session.rows(few)} == {"B", "_"}


async def test_a_sum_is_a_whole_number(open_database: Open) -> None:
    """Of no rows it is nothing."""
    total = select(func.sum(upload_extents.c.size).label("n"))
    async with open_database().writer() as session:
        assert await session.row(total) == {"n": None}
        await add_account(session, "o")
        values = {"id": "u", "owner": "o", "created_at": 0, "expires_at": 0}
        await session.execute(insert(uploads).values(**values))
        for start in (0, 1 << 40):
            extent = {"upload": "u", "start": start, "size": 1 << 40, "key": str(start)}
            await session.execute(insert(upload_extents).values(**extent))
        row = await session.row(total)
        assert row is not None
        assert (row["n"], type(row["n"])) == (1 << 41, int)


async def test_a_reader_sees_one_moment(open_database: Open) -> None:
    """Commits of others do not show inside the block, even between two statements."""
    async with open_database().reader() as session:
        assert await names(session) == []
        async with open_database().writer() as other:
            await put(other, "a")
        assert await names(session) == []
    async with open_database().reader() as session:
        assert await names(session) == ["a"]


async def test_a_unique_row_stays_unique(open_database: Open) -> None:
    """The second is refused with an error of ours, and the block may go on without it."""
    async with open_database().writer() as session:
        await put(session, "a", b"first")
        with pytest.raises(IntegrityViolated):
            await put(session, "a", b"second")
        await put(session, "b")
    async with open_database().reader() as session:
        assert await names(session) == ["a", "b"]


async def test_writers_take_turns(open_database: Open) -> None:
    """Read-then-write of many tasks in two processes loses no update."""
    ours, theirs = open_database(), open_database()
    async with ours.writer() as session:
        await put(session, "n", b"0")

    async def add_one(database: Database) -> None:
        async with database.writer() as session:
            row = await session.row(select(preferences.c.value))
            assert row is not None
            value = str(int(row["value"]) + 1).encode()
            await session.execute(update(preferences).values(value=value))

    await asyncio.gather(*(add_one(ours if i % 2 else theirs) for i in range(60)))

    async with ours.reader() as session:
        row = await session.row(select(preferences.c.value))
    assert row == {"value": b"60"}


async def test_one_failing_writer_of_many_takes_back_only_its_own(open_database: Open) -> None:
    """Writers whose commits share a flush do not share their failures."""
    database = open_database()

    async def write(i: int) -> None:
        async with database.writer() as session:
            await put(session, f"{i:02}")
            if i % 3 == 0:
                raise KeyError(i)

    results = await asyncio.gather(*(write(i) for i in range(30)), return_exceptions=True)

    assert [isinstance(r, KeyError) for r in results] == [i % 3 == 0 for i in range(30)]
    async with open_database().reader() as session:
        assert await names(session) == [f"{i:02}" for i in range(30) if i % 3]


async def test_a_cancelled_writer_blocks_nobody(open_database: Open) -> None:
    """Whether it waits for its turn, is inside its block, or waits for the flush."""
    database = open_database()

    async def write(name: str) -> None:
        async with database.writer() as session:
            await put(session, name)
            await asyncio.sleep(0)

    for turns in range(12):
        tasks = [asyncio.ensure_future(write(f"{turns}-{i}")) for i in range(4)]
        for _ in range(turns):
            await asyncio.sleep(0)
        tasks[turns % 4].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        kept = [i for i, result in enumerate(results) if result is None]
        async with database.reader() as session:
            there = await names(session)
        assert {f"{turns}-{i}" for i in kept} <= set(there)


async def test_a_writer_inside_a_writer_is_refused_at_once(open_database: Open) -> None:
    """It could never get its turn; a mistake in the code is told as one."""
    database = open_database()
    async with database.writer() as session:
        with pytest.raises(RuntimeError, match="inside a writer"):
            async with database.writer():
                pass
        await put(session, "a")


async def test_a_lock_that_is_not_had_in_time_is_unavailable(open_database: Open) -> None:
    async with open_database().writer() as session:
        await put(session, "a")
        with pytest.raises(Unavailable):
            async with open_database(deadline_s=0.2).writer():
                pass


async def turns_during(work: Coroutine[Any, Any, None]) -> int:
    """Count how often the loop comes round while *work* runs: a busy machine slows both."""
    working, turns = asyncio.ensure_future(work), 0
    while not working.done():
        turns += 1
        await asyncio.sleep(0)
    await working
    return turns


async def test_the_event_loop_never_waits(open_database: Open) -> None:
    """A read of a second, and a lock held elsewhere, leave the loop free."""
    database = open_database()
    async with database.writer() as session:
        await session.execute(
            insert(preferences).values([{"name": f"{i}", "value": b""} for i in range(500)])
        )

    async def long_read() -> None:
        a, b, c = preferences.alias(), preferences.alias(), preferences.alias()
        async with database.reader() as session:
            few = a.join(b, a.c.value == b.c.value).join(c, c.c.name < "11")
            row = await session.row(select(func.count().label("n")).select_from(few))
        assert row is not None
        assert row["n"] % 250_000 == 0

    async def held_lock() -> None:
        async with open_database().writer():
            with pytest.raises(Unavailable):
                async with open_database(deadline_s=0.2).writer():
                    pass

    for wait in (long_read, held_lock):
        assert await turns_during(wait()) > MANY_TURNS


async def test_migrating_again_changes_nothing(open_database: Open) -> None:
    async with open_database().writer() as session:
        await put(session, "a")
    await asyncio.gather(*(open_database().migrate() for _ in range(3)))
    async with open_database().reader() as session:
        assert await names(session) == ["a"]


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with fresh(request.param, tmp_path / "new", request) as url:
        yield url


async def test_two_processes_migrate_a_new_database_once(empty_url: str) -> None:
    databases = [open_at(empty_url) for _ in range(3)]
    await asyncio.gather(*(database.migrate() for database in databases))
    async with databases[0].reader() as session:
        assert await names(session) == []
    for database in databases:
        await database.close()


async def test_a_newer_schema_is_refused(open_database: Open) -> None:
    async with open_database().writer() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SettingsError, match="newer"):
        await open_database().migrate()


async def test_check_names_the_engine(open_database: Open) -> None:
    assert (await open_database().check()).split()[0] in ("SQLite", "PostgreSQL")


async def test_a_backup_under_writers_is_one_moment(open_database: Open, tmp_path: Path) -> None:
    """Two rows are always written together; the copy never holds one without the other."""
    database = open_database()
    stop = False

    async def write(part: int) -> None:
        i = 0
        while not stop:
            async with database.writer() as session:
                await put(session, f"left {part} {i}")
                await put(session, f"right {part} {i}")
            i += 1

    writing = [asyncio.ensure_future(write(part)) for part in range(3)]
    copies = [tmp_path / "copies" / f"{i}.db" for i in range(3)]
    copies[0].parent.mkdir()
    for path in copies:
        await database.backup_to(str(path))
    stop = True
    await asyncio.gather(*writing)

    sizes = []
    for path in copies:
        copy = SqliteDatabase(path)
        await copy.migrate()
        async with copy.reader() as session:
            there = await names(session)
        await copy.close()
        assert {n.removeprefix("left") for n in there if n.startswith("left")} == {
            n.removeprefix("right") for n in there if n.startswith("right")
        }
        sizes.append(len(there))
    assert sizes == sorted(sizes)


async def test_a_copy_of_any_database_is_taken_over_by_any_other(
    open_database: Open, empty_url: str, tmp_path: Path
) -> None:
    """Every row as it was, and no number given twice: consumers remember how far they came."""
    tables = (accounts, uploads, preferences, notices, events)
    async with open_database().writer() as session:
        await put(session, "é", bytes(range(256)))
        await add_account(session, "o")
        values = {"id": "u", "owner": "o", "created_at": 1.5, "expires_at": 2, "length": 1 << 50}
        await session.execute(insert(uploads).values(**values, partial=True))
        for _ in range(3):
            await session.execute(insert(events).values(topic="t", body=b"", created_at=0.0))
            await session.execute(insert(notices).values(topic="t", body=b"b", created_at=0.0))
        await session.execute(delete(events))
        before = [await session.rows(select(table)) for table in tables]
    await open_database().backup_to(str(tmp_path / "copy"))

    taking = open_at(empty_url)
    await taking.restore_from(str(tmp_path / "copy"))
    async with taking.writer() as session:
        assert [await session.rows(select(table)) for table in tables] == before
        for table in (events, notices):
            new = insert(table).values(topic="t", body=b"", created_at=0.0).returning(table.c.id)
            assert await session.row(new) == {"id": 4}
    with pytest.raises(Conflict):
        await taking.restore_from(str(tmp_path / "copy"))
    await taking.migrate()
    await taking.close()


CHILD = """
import asyncio, sys
from sqlalchemy import insert
from headwater.compose.engines import open_database
from headwater.engines.database.schema import preferences

async def write(database, part):
    i = 0
    while True:
        async with database.writer() as session:
            await session.execute(insert(preferences).values(name=f"{part}-{i}", value=b"x" * 300))
        print(f"{part}-{i}", flush=True)
        i += 1

async def main():
    database = open_database(*sys.argv[1].split())
    await asyncio.gather(*(write(database, part) for part in range(5)))

asyncio.run(main())
"""


@pytest.mark.parametrize("acknowledged", [1, 40, 400])
async def test_what_was_acknowledged_survives_kill(
    open_database: Open, database_url: str, acknowledged: int
) -> None:
    """Every row whose block had ended when the process was killed is there."""
    url = database_url.replace("following:", "sqlite:").removeprefix("replicated:")
    seen = said_before_kill(CHILD, url, lines=acknowledged)

    async with open_database().reader() as session:
        assert set(seen) <= set(await names(session))
