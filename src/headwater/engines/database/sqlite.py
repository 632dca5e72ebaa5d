"""SQLite: the whole database in one file, for the processes of one host.

Flow      reader(): a pooled connection and its snapshot; writer(): a turn in group_commit.py.
Promises  WAL, synchronous=FULL, BEGIN IMMEDIATE; the event loop waits for no flush and no lock.
"""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.sql.base import Executable

from headwater.engines.database import sqlite_journal
from headwater.engines.database.connection import (
    Result,
    SqliteConnection,
    engine_for,
    open_raw,
    translated,
)
from headwater.engines.database.group_commit import GroupCommit
from headwater.engines.database.port import Parameters, Row
from headwater.engines.reach import Reach
from headwater.model.errors import Conflict, Unavailable
from headwater.model.freshness import LATEST, Freshness, Position

READERS = 64  # snapshots open at the same time; the next waits
IDLE_READERS = 8  # connections kept warm between them


class SqliteSession:
    """One block's view of a connection; useless after the block."""

    age_s = 0.0
    position: Position | None = None  # of a log that others replay: there are none

    def __init__(self, database: "SqliteDatabase", connection: SqliteConnection) -> None:
        self._database = database
        self._connection: SqliteConnection | None = connection

    def _in_use(self) -> SqliteConnection:
        if self._connection is None:
            raise RuntimeError("this session's block has ended")
        if not self._connection.raw.in_transaction:  # a full disk made SQLite roll it all back
            raise Unavailable("the database took this block back")
        self._database.statements += 1
        return self._connection

    async def rows(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> Sequence[Row]:
        return await self._in_use().run(statement, parameters, _all)

    async def row(self, statement: Executable, parameters: Parameters | None = None) -> Row | None:
        return await self._in_use().run(statement, parameters, _first)

    async def execute(self, statement: Executable, parameters: Parameters | None = None) -> int:
        return await self._in_use().run(statement, parameters, _count)

    def end(self) -> None:
        self._connection = None


def _all(result: Result) -> Sequence[Row]:
    names = [str(name) for name in result.keys()]  # noqa: SIM118 (SQLAlchemy's are no plain str)
    return [dict(zip(names, row, strict=True)) for row in result]


def _first(result: Result) -> Row | None:
    row = result.first()
    names = map(str, result.keys())
    return None if row is None else dict(zip(names, row, strict=True))


def _count(result: Result) -> int:
    return result.rowcount


class SqliteDatabase:
    reach = Reach.HOST

    def __init__(self, path: Path, *, deadline_s: float = 10.0) -> None:
        """Use the file *path*, made by migrate(); *deadline_s* is the longest wait for a turn."""
        self.statements = 0  # how many were run, for tests that promise a number
        self._path = path
        self._deadline_s = deadline_s
        self._engine = engine_for(path)
        self._threads = ThreadPoolExecutor(4, "sqlite-read")
        self._idle: list[SqliteConnection] = []
        self._readers = asyncio.Semaphore(READERS)
        self._write_connection: SqliteConnection | None = None
        self._writers: GroupCommit | None = None
        self._opening = asyncio.Lock()
        self._closed = False

    @asynccontextmanager
    async def reader(self, need: Freshness = LATEST) -> AsyncIterator[SqliteSession]:
        _ = need  # what it reads is always the latest
        try:
            async with asyncio.timeout(self._deadline_s if self._readers.locked() else None):
                await self._readers.acquire()
        except TimeoutError:
            raise Unavailable("too many reads at the same time", retry_after_s=1) from None
        try:
            connection = self._idle.pop() if self._idle else await self._open(writes=False)
            session = SqliteSession(self, connection)
            try:
                await connection.begin()
                yield session
            finally:
                session.end()
                if connection.raw.in_transaction:  # an error of the disk ends it by itself
                    connection.raw.execute("ROLLBACK").close()
                if len(self._idle) < IDLE_READERS and not self._closed:
                    self._idle.append(connection)
                else:
                    connection.close()
        finally:
            self._readers.release()

    @asynccontextmanager
    async def writer(self) -> AsyncIterator[SqliteSession]:
        if self._writers is None or self._write_connection is None:
            writers, connection = await self._open_writers()
        else:
            writers, connection = self._writers, self._write_connection
        await writers.enter()
        session = SqliteSession(self, connection)
        try:
            yield session
        except BaseException as error:
            session.end()
            writers.drop(error)
            raise
        session.end()
        await writers.keep()

    async def migrate(self) -> None:
        from headwater.engines.database import migrate  # noqa: PLC0415 (alembic only when needed)

        await asyncio.to_thread(migrate.to_newest, self._path)

    async def check(self) -> str:
        async with self.reader() as session:
            await session.row(select(func.sqlite_version()))
        return f"SQLite {sqlite3.sqlite_version}"

    async def backup_to(self, path: str) -> None:
        await asyncio.to_thread(copy_file, self._path, Path(path))

    async def restore_from(self, path: str) -> None:
        await asyncio.to_thread(_take_over, Path(path), self._path)

    async def moved_to(self) -> str | None:
        """Return the address that the rows have moved to, None while they are here."""
        return await asyncio.to_thread(sqlite_journal.moved_to, self._path)

    async def close(self) -> None:
        self._closed = True
        if self._writers is not None and self._write_connection is not None:
            await self._writers.close()
            await asyncio.to_thread(self._write_connection.close)
            self._writers = self._write_connection = None
        idle, self._idle = self._idle, []
        for connection in idle:  # the last one to go checkpoints, which flushes
            await asyncio.to_thread(connection.close)
        self._threads.shutdown()

    async def _open(self, *, writes: bool) -> SqliteConnection:
        if self._closed:
            raise Unavailable("the database is closed")

        def opened() -> SqliteConnection:
            connection = SqliteConnection(self._engine, self._threads)
            if not writes:
                connection.raw.execute("PRAGMA query_only=ON").close()
            return connection

        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, opened)
        except Exception as error:
            raise translated(error) from error

    async def _open_writers(self) -> tuple[GroupCommit, SqliteConnection]:
        async with self._opening:
            if self._writers is None or self._write_connection is None:
                self._write_connection = await self._open(writes=True)
                self._writers = GroupCommit(self._write_connection, deadline_s=self._deadline_s)
        return self._writers, self._write_connection


def copy_file(source: Path, target: Path) -> None:
    """Copy in one step, which reads one snapshot; in WAL no writer waits for it."""
    try:
        with (
            draft_of(target) as draft,
            closing(open_raw(source)) as here,
            closing(sqlite3.connect(draft)) as there,
        ):
            here.backup(there, pages=-1)
            sqlite_journal.forget(there)  # of the original, which may be on its way elsewhere
            there.commit()
            there.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
    except sqlite3.Error as error:
        raise translated(error) from error


def _take_over(copy: Path, target: Path) -> None:
    if target.exists():
        raise Conflict("There are rows already; restore into a new folder.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with draft_of(target) as draft:
        shutil.copyfile(copy, draft)


@contextmanager
def draft_of(target: Path) -> Iterator[Path]:
    """Let the block write a file, closed when it ends, that then is *target*, whole and durable."""
    draft = target.with_name(target.name + ".draft")
    draft.unlink(missing_ok=True)
    try:
        yield draft
        sync(draft)
        for log in ("-wal", "-shm"):  # of an older copy that was opened by somebody who then died
            target.with_name(target.name + log).unlink(missing_ok=True)
        draft.replace(target)
        sync(target.parent)
    finally:
        draft.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Make a file's bytes, or a folder's names, survive power loss."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
