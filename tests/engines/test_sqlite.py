"""What only SQLite can do: share flushes, fill the disk, leave the loop for a long read."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from sqlalchemy import func, insert, select

from headwater.engines.database.schema import preferences
from headwater.engines.database.sqlite import READERS, SqliteDatabase
from headwater.model.errors import StorageFull, Unavailable

pytestmark = pytest.mark.anyio


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    database = SqliteDatabase(tmp_path / "headwater.db")
    await database.migrate()
    yield database
    await database.close()


async def write(database: SqliteDatabase, name: str, size: int = 0) -> None:
    async with database.writer() as session:
        await session.execute(insert(preferences).values(name=name, value=bytes(size)))


async def count(database: SqliteDatabase) -> int:
    async with database.reader() as session:
        row = await session.row(select(func.count().label("n")).select_from(preferences))
    assert row is not None
    return int(row["n"])


async def test_writers_that_wait_together_share_a_flush(database: SqliteDatabase) -> None:
    """Sixty-four at once need a handful of commits; one alone needs one."""
    await write(database, "first")
    said: list[str] = []
    assert database._write_connection is not None
    database._write_connection.raw.set_trace_callback(said.append)

    await write(database, "alone")
    assert said.count("COMMIT") == 1
    said.clear()
    await asyncio.gather(*(write(database, str(i)) for i in range(64)))

    assert 1 <= said.count("COMMIT") <= 16
    assert await count(database) == 66


async def test_a_writer_that_changed_nothing_flushes_nothing(database: SqliteDatabase) -> None:
    await write(database, "first")
    said: list[str] = []
    assert database._write_connection is not None
    database._write_connection.raw.set_trace_callback(said.append)
    async with database.writer() as session:
        await session.rows(select(preferences))
    assert "COMMIT" not in said


async def test_statements_are_counted(database: SqliteDatabase) -> None:
    before = database.statements
    await write(database, "a")
    await count(database)
    assert database.statements == before + 2


async def test_a_session_ends_with_its_block(database: SqliteDatabase) -> None:
    async with database.reader() as session:
        pass
    with pytest.raises(RuntimeError, match="ended"):
        await session.rows(select(preferences))


async def test_more_readers_than_connections_wait(database: SqliteDatabase) -> None:
    """Each has its snapshot; the ones above the bound come later, none fails."""
    together, most = 0, 0

    async def read() -> None:
        nonlocal together, most
        async with database.reader() as session:
            together += 1
            most = max(most, together)
            await session.rows(select(preferences))
            await asyncio.sleep(0)
            together -= 1

    await asyncio.gather(*(read() for _ in range(READERS + 20)))
    assert 1 < most <= READERS


async def test_a_long_read_that_is_cancelled_ends(database: SqliteDatabase) -> None:
    """Its thread stops at once and the connection serves the next."""
    many = [{"name": str(i), "value": b""} for i in range(400)]
    async with database.writer() as session:
        await session.execute(insert(preferences).values(many))
    a, b, c, d = (preferences.alias() for _ in range(4))
    same = a.join(b, a.c.value == b.c.value).join(c, b.c.value == c.c.value)
    hours = select(func.count()).select_from(same.join(d, c.c.value == d.c.value))

    async def read() -> None:
        async with database.reader() as session:
            await session.rows(hours)

    for _ in range(3):
        with anyio.move_on_after(0.02) as scope:
            await read()
        assert scope.cancelled_caught
    assert await count(database) == 400


async def test_a_full_disk_refuses_and_keeps(small_disk: Path) -> None:
    """All writers of the flush are told, none is lost in silence, and reading goes on."""
    database = SqliteDatabase(small_disk / "headwater.db")
    await database.migrate()
    await write(database, "kept")

    results = await asyncio.gather(
        *(write(database, str(i), 100_000) for i in range(60)), return_exceptions=True
    )
    refused = [result for result in results if result is not None]
    assert refused
    assert {type(result) for result in refused} == {StorageFull}
    assert await count(database) == 1 + len(results) - len(refused)

    await database.close()
    again = SqliteDatabase(small_disk / "headwater.db")
    assert await count(again) == 1 + len(results) - len(refused)
    await again.close()


async def test_a_block_that_went_on_after_a_full_disk_keeps_nothing(small_disk: Path) -> None:
    """Whoever swallows the error does not get half of a transaction."""
    database = SqliteDatabase(small_disk / "headwater.db")
    await database.migrate()
    with pytest.raises((StorageFull, Unavailable)):  # noqa: PT012 (the block is what raises)
        async with database.writer() as session:
            await session.execute(insert(preferences).values(name="before", value=b""))
            for size in (20_000_000, 0):
                with contextlib.suppress(StorageFull):
                    row = insert(preferences).values(name=f"after {size}", value=bytes(size))
                    await session.execute(row)
    assert await count(database) == 0
    await write(database, "next")
    assert await count(database) == 1
    await database.close()


async def test_what_is_no_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "headwater.db").write_bytes(b"something else entirely" * 1000)
    database = SqliteDatabase(tmp_path / "headwater.db")
    with pytest.raises(Unavailable):
        await database.migrate()
    with pytest.raises(Unavailable):
        await database.check()
    await database.close()


async def test_closing_waits_for_writers(tmp_path: Path) -> None:
    """What had its turn before is durable; who comes after is refused."""
    database = SqliteDatabase(tmp_path / "headwater.db")
    await database.migrate()
    await write(database, "first")
    writing = [asyncio.ensure_future(write(database, str(i))) for i in range(20)]
    await asyncio.sleep(0)
    await database.close()
    results = await asyncio.gather(*writing, return_exceptions=True)

    kept = 1 + sum(result is None for result in results)
    assert {type(r) for r in results if r is not None} <= {Unavailable}
    again = SqliteDatabase(tmp_path / "headwater.db")
    assert await count(again) == kept
    await again.close()


async def test_a_copy_is_made_over_an_older_one_that_was_left_open(
    database: SqliteDatabase, tmp_path: Path
) -> None:
    """What somebody wrote into the older copy before dying is no part of the newer."""
    path = tmp_path / "copy.db"
    await database.backup_to(str(path))
    older = SqliteDatabase(path)
    await write(older, "into the copy")
    await write(database, "into the original")

    await database.backup_to(str(path))

    newer = SqliteDatabase(path)
    async with newer.reader() as session:
        names = [row["name"] for row in await session.rows(select(preferences.c.name))]
    await newer.close()
    await older.close()
    assert names == ["into the original"]
