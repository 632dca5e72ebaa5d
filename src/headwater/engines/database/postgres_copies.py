"""All rows of PostgreSQL as SQLite's file, and back: one form of backup for every database."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import Boolean, Table, select

from headwater.engines.database import connection, migrate, schema
from headwater.engines.database.postgres_connection import (
    WRITER_LOCK,
    Address,
    open_raw,
    translated,
)
from headwater.engines.database.postgres_statements import asked
from headwater.engines.database.sqlite import draft_of
from headwater.model.errors import Conflict

ROWS = 500  # of a table in memory at once
NUMBERED = tuple(
    table
    for table in schema.metadata.sorted_tables
    if table.dialect_options["sqlite"]["autoincrement"]
)


async def write_copy(address: Address, target: Path) -> None:
    """Write everything committed at one moment into the file *target*, while writers go on.

    Raises:
        StorageFull, Unavailable: there is no file, or the one that was there before.
    """
    with draft_of(target) as draft:
        async with _opened(address) as raw:
            await asyncio.to_thread(migrate.to_newest, draft)
            await _fill(draft, raw)


async def read_copy(address: Address, source: Path) -> None:
    """Bring every row of the file *source* into empty tables.

    Raises:
        Conflict: there are rows already.
        StorageFull, Unavailable: nothing was brought.
    """
    async with _opened(address) as raw, raw.transaction():
        await raw.execute(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")
        with closing(sqlite3.connect(source, check_same_thread=False)) as file:
            for table in schema.CARRIED:
                text, values = asked(select(table).limit(1), None)
                if await raw.fetchrow(text, *values) is not None:
                    raise Conflict("There are rows already; restore into a new database.")
                await _bring(table, file, raw)
            for name, last in file.execute("SELECT name, seq FROM sqlite_sequence"):
                await raw.execute(
                    "SELECT setval($1, $2, $3)", f"{name}_id_seq", last or 1, last > 0
                )


async def _bring(table: Table, file: sqlite3.Connection, raw: asyncpg.Connection) -> None:
    names = [column.name for column in table.columns]
    flags = [i for i, column in enumerate(table.columns) if isinstance(column.type, Boolean)]
    found = file.execute(f'SELECT {_listed(table)} FROM "{table.name}"')  # noqa: S608
    while rows := await asyncio.to_thread(found.fetchmany, ROWS):
        records = [list(row) for row in rows]
        for record in records:
            for i in flags:
                record[i] = bool(record[i])  # SQLite has whole numbers for them
        await raw.copy_records_to_table(table.name, records=records, columns=names)


@asynccontextmanager
async def _opened(address: Address) -> AsyncIterator[asyncpg.Connection]:
    """Open a connection of one's own, without deadlines, and tell errors as the port does."""
    try:
        raw = await open_raw(address)
        try:
            yield raw
        finally:
            raw.terminate()
    except sqlite3.Error as error:
        raise connection.translated(error) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise translated(error) from error


async def _fill(draft: Path, raw: asyncpg.Connection) -> None:
    with closing(sqlite3.connect(draft, isolation_level=None, check_same_thread=False)) as file:
        file.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
        file.execute("BEGIN")
        async with raw.transaction(isolation="repeatable_read", readonly=True):
            for table in schema.CARRIED:  # what others refer to comes first
                text, _ = asked(select(table), None)
                async for rows in _batches(raw.cursor(text, prefetch=ROWS)):
                    await asyncio.to_thread(file.executemany, _insertion(table), rows)
            for table in NUMBERED:
                # Also when all its rows are gone: a consumer has counted further than one.
                last = await raw.fetchval(
                    "SELECT last_value FROM pg_sequences WHERE sequencename = $1",
                    f"{table.name}_id_seq",
                )
                file.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table.name,))
                file.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (table.name, last or 0))
        await asyncio.to_thread(file.execute, "COMMIT")


async def _batches(rows: AsyncIterator[Any]) -> AsyncIterator[Sequence[tuple[Any, ...]]]:
    batch: list[tuple[Any, ...]] = []
    async for row in rows:
        batch.append(tuple(row))
        if len(batch) == ROWS:
            yield batch
            batch = []
    yield batch


def _insertion(table: Table) -> str:
    marks = ", ".join("?" for _ in table.columns)
    return f'INSERT INTO "{table.name}" ({_listed(table)}) VALUES ({marks})'  # noqa: S608 (names of ours)


def _listed(table: Table) -> str:
    return ", ".join(f'"{column.name}"' for column in table.columns)
