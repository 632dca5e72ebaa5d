"""SQLite as the database that is left: a journal of keys, a copy to read in peace, the address.

Flow      begin(): a trigger for every kind of write to every table puts the key of the row into
          move_changes → snapshot(): a copy beside the file, which a mover that died left for the
          next → hold(): SQLite's own write lock, which ends with its process.
Promises  a write is in the journal or in the copy, since the journal begins before it.

The connection of a block is used by one thread at a time; none of this runs on the event loop.
"""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Table

from headwater.engines.database import sqlite_journal
from headwater.engines.database.connection import (
    error_code,
    is_busy,
    is_moved,
    open_raw,
    translated,
)
from headwater.engines.database.moving import (
    NUMBERED,
    TABLES,
    Batch,
    Changes,
    Digest,
    as_declared,
    key_columns,
)
from headwater.engines.database.sqlite import copy_file
from headwater.model.errors import Conflict, Unavailable

T = TypeVar("T")
ROWS = 2000  # in memory at once
TURN_S = 0.002  # between two tries to get the write lock, which has no queue
BUSY_MS = 10_000  # what a short write of ours waits for its turn
STEPS = 4000  # of SQLite's machine between two looks at the clock


class SqliteMoment:
    """A block's view of the file: a snapshot, or what nobody may change."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self._raw = raw

    async def changes(self) -> Changes:
        return await _in_thread(self._changes)

    async def digest(self, table: str) -> Digest:
        return await _in_thread(self._digest, _table(table))

    async def counts(self) -> dict[str, int]:
        return await _in_thread(self._counts)

    async def numbers(self) -> dict[str, int]:
        def found() -> dict[str, int]:
            known = dict(self._raw.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
            return {table.name: int(known.get(table.name, 0)) for table in NUMBERED}

        return await _in_thread(found)

    async def leave_for(self, url: str) -> None:
        def leave() -> None:
            sqlite_journal.leave_for(self._raw, url)
            self._raw.execute("COMMIT")

        await _in_thread(leave)

    def _changes(self) -> Changes:
        sqlite_journal.require_whole(self._raw)
        upto = self._raw.execute("SELECT coalesce(max(id), 0) FROM move_changes").fetchone()[0]
        changes = Changes(upto, {}, {})
        for table in TABLES:
            names = ", ".join(f"key_{i}" for i in range(len(key_columns(table))))
            keys = self._raw.execute(
                f'SELECT {names} FROM move_changes WHERE "table" = ? ORDER BY id',  # noqa: S608
                (table.name,),
            ).fetchall()
            found = [self._row(table, key) for key in keys]
            gone = [key for key, row in zip(keys, found, strict=True) if row is None]
            if rows := as_declared(table, [row for row in found if row is not None]):
                changes.rows[table.name] = rows
            if gone:
                changes.gone[table.name] = gone
        return changes

    def _row(self, table: Table, key: Sequence[Any]) -> Sequence[Any] | None:
        where = " AND ".join(f'"{name}" = ?' for name in key_columns(table))
        found: Sequence[Any] | None = self._raw.execute(
            f"{_selection(table)} WHERE {where}", tuple(key)
        ).fetchone()
        return found

    def _digest(self, table: Table) -> Digest:
        digest = Digest()
        with closing(self._raw.execute(_selection(table))) as rows:
            while batch := rows.fetchmany(ROWS):
                digest = digest.plus(as_declared(table, batch))
        return digest

    def _counts(self) -> dict[str, int]:
        return {
            table.name: self._raw.execute(f'SELECT count(*) FROM "{table.name}"').fetchone()[0]  # noqa: S608
            for table in TABLES
        }


class SqliteLeaving:
    """The file *path* of a server that runs, or of none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._copy = path.with_name(path.name + ".moving")

    async def moved_to(self) -> str | None:
        return await asyncio.to_thread(sqlite_journal.moved_to, self._path)

    async def mark(self) -> str | None:
        return await self._with_file(sqlite_journal.mark)

    async def begin(self, mark: str) -> None:
        def start(raw: sqlite3.Connection) -> None:
            with _writing(raw):
                sqlite_journal.forget(raw)
                sqlite_journal.begin(raw, mark)

        self._copy.unlink(missing_ok=True)
        await self._with_file(start)

    async def snapshot(self) -> int:
        def made() -> int:
            if not self._copy.exists():
                copy_file(self._path, self._copy)
            with closing(sqlite3.connect(self._copy)) as raw:
                return sum(SqliteMoment(raw)._counts().values())  # noqa: SLF001

        return await _in_thread(made)

    async def batches(self, table: str, after: int) -> AsyncIterator[Batch]:
        found = _table(table)
        names = ", ".join(f'"{column.name}"' for column in found.columns)
        with closing(sqlite3.connect(self._copy, check_same_thread=False)) as raw:
            text = f'SELECT rowid, {names} FROM "{table}" WHERE rowid > ? ORDER BY rowid'  # noqa: S608
            rows = await _in_thread(raw.execute, text, (after,))
            while batch := await _in_thread(rows.fetchmany, ROWS):
                yield Batch(table, as_declared(found, (row[1:] for row in batch)), batch[-1][0])

    @asynccontextmanager
    async def moment(self) -> AsyncIterator[SqliteMoment]:
        with closing(await _in_thread(open_raw, self._path)) as raw:
            await _in_thread(raw.execute, "BEGIN")
            yield SqliteMoment(raw)

    async def forget_changes(self, upto: int) -> None:
        def forget(raw: sqlite3.Connection) -> None:
            with _writing(raw):
                raw.execute("DELETE FROM move_changes WHERE id <= ?", (upto,))

        await self._with_file(forget)

    @asynccontextmanager
    async def hold(self, deadline_s: float) -> AsyncIterator[SqliteMoment]:
        with closing(await _in_thread(open_raw, self._path)) as raw:
            await _take_turn(raw, deadline_s)
            over = time.monotonic() + deadline_s
            raw.set_progress_handler(lambda: time.monotonic() > over, STEPS)
            try:
                yield SqliteMoment(raw)
            finally:
                raw.set_progress_handler(None, 0)
                if raw.in_transaction:
                    raw.execute("ROLLBACK")

    async def abandon(self) -> None:
        def forget(raw: sqlite3.Connection) -> None:
            with _writing(raw):
                sqlite_journal.forget(raw)

        await self._with_file(forget)
        await self.clear_away()

    async def clear_away(self) -> None:
        self._copy.unlink(missing_ok=True)

    async def _with_file(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def opened() -> T:
            with closing(open_raw(self._path)) as raw:
                raw.execute(f"PRAGMA busy_timeout={BUSY_MS}").close()
                return work(raw)

        return await _in_thread(opened)


@contextlib.contextmanager
def _writing(raw: sqlite3.Connection) -> Iterator[None]:
    raw.execute("BEGIN IMMEDIATE")
    try:
        if is_moved(raw):
            raise Conflict("The rows have moved away already.")
        yield
        raw.execute("COMMIT")
    finally:
        if raw.in_transaction:
            raw.execute("ROLLBACK")


async def _take_turn(raw: sqlite3.Connection, deadline_s: float) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + deadline_s
    while True:
        try:
            raw.execute("BEGIN IMMEDIATE").close()
        except sqlite3.Error as error:
            if not is_busy(error):
                raise translated(error) from error
            if loop.time() > deadline:
                raise Unavailable("other processes keep the database", retry_after_s=1) from None
            await asyncio.sleep(TURN_S)
        else:
            return


async def _in_thread(work: Callable[..., T], *arguments: Any) -> T:
    """Run *work* in a thread, to its end even if cancelled: it uses the block's connection."""
    running = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
    except sqlite3.Error as error:
        if error_code(error) == sqlite3.SQLITE_INTERRUPT:
            raise Unavailable("that took too long", retry_after_s=1) from error
        raise translated(error) from error


def _selection(table: Table) -> str:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    return f'SELECT {names} FROM "{table.name}"'  # noqa: S608 (names of ours)


def _table(name: str) -> Table:
    return next(table for table in TABLES if table.name == name)
