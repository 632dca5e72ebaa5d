"""PostgreSQL as the database that takes over rows while they are still written elsewhere.

Flow      begin(): a mark, and references that are looked at when a transaction ends → bring() →
          apply() → count_on() → finish(), when it is in charge.
Promises  what came, and how far, is written in one transaction; after apply() it is as the other
          was at the moment of the changes.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy import Table, func, select

from headwater.engines.database import postgres_migrate
from headwater.engines.database.moving import (
    TABLES,
    Batch,
    Changes,
    Digest,
    Values,
    key_columns,
)
from headwater.engines.database.postgres_connection import (
    WRITER_LOCK,
    address_of,
    open_raw,
    translated,
)
from headwater.engines.database.postgres_statements import asked
from headwater.model.errors import ChecksumMismatch, Conflict

ROWS = 2000
ARRAYS = {str: "text[]", int: "bigint[]", float: "float8[]"}  # of what keys are made of
REFERRED = {key.column.table.name for table in TABLES for key in table.foreign_keys}
REFERENCES = (
    "SELECT conrelid::regclass AS of, conname AS name FROM pg_constraint"
    " WHERE contype = 'f' AND connamespace = current_schema()::regnamespace"
)


class PostgresArriving:
    def __init__(self, url: str) -> None:
        """Use the database at *url*. Raises SettingsError: *url* cannot be read."""
        self._address = address_of(url)
        self._raw: asyncpg.Connection | None = None

    async def mark(self) -> str | None:
        await postgres_migrate.to_newest(self._address, may_be_arriving=True)
        async with self._begun() as raw:
            return await _mark(raw)

    async def begin(self, mark: str) -> None:
        async with self._begun() as raw:
            for table in TABLES:
                text, values = asked(select(table).limit(1), None)
                if await raw.fetchrow(text, *values) is not None:
                    raise Conflict("There are rows already; move into a database nobody has used.")
            await raw.execute(
                f"DROP TABLE IF EXISTS {postgres_migrate.ARRIVING};"
                f"CREATE TABLE {postgres_migrate.ARRIVING}"
                ' (mark text NOT NULL, "table" text UNIQUE, row bigint)'
            )
            await raw.execute(
                f"INSERT INTO {postgres_migrate.ARRIVING} VALUES ($1, NULL, NULL)",  # noqa: S608
                mark,
            )
            await _refer(raw, "DEFERRABLE")

    async def progress(self) -> Mapping[str, int]:
        async with self._begun() as raw:
            rows = await raw.fetch(
                f'SELECT "table", row FROM {postgres_migrate.ARRIVING}'  # noqa: S608
                ' WHERE "table" IS NOT NULL'
            )
            return {row["table"]: row["row"] for row in rows}

    async def bring(self, batch: Batch) -> None:
        table = _table(batch.table)
        async with self._begun() as raw:
            names = [column.name for column in table.columns]
            await raw.copy_records_to_table(table.name, records=batch.rows, columns=names)
            await raw.execute(
                f"INSERT INTO {postgres_migrate.ARRIVING}"  # noqa: S608
                f" SELECT mark, $1, $2 FROM {postgres_migrate.ARRIVING}"
                ' WHERE "table" IS NULL ON CONFLICT ("table") DO UPDATE SET row = excluded.row',
                batch.table,
                batch.last,
            )

    async def apply(self, changes: Changes) -> None:
        async with self._begun() as raw:
            await raw.execute("SET CONSTRAINTS ALL DEFERRED")
            for table in reversed(TABLES):
                gone = changes.gone.get(table.name, [])
                rows = changes.rows.get(table.name, [])
                if table.name not in REFERRED:  # nothing goes with them, and others may need
                    gone = gone + [_key(table, row) for row in rows]  # what makes them unique
                if gone:
                    await raw.executemany(_deletion(table), gone)
            for table in TABLES:
                if rows := changes.rows.get(table.name, []):
                    await raw.executemany(_insertion(table), rows)
            await _compare(raw, changes)

    async def digest(self, table: str) -> Digest:
        digest = Digest()
        text, _ = asked(select(_table(table)), None)
        async with self._begun() as raw:
            batch: list[Values] = []
            async for row in raw.cursor(text, prefetch=ROWS):
                batch.append(tuple(row))
                if len(batch) == ROWS:
                    digest, batch = digest.plus(batch), []
        return digest.plus(batch)

    async def counts(self) -> dict[str, int]:
        async with self._begun() as raw:
            found = {}
            for table in TABLES:
                text, _ = asked(select(func.count()).select_from(table), None)
                found[table.name] = int(await raw.fetchval(text))
            return found

    async def count_on(self, numbers: Mapping[str, int]) -> None:
        async with self._begun() as raw:
            for name, last in numbers.items():
                await raw.execute(
                    "SELECT setval($1, $2, $3)", f"{name}_id_seq", last or 1, last > 0
                )

    async def finish(self) -> None:
        async with self._begun() as raw:
            if not await _is_marked(raw):
                return
            await raw.execute(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")
            await raw.execute(f"DROP TABLE IF EXISTS {postgres_migrate.ARRIVING}")
            await _refer(raw, "NOT DEFERRABLE")

    async def close(self) -> None:
        if self._raw is not None:
            self._raw.terminate()
            self._raw = None

    @asynccontextmanager
    async def _begun(self) -> AsyncIterator[asyncpg.Connection]:
        """Lend the one connection, in a transaction; one that failed in it is thrown away."""
        try:
            if self._raw is None or self._raw.is_closed():
                self._raw = await open_raw(self._address)
            async with self._raw.transaction():
                yield self._raw
        except asyncio.CancelledError:
            await self.close()  # nobody knows what the server is doing with it
            raise
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            await self.close()
            raise translated(error) from error


async def _is_marked(raw: asyncpg.Connection) -> bool:
    return await raw.fetchval("SELECT to_regclass($1)", postgres_migrate.ARRIVING) is not None


async def _mark(raw: asyncpg.Connection) -> str | None:
    if not await _is_marked(raw):
        return None
    mark: str | None = await raw.fetchval(
        f'SELECT mark FROM {postgres_migrate.ARRIVING} WHERE "table" IS NULL'  # noqa: S608
    )
    return mark


async def _refer(raw: asyncpg.Connection, when: str) -> None:
    """Say when references are looked at."""
    for found in await raw.fetch(REFERENCES):
        await raw.execute(f'ALTER TABLE {found["of"]} ALTER CONSTRAINT "{found["name"]}" {when}')


async def _compare(raw: asyncpg.Connection, changes: Changes) -> None:
    """Raise ChecksumMismatch unless what was written is what is there."""
    for name, rows in changes.rows.items():
        table = _table(name)
        for start in range(0, len(rows), ROWS):
            written = rows[start : start + ROWS]
            keys = zip(*(_key(table, row) for row in written), strict=True)
            found = await raw.fetch(_selection(table), *map(list, keys))
            if {tuple(row) for row in found} != set(written):
                raise ChecksumMismatch(f"Rows of {name} are not what was written.")


def _selection(table: Table) -> str:
    """Ask for the rows whose keys are given, a list for each column of the key."""
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    keys = ", ".join(f'"{name}"' for name in key_columns(table))
    lists = ", ".join(
        f"${i}::{ARRAYS[column.type.python_type]}" for i, column in enumerate(table.primary_key, 1)
    )
    return f'SELECT {names} FROM "{table.name}" WHERE ({keys}) IN (SELECT * FROM unnest({lists}))'  # noqa: S608


def _key(table: Table, row: Values) -> Values:
    names = [column.name for column in table.columns]
    return tuple(row[names.index(name)] for name in key_columns(table))


def _is_key(table: Table) -> str:
    return " AND ".join(f'"{name}" = ${i}' for i, name in enumerate(key_columns(table), 1))


def _deletion(table: Table) -> str:
    return f'DELETE FROM "{table.name}" WHERE {_is_key(table)}'  # noqa: S608 (names of ours)


def _insertion(table: Table) -> str:
    names = [f'"{column.name}"' for column in table.columns]
    marks = ", ".join(f"${i}" for i in range(1, len(names) + 1))
    keys = ", ".join(f'"{name}"' for name in key_columns(table))
    changed = ", ".join(f"{name} = excluded.{name}" for name in names)
    return (
        f'INSERT INTO "{table.name}" ({", ".join(names)}) VALUES ({marks})'  # noqa: S608
        f" ON CONFLICT ({keys}) DO UPDATE SET {changed}"
    )


def _table(name: str) -> Table:
    return next(table for table in TABLES if table.name == name)
