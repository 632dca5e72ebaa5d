"""Migrations of a PostgreSQL database: the same as SQLite's, by one process at a time."""

import asyncio
from typing import Any

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from headwater.engines.database import migrate
from headwater.engines.database.postgres_connection import (
    WRITER_LOCK,
    Address,
    open_raw,
    translated,
)
from headwater.engines.database.postgres_statements import declare_by
from headwater.model.errors import SettingsError

ARRIVING = "headwater_move"  # a table that is there while rows are being moved here
LOOK = (
    "SELECT current_setting('server_encoding') AS encoding,"
    " current_setting('synchronous_commit') AS commits,"
    " to_regclass('alembic_version') IS NOT NULL AS has_version,"
    f" to_regclass('{ARRIVING}') IS NOT NULL AS is_arriving"
)
DEADLINE_S = 5.0  # for a look; a migration takes as long as it takes


async def to_newest(address: Address, *, may_be_arriving: bool = False) -> None:
    """Migrate the database at *address*; one that is up to date costs two reads.

    Raises:
        SettingsError: a newer Headwater made it, or the server is set up to lose what it was told,
            or rows are still being moved here (unless it *may_be_arriving*).
        StorageFull, Unavailable: nothing was changed.
    """
    known = migrate.revisions()
    try:
        async with asyncio.timeout(DEADLINE_S):
            raw = await open_raw(address)
            try:
                version = await _version(raw, may_be_arriving=may_be_arriving)
                newest = migrate.is_newest(version, known)
            finally:
                raw.terminate()
        if not newest:
            await _upgrade(address, known, may_be_arriving=may_be_arriving)
    except DBAPIError as error:
        origin = error.orig.__cause__ if error.orig is not None else None
        raise translated(origin or error) from error
    except (
        *(asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError),
        *(OSError, TimeoutError),
    ) as error:
        raise translated(error) from error


async def _version(raw: asyncpg.Connection, *, may_be_arriving: bool) -> str | None:
    """Return the revision it is at, None for an empty database. Raises SettingsError."""
    found = await raw.fetchrow(LOOK)
    if found["encoding"] != "UTF8":
        raise SettingsError(f"the PostgreSQL database is in {found['encoding']}: make one in UTF8")
    if found["commits"] == "off":
        raise SettingsError(
            "PostgreSQL is set to answer before anything is on the disk: synchronous_commit "
            "must not be off for Headwater's role or database"
        )
    if found["is_arriving"] and not may_be_arriving:
        raise SettingsError(
            "The rows of another database are being moved into this one, which is not in charge "
            "yet: end `headwater move database` first and leave HEADWATER_DATABASE until then."
        )
    if not found["has_version"]:
        return None
    version: str | None = await raw.fetchval("SELECT version_num FROM alembic_version")
    return version


async def _upgrade(address: Address, known: list[str], *, may_be_arriving: bool) -> None:
    raw: list[asyncpg.Connection] = []

    async def opened() -> asyncpg.Connection:
        raw.append(await open_raw(address))
        return raw[0]

    unnamed: dict[str, Any] = {
        "prepared_statement_cache_size": 0,  # as a pooler of transactions wants it
        "prepared_statement_name_func": lambda: "",
    }
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=opened, poolclass=NullPool, connect_args=unnamed
    )
    declare_by(engine.dialect)
    try:
        async with engine.begin() as connection:
            # Who writes waits as well: an older version knows nothing of the new tables.
            await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")
            version = await _version(raw[0], may_be_arriving=may_be_arriving)
            if not migrate.is_newest(version, known):
                await connection.run_sync(migrate.upgrade)
    finally:
        await engine.dispose()
