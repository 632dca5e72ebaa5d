"""One SQLite connection: statements of SQLAlchemy Core, run where they are cheapest.

A point read takes some ten microseconds, a hop to a thread thirty, so statements run on the event
loop. A read that turns out long is interrupted after INLINE_S and run again in a thread; within a
block both see the same snapshot. A write waits for nothing (its lock is held since BEGIN IMMEDIATE,
only COMMIT flushes), so it runs where it is asked.
"""

import asyncio
import math
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import anyio
import sqlalchemy
from sqlalchemy import text
from sqlalchemy.engine import CursorResult, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.base import Executable

from headwater.engines.database.port import Parameters
from headwater.engines.database.prepared import Answer, prepared
from headwater.model.errors import (
    HeadwaterError,
    IntegrityViolated,
    Moved,
    StorageFull,
    Unavailable,
)

T = TypeVar("T")
Result = CursorResult[Any] | Answer
INLINE_S = 0.002  # what one statement may take of the event loop before it moves to a thread
STEPS = 4000  # virtual machine steps between two looks at the clock: about a quarter millisecond
MOVED = 0x6D6F7665  # "move": the file's user_version once its rows live elsewhere
LOCK_S = 5.0  # only a read during another process's recovery ever waits, and then in a thread

PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA cache_size=-8000",  # 8 MB each; reads mostly go through the map below
    "PRAGMA mmap_size=268435456",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA journal_size_limit=67108864",  # a log grown under a long reader shrinks again
)


def open_raw(path: Path) -> sqlite3.Connection:
    """Open *path* with our settings; waits for locks, so not for the event loop's thread."""
    raw = sqlite3.connect(
        path, timeout=LOCK_S, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    for pragma in PRAGMAS:
        raw.execute(pragma).close()
    raw.execute("SELECT count(*) FROM sqlite_master").close()  # recovers a log left behind, now
    raw.execute("PRAGMA busy_timeout=0").close()  # from here on nobody waits without saying so
    return raw


def is_moved(raw: sqlite3.Connection) -> bool:
    """Say whether the rows have moved away, at the moment that *raw* is looking at."""
    return bool(raw.execute("PRAGMA user_version").fetchone()[0] == MOVED)


def engine_for(path: Path) -> sqlalchemy.Engine:
    """Return the compiler and type system of every connection to *path*; it keeps none open."""
    return sqlalchemy.create_engine(
        "sqlite://", creator=lambda: open_raw(path), poolclass=NullPool, query_cache_size=2000
    )


def error_code(error: BaseException) -> int:
    """Return SQLite's extended result code, 0 for an error that is none of its own."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    return int(getattr(origin, "sqlite_errorcode", 0) or 0)


def is_busy(error: BaseException) -> bool:
    return error_code(error) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


# A quota's EDQUOT and a limit's EFBIG reach us as a failed write, ENOSPC as SQLITE_FULL.
_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE)


def translated(error: BaseException) -> BaseException:
    """Return our error for what callers distinguish, or *error* itself: a mistake in the code."""
    code = error_code(error)
    ours: HeadwaterError
    if code & 0xFF == sqlite3.SQLITE_CONSTRAINT:
        ours = IntegrityViolated(str(error.orig) if isinstance(error, DBAPIError) else str(error))
    elif code in _FULL:
        ours = StorageFull("the disk under the database is full", retry_after_s=30)
    elif is_busy(error):
        ours = Unavailable("the database is busy", retry_after_s=1)
    elif code & 0xFF in (
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    ):
        ours = Unavailable(f"the database cannot be used: {error}")
    else:
        return error
    ours.__cause__ = error
    return ours


class SqliteConnection:
    """Not for two tasks at once. *raw* takes what is no statement: BEGIN, SAVEPOINT, COMMIT."""

    def __init__(self, engine: sqlalchemy.Engine, threads: Executor) -> None:
        self._connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        raw = self._connection.connection.dbapi_connection
        assert isinstance(raw, sqlite3.Connection)
        self.raw: sqlite3.Connection = raw
        self._dialect: Dialect = engine.dialect
        self._threads: Executor = threads
        self._stop_at: float = math.inf
        raw.set_progress_handler(self._is_over, STEPS)

    def _is_over(self) -> bool:
        return time.monotonic() > self._stop_at

    async def run(
        self, statement: Executable, parameters: Parameters | None, take: Callable[[Result], T]
    ) -> T:
        """Run *statement* and return what *take* makes of its result.

        Raises:
            IntegrityViolated, StorageFull, Unavailable: as the ports say.
        """
        # Interrupting a write would roll the whole transaction back, so only reads get a limit.
        is_read = getattr(statement, "is_select", False)
        self._stop_at = time.monotonic() + INLINE_S if is_read else math.inf
        try:
            return self._take(statement, parameters, take)
        except (DBAPIError, sqlite3.Error) as error:
            if error_code(error) != sqlite3.SQLITE_INTERRUPT and not is_busy(error):
                raise translated(error) from error
        finally:
            self._stop_at = math.inf
        return await self._run_in_thread(statement, parameters, take)

    async def begin(self) -> None:
        """Begin to look at one moment. Raises Moved: the rows are not here any more."""
        self.raw.execute("BEGIN").close()
        try:
            moved = is_moved(self.raw)
        except sqlite3.Error as error:
            if not is_busy(error):
                raise translated(error) from error
            found = await self._run_in_thread(text("PRAGMA user_version"), None, list)
            moved = found[0][0] == MOVED
        if moved:
            raise Moved("the rows have moved to another database", retry_after_s=1)

    def _take(
        self, statement: Executable, parameters: Parameters | None, take: Callable[[Result], T]
    ) -> T:
        if parameters is not None and (known := prepared(statement, self._dialect)) is not None:
            with closing(known.execute(self.raw, parameters)) as answer:
                return take(answer)
        with self._connection.execute(statement, parameters) as result:
            return take(result)

    async def _run_in_thread(
        self, statement: Executable, parameters: Parameters | None, take: Callable[[Result], T]
    ) -> T:
        def work() -> T:
            self.raw.execute(f"PRAGMA busy_timeout={LOCK_S * 1000:.0f}").close()
            try:
                return self._take(statement, parameters, take)
            finally:
                self.raw.execute("PRAGMA busy_timeout=0").close()

        running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            self._stop_at = 0.0  # the thread still holds the connection: stop it, then go
            with anyio.CancelScope(shield=True):  # its scopes cancel a wait again and again
                await asyncio.wait([running])
            self._stop_at = math.inf
            if not running.cancelled():
                running.exception()
            raise
        except (DBAPIError, sqlite3.Error) as error:
            raise translated(error) from error

    def close(self) -> None:
        self._connection.close()
