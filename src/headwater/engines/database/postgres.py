"""PostgreSQL: the database of a fleet, one primary and any number of replicas.

Flow      reader(): a snapshot of the primary, or of a replica that is new enough for who asks;
          writer(): the fleet's writers in one line.
Promises  a block that ended is in the primary's log (and its standbys', as synchronous_commit
          says); a server that does not answer costs a deadline, never a request that hangs.

One writer at a time holds for all processes: an advisory lock that every transaction takes first.
So what repositories read before they write stays true, and events get their numbers in the order
of their commits, which is what consumers count by.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy.sql.base import Executable

from headwater.engines.database.port import Parameters, Row
from headwater.engines.database.postgres_connection import (
    WRITER_LOCK,
    PostgresConnection,
    address_of,
    copies_of,
    translated,
)
from headwater.engines.database.postgres_pool import Pool, place
from headwater.engines.database.postgres_primary import POSITION, Primary, Pulse, position_of
from headwater.engines.database.postgres_replicas import Replicas
from headwater.engines.database.postgres_statements import asked
from headwater.engines.reach import Reach
from headwater.model.errors import HeadwaterError, Unavailable
from headwater.model.freshness import LATEST, UNKNOWN, Freshness, Position

IMPATIENCE_S = 1.0  # for a primary that seems well, where an older answer is better than none
WRITERS = 2  # connections of those: one writes, the next already stands in the fleet's line
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

    def __init__(
        self, database: "PostgresDatabase", connection: PostgresConnection, *, age_s: float = 0.0
    ) -> None:
        self.age_s = age_s
        self.position: Position | None = None
        self._database = database
        self._connection: PostgresConnection | None = connection
        self._has_savepoint = False

    async def rows(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> Sequence[Row]:
        connection, (text, values) = self._in_use(), asked(statement, parameters)
        if getattr(statement, "is_select", False):
            with self._newest_schema():
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

    @contextmanager
    def _newest_schema(self) -> Iterator[None]:
        """Raise Unavailable if this is a copy that a migration has not come to yet."""
        try:
            yield
        except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
            if not self.age_s:
                raise
            raise Unavailable("this copy has not the newest tables yet") from error

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

    def __init__(self, url: str, *, replicas: str = "", deadline_s: float = 5.0) -> None:
        """Use the primary that *url* names and the *replicas*, addresses separated by commas.

        *deadline_s* is the longest wait for a turn or an answer.

        Raises:
            SettingsError: one of them cannot be read.
        """
        self.statements = 0  # how many were run, for tests that promise a number
        self._address = address_of(url)
        self._deadline_s = deadline_s
        limits = LIMITS.format(ms=max(1, round(deadline_s * 1000)))
        self._begin_read = BEGIN_READ.format(limits=limits)
        self._begin_write = BEGIN_WRITE.format(limits=limits)
        self._primary = Primary(self._address, moved=self._let_go)
        self._pool = Pool(self._primary.open, deadline_s=deadline_s)
        self._pulse = Pulse(self._primary, silent=self._let_go)
        self.replicas = Replicas(
            copies_of(replicas),
            primary=self._primary,
            marks=self._pulse.marks,
            begin=self._begin_read,
            deadline_s=deadline_s,
        )
        self._is_watched = bool(self.replicas) or len(self._address.hosts) > 1
        self._writers = asyncio.Semaphore(WRITERS)
        self._writing: set[asyncio.Task[Any] | None] = set()

    @asynccontextmanager
    async def reader(self, need: Freshness = LATEST) -> AsyncIterator[PostgresSession]:
        async with AsyncExitStack() as stack:
            connection, age_s = await self._enter(stack, need)
            session = PostgresSession(self, connection, age_s=age_s)
            if need.after and not age_s and self._is_of_another_life(need.after):
                # With another in its hand the caller may be sent to replicas, or is not suspected.
                session.position = await _position(connection)
            try:
                yield session
            finally:
                session.end()

    @asynccontextmanager
    async def writer(self) -> AsyncIterator[PostgresSession]:
        task = asyncio.current_task()
        if task in self._writing:
            raise RuntimeError("a writer block inside a writer block of the same task never ends")
        self._watch()
        async with (
            self._suspected_if_away(),
            place(self._writers, self._deadline_s, "the database is busy writing"),
            self._pool.begun(self._begin_write) as connection,
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
            if self.replicas:
                session.position = await _position(connection)

    async def acknowledges_alone(self) -> bool:
        """Say whether a commit is acknowledged while no standby has it: a failover may lose it."""
        async with self._pool.begun(self._begin_read) as connection:
            (found,) = await connection.fetch("SHOW synchronous_standby_names", ())
        return not found["synchronous_standby_names"]

    async def migrate(self) -> None:
        from headwater.engines.database import postgres_migrate  # noqa: PLC0415 (alembic)

        await postgres_migrate.to_newest(self._address)

    async def check(self) -> str:
        async with self._pool.begun(self._begin_read) as connection:
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
        await self._pulse.close()
        await self._primary.close()
        await self.replicas.close()
        await self._pool.close()

    async def _enter(
        self, stack: AsyncExitStack, need: Freshness
    ) -> tuple[PostgresConnection, float]:
        """Begin a snapshot that is new enough: a replica's, else the primary's."""
        self._watch()
        may_be_older = need.beyond == "answer" and bool(self.replicas)
        if need.within_s > 0 and (found := await self.replicas.enter(stack, need)):
            return found
        if may_be_older and self._pulse.is_away:
            if found := await self.replicas.enter_newest(stack):
                return found
            may_be_older = False
        await self._has_not_seen_newer(need)
        patience_s = IMPATIENCE_S if may_be_older else self._deadline_s
        try:
            async with asyncio.timeout(patience_s if may_be_older else None):
                begun = self._pool.begun(self._begin_read, patience_s=patience_s)
                return await stack.enter_async_context(begun), 0.0
        except (Unavailable, TimeoutError) as error:
            if may_be_older and (found := await self.replicas.enter_newest(stack)):
                return found
            raise translated(error) from error

    @asynccontextmanager
    async def _suspected_if_away(self) -> AsyncIterator[None]:
        """See, if a write fails, whether another took the primary's place, and its standbys."""
        try:
            yield
        except Unavailable as error:
            if type(error) is Unavailable:  # of the engine itself
                self._primary.suspect()
            raise

    async def _has_not_seen_newer(self, need: Freshness) -> None:
        """Raise Unavailable if the reader has written to a newer primary that is not found.

        Whoever made that up is told the same while one of the hosts is away.
        """
        after = need.after
        if after is None or after.timeline <= self._primary.timeline or need.beyond == "answer":
            return
        all_answered = await self._primary.find_newer()
        if after.timeline > self._primary.timeline and not all_answered:
            raise Unavailable("the newest primary cannot be found", retry_after_s=2)

    def _is_of_another_life(self, after: Position) -> bool:
        """Say whether *after* is of before a failover, or of another database altogether."""
        timeline = self._primary.timeline
        return after.timeline > timeline or (bool(self.replicas) and after.timeline != timeline)

    def _watch(self) -> None:
        """Keep an eye on the primary, where another may take its place or answer for it."""
        if self._is_watched:
            self._pulse.start()

    def _let_go(self) -> None:
        self._pool.abandon()


async def _position(connection: PostgresConnection) -> Position:
    """Return a position that is not before anything committed so far."""
    try:
        (found,) = await connection.fetch(POSITION, ())
    except Unavailable:  # what was committed is committed
        return UNKNOWN
    return position_of(found)
