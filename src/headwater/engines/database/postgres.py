"""PostgreSQL: the database of a fleet; here its primary, which every read and write asks.

Flow      reader(): a snapshot on a pooled connection; writer(): the fleet's writers in one line.
Promises  a block that ended is in the primary's log (and its standbys', as synchronous_commit
          says); a server that does not answer costs a deadline, never a request that hangs.

One writer at a time holds for all processes: an advisory lock that every transaction takes first.
So what repositories read before they write stays true, and events get their numbers in the order
of their commits, which is what consumers count by.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy.sql.base import Executable

from headwater.engines.database.port import Parameters, Row
from headwater.engines.database.postgres_connection import (
    WRITER_LOCK,
    PostgresConnection,
    address_of,
    open_raw,
    translated,
)
from headwater.engines.database.postgres_statements import asked
from headwater.engines.reach import Reach
from headwater.forces.backoff import jitter, pause_s
from headwater.model.errors import HeadwaterError, Unavailable

CONNECTIONS = 16  # of one process; the next block waits
WRITERS = 2  # of those: one writes, the next already stands in the fleet's line
BEGIN_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {limits}"
# Each statement must see what the last writer left, so the snapshot may not be older than the lock.
BEGIN_WRITE = (
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; {limits};"
    f" SELECT pg_advisory_xact_lock({WRITER_LOCK})"
)
# Set in each transaction: behind a pooler the next may run on another server's connection.
LIMITS = (
    "SET LOCAL lock_timeout = {ms}; SET LOCAL statement_timeout = {ms};"
    " SET LOCAL idle_in_transaction_session_timeout = {ms}"
)


class PostgresSession:
    """One block's view of a connection; useless after the block."""

    def __init__(self, database: "PostgresDatabase", connection: PostgresConnection) -> None:
        self._database = database
        self._connection: PostgresConnection | None = connection
        self._has_savepoint = False

    async def rows(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> Sequence[Row]:
        connection, (text, values) = self._in_use(), asked(statement, parameters)
        if getattr(statement, "is_select", False):
            return [dict(record) for record in await connection.fetch(text, values)]
        async with self._taken_back_if_refused(connection):
            return [dict(record) for record in await connection.fetch(text, values)]

    async def row(self, statement: Executable, parameters: Parameters | None = None) -> Row | None:
        found = await self.rows(statement, parameters)
        return found[0] if found else None

    async def execute(self, statement: Executable, parameters: Parameters | None = None) -> int:
        connection, (text, values) = self._in_use(), asked(statement, parameters)
        async with self._taken_back_if_refused(connection):
            return await connection.execute(text, values)

    def end(self) -> None:
        self._connection = None

    def _in_use(self) -> PostgresConnection:
        if self._connection is None:
            raise RuntimeError("this session's block has ended")
        if self._connection.is_lost:
            raise Unavailable("the database took this block back", retry_after_s=1)
        self._database.statements += 1
        return self._connection

    @asynccontextmanager
    async def _taken_back_if_refused(self, connection: PostgresConnection) -> AsyncIterator[None]:
        """Let the block go on without a write that was refused: PostgreSQL would end it whole."""
        await connection.command(
            "RELEASE SAVEPOINT write; SAVEPOINT write" if self._has_savepoint else "SAVEPOINT write"
        )
        self._has_savepoint = True
        try:
            yield
        except HeadwaterError:
            if not connection.is_lost:
                await connection.command("ROLLBACK TO SAVEPOINT write")
            raise


class PostgresDatabase:
    reach = Reach.FLEET

    def __init__(self, url: str, *, deadline_s: float = 5.0) -> None:
        """Use the primary that *url* names; *deadline_s* is the longest wait for a turn or answer.

        Raises:
            SettingsError: *url* cannot be read.
        """
        self.statements = 0  # how many were run, for tests that promise a number
        self._address = address_of(url)
        self._deadline_s = deadline_s
        limits = LIMITS.format(ms=max(1, round(deadline_s * 1000)))
        self._begin_read = BEGIN_READ.format(limits=limits)
        self._begin_write = BEGIN_WRITE.format(limits=limits)
        self._idle: list[PostgresConnection] = []
        self._places = asyncio.Semaphore(CONNECTIONS)
        self._writers = asyncio.Semaphore(WRITERS)
        self._writing: set[asyncio.Task[Any] | None] = set()
        self._closed = False

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[PostgresSession]:
        async with self._begun(self._begin_read) as connection:
            session = PostgresSession(self, connection)
            try:
                yield session
            finally:
                session.end()

    @asynccontextmanager
    async def writer(self) -> AsyncIterator[PostgresSession]:
        task = asyncio.current_task()
        if task in self._writing:
            raise RuntimeError("a writer block inside a writer block of the same task never ends")
        async with (
            self._place(self._writers, "the database is busy writing"),
            self._begun(self._begin_write) as connection,
        ):
            self._writing.add(task)
            session = PostgresSession(self, connection)
            try:
                yield session
            finally:
                session.end()
                self._writing.discard(task)
            # A transaction that failed ends with ROLLBACK whatever it is told.
            if connection.is_lost or await connection.command("COMMIT") != "COMMIT":
                raise Unavailable("the database took this write back", retry_after_s=1)

    async def migrate(self) -> None:
        from headwater.engines.database import postgres_migrate  # noqa: PLC0415 (alembic)

        await postgres_migrate.to_newest(self._address)

    async def check(self) -> str:
        async with self._begun(self._begin_read) as connection:
            (version,) = await connection.fetch("SHOW server_version", ())
        return f"PostgreSQL {version['server_version'].split()[0]}"

    async def backup_to(self, path: str) -> None:
        from headwater.engines.database import postgres_copies  # noqa: PLC0415 (seldom needed)

        await postgres_copies.write_copy(self._address, Path(path))

    async def restore_from(self, path: str) -> None:
        from headwater.engines.database import postgres_copies  # noqa: PLC0415

        await self.migrate()
        await postgres_copies.read_copy(self._address, Path(path))

    async def close(self) -> None:
        self._closed = True
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()

    @asynccontextmanager
    async def _begun(self, begin: str) -> AsyncIterator[PostgresConnection]:
        """Lend a connection in a transaction, which is rolled back if it is not over by then."""
        async with self._place(self._places, "too many blocks at the same time"):
            connection = await self._begin(begin)
            try:
                yield connection
            finally:
                await self._take_back(connection)

    async def _begin(self, begin: str) -> PostgresConnection:
        """Begin on an open connection or a new one, also while a standby is taking over.

        Nothing was asked yet, so it may be tried again.
        """
        loop = asyncio.get_running_loop()
        deadline, attempt = loop.time() + self._deadline_s, 0
        while True:
            connection = None
            try:
                connection = self._idle.pop() if self._idle else await self._open()
                await connection.command(begin)
            except BaseException as error:
                lost = connection is None or connection.is_lost
                if lost:
                    self._forget_idle()  # opened to the same server, so as good as lost
                elif connection is not None:
                    await self._take_back(connection)
                is_over = self._closed or loop.time() >= deadline
                if is_over or not lost or not isinstance(error, Unavailable):
                    raise
            else:
                return connection
            attempt += 1
            await asyncio.sleep(pause_s(attempt, first_s=0.02, most_s=0.5, jitter=jitter()))

    async def _open(self) -> PostgresConnection:
        if self._closed:
            raise Unavailable("the database is closed")
        try:
            async with asyncio.timeout(self._deadline_s):
                raw = await open_raw(self._address)
        except Exception as error:
            raise translated(error) from error
        return PostgresConnection(raw, deadline_s=self._deadline_s)

    async def _take_back(self, connection: PostgresConnection) -> None:
        """Keep *connection* for the next block, its transaction ended, or throw it away."""
        try:
            if not connection.is_lost and connection.raw.is_in_transaction():
                await connection.command("ROLLBACK")
        except Unavailable:
            return
        if connection.is_lost:
            return
        if self._closed:
            await connection.close()
        else:
            self._idle.append(connection)

    def _forget_idle(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.raw.terminate()

    @asynccontextmanager
    async def _place(self, places: asyncio.Semaphore, otherwise: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._deadline_s if places.locked() else None):
                await places.acquire()
        except TimeoutError:
            raise Unavailable(otherwise, retry_after_s=1) from None
        try:
            yield
        finally:
            places.release()
