"""What PostgreSQL alone can do to us: stand still, die, come back, be set up to forget."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, literal_column, select, table
from sqlalchemy.ext.asyncio import create_async_engine

from headwater.engines.database.postgres import PostgresDatabase
from headwater.engines.database.postgres_connection import (
    CACHED,
    GRACE_S,
    PostgresConnection,
    address_of,
    copies_of,
)
from headwater.engines.database.postgres_pool import CONNECTIONS
from headwater.engines.database.schema import metadata, preferences
from headwater.model.errors import InvalidInput, SettingsError, Unavailable
from headwater.roles import free_port
from tests.support import databases, postgres

pytestmark = pytest.mark.anyio

DEADLINE_S = 1.0


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with databases.fresh("postgres", tmp_path, request, like=databases.MIGRATED) as found:
        yield found


@pytest.fixture
async def database(url: str) -> AsyncIterator[PostgresDatabase]:
    database = PostgresDatabase(url)
    yield database
    await database.close()


@pytest.fixture
def own_server() -> Iterator[postgres.Postgres]:
    """One that a test may freeze and kill."""
    with postgres.server() as running:
        yield running


async def write(database: PostgresDatabase, name: str) -> None:
    async with database.writer() as session:
        await session.execute(insert(preferences).values(name=name, value=b""))


async def names(database: PostgresDatabase) -> list[str]:
    async with database.reader() as session:
        rows = await session.rows(select(preferences.c.name).order_by(preferences.c.name))
    return [row["name"] for row in rows]


async def test_a_frozen_server_costs_a_deadline(own_server: postgres.Postgres) -> None:
    """Each request in flight fails in time and says when to return; afterwards all is as before."""
    database = PostgresDatabase(own_server.url("postgres"), deadline_s=DEADLINE_S)
    await database.migrate()
    await write(database, "before")
    async with database.reader() as session:
        own_server.freeze()
        started = time.monotonic()
        asked = [session.rows(select(preferences)), write(database, "a"), names(database)]
        failed = await asyncio.gather(*asked, return_exceptions=True)
        took_s = time.monotonic() - started
        own_server.thaw()
    assert [type(error) for error in failed] == [Unavailable] * 3
    assert all(error.retry_after_s for error in failed if isinstance(error, Unavailable))
    assert DEADLINE_S < took_s < 3 * (DEADLINE_S + GRACE_S)

    await write(database, "after")
    assert {"before", "after"} <= set(await names(database))
    await database.close()


async def test_a_restarted_server_is_found_again_without_an_error(
    own_server: postgres.Postgres,
) -> None:
    """A block has asked nothing when it begins, so it begins anew on a connection that lives."""
    database = PostgresDatabase(own_server.url("postgres"), deadline_s=30.0)
    await database.migrate()
    await asyncio.gather(*(write(database, f"{i}") for i in range(4)))
    own_server.kill()
    restarting = asyncio.to_thread(own_server.start)
    asked = [write(database, "after"), names(database), database.check()]
    _, _, _, said = await asyncio.gather(restarting, *asked)

    assert said.startswith("PostgreSQL ")
    assert await names(database) == ["0", "1", "2", "3", "after"]
    await database.close()


async def test_a_block_the_server_lost_is_unavailable(own_server: postgres.Postgres) -> None:
    database = PostgresDatabase(own_server.url("postgres"), deadline_s=30.0)
    await database.migrate()
    with pytest.raises(Unavailable):  # noqa: PT012 (the block is what raises)
        async with database.writer() as session:
            await session.execute(insert(preferences).values(name="a", value=b""))
            own_server.kill()
            own_server.start()
            await session.execute(insert(preferences).values(name="b", value=b""))
    assert await names(database) == []
    await database.close()


async def test_a_process_that_stands_still_in_its_block_keeps_nobody_waiting(url: str) -> None:
    """The server ends a transaction nobody speaks in, so the next writer comes to its turn."""
    still, other = PostgresDatabase(url, deadline_s=DEADLINE_S), PostgresDatabase(url)
    with pytest.raises(Unavailable):  # noqa: PT012 (the block is what raises)
        async with still.writer() as session:
            await session.execute(insert(preferences).values(name="a", value=b""))
            await write(other, "b")
    assert await names(other) == ["b"]
    await still.close()
    await other.close()


async def test_the_host_that_takes_writes_is_found(url: str) -> None:
    """Of several in the address, whichever of them answers."""
    nobody = free_port("127.0.0.1")
    database = PostgresDatabase(url.replace("@", f"@127.0.0.1:{nobody},"))
    await write(database, "a")
    assert await names(database) == ["a"]
    await database.close()


async def test_nobody_there_is_unavailable() -> None:
    url = f"postgresql://app@127.0.0.1:{free_port('127.0.0.1')}/x"
    database = PostgresDatabase(url, deadline_s=0.2)
    for asked in (database.migrate(), database.check(), write(database, "a")):
        with pytest.raises(Unavailable):
            await asked


async def test_without_prepared_statements_all_is_the_same(url: str) -> None:
    """As behind a pooler that gives every transaction another connection."""
    database = PostgresDatabase(f"{url}?statement_cache_size=0")
    await database.migrate()
    for name in "abc":
        await write(database, name)
    assert await names(database) == ["a", "b", "c"]
    async with database.reader() as session:
        assert session._in_use().raw._stmt_cache._max_size == 0
    await database.close()


def test_addresses() -> None:
    address = address_of("postgresql://u:p@a:1,b:2/d?sslmode=require&statement_cache_size=0")
    each = ("postgresql://u:p@a:1/d?sslmode=require", "postgresql://u:p@b:2/d?sslmode=require")
    assert (address.hosts, address.cached, address.writes) == (each, 0, True)
    assert address.names == ("a:1", "b:2")
    assert address_of("postgresql://h/d").cached == CACHED
    for wrong in ("mysql://h/d", "postgresql://h/d?statement_cache_size=x"):
        with pytest.raises(SettingsError, match="HEADWATER_DATABASE"):
            address_of(wrong)


def test_addresses_of_replicas() -> None:
    """One server each, of which none need take writes."""
    found = copies_of("postgresql://u@a:1/d, postgres://u@b/d?statement_cache_size=0")
    assert [copy.names for copy in found] == [("a:1",), ("b",)]
    assert [copy.cached for copy in found] == [CACHED, 0]
    assert not any(copy.writes for copy in found)
    assert copies_of("") == ()
    for wrong in ("sqlite:x", "postgresql://a,b/d", "postgresql://a/d,mysql://b/d"):
        with pytest.raises(SettingsError, match="HEADWATER_DATABASE_REPLICAS"):
            copies_of(wrong)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (
            "CREATE DATABASE x TEMPLATE template0 ENCODING LATIN1 LOCALE_PROVIDER libc LOCALE 'C'",
            "UTF8",
        ),
        ("CREATE DATABASE x; ALTER DATABASE x SET synchronous_commit = off", "synchronous_commit"),
    ],
)
async def test_a_server_set_up_to_lose_what_it_is_told_is_refused(
    postgres_server: postgres.Postgres, made: str, reason: str
) -> None:
    for statement in made.split("; "):
        postgres_server.sql(statement)
    try:
        with pytest.raises(SettingsError, match=reason):
            await PostgresDatabase(postgres_server.url("x")).migrate()
    finally:
        postgres_server.sql("DROP DATABASE x")


async def test_text_it_cannot_keep_is_bad_input(database: PostgresDatabase) -> None:
    """A zero byte, and what is longer than its column; the block may go on."""
    async with database.writer() as session:
        for name in ("a\0b", "a" * 61):
            with pytest.raises(InvalidInput):
                await session.execute(insert(preferences).values(name=name, value=b""))
        await session.execute(insert(preferences).values(name="a", value=b""))
    assert await names(database) == ["a"]


async def test_more_readers_than_connections_wait(database: PostgresDatabase) -> None:
    async def read() -> int:
        async with database.reader() as session:
            return len(await session.rows(select(preferences)))

    assert await asyncio.gather(*(read() for _ in range(3 * CONNECTIONS))) == [0] * 3 * CONNECTIONS


async def test_a_session_ends_with_its_block(database: PostgresDatabase) -> None:
    async with database.reader() as session:
        pass
    with pytest.raises(RuntimeError, match="ended"):
        await session.rows(select(preferences))


async def test_a_connection_that_is_dropped_between_two_steps_is_unavailable(url: str) -> None:
    """The driver prepares, then executes; a failover drops every connection meanwhile."""

    class Dropped(asyncpg.Connection):  # type: ignore[misc]
        async def _get_statement(self, *asked: Any, **how: Any) -> Any:
            statement = await super()._get_statement(*asked, **how)
            self.terminate()
            return statement

    raw = await asyncpg.connect(url, connection_class=Dropped)
    with pytest.raises(Unavailable, match="dropped"):
        await PostgresConnection(raw, deadline_s=DEADLINE_S).fetch("SELECT 1 WHERE $1 > 0", (1,))


async def test_a_mistake_in_a_statement_is_no_excuse(database: PostgresDatabase) -> None:
    """What cannot be our caller's fault stays what it is; the block is rolled back whole."""
    with pytest.raises(asyncpg.UndefinedTableError):  # noqa: PT012 (the block is what raises)
        async with database.writer() as session:
            await session.execute(insert(preferences).values(name="a", value=b""))
            await session.rows(select(literal_column("1")).select_from(table("nowhere")))
    assert await names(database) == []


async def test_the_migrated_schema_is_the_declared_one(url: str) -> None:
    """Types, indexes and keys; and every text column sorts by bytes."""

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    engine = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"))
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
        other = await connection.exec_driver_sql(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND data_type IN ('text', 'character varying')"
            " AND collation_name IS DISTINCT FROM 'C'"
        )
        assert other.all() == []
    await engine.dispose()


def test_the_driver_is_imported_only_when_picked() -> None:
    code = (
        "import sys\n"
        "from headwater.compose.engines import open_database\n"
        "open_database('sqlite:x.db')\n"
        "assert 'asyncpg' not in sys.modules\n"
        "open_database('postgresql://h/d')\n"
        "assert 'asyncpg' in sys.modules and 'alembic' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
