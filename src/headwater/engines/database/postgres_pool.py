"""Connections to one PostgreSQL server, lent in a transaction; who comes too late waits.

Flow      begun(): a place → an idle connection or a new one → BEGIN → the block → ROLLBACK.
Promises  a connection nobody is sure of is thrown away; each wait has its deadline.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg

from headwater.engines.database.postgres_connection import PostgresConnection, translated
from headwater.forces.backoff import jitter, pause_s
from headwater.model.errors import Unavailable

CONNECTIONS = 16  # of one process to one server; the next block waits
Open = Callable[[], Awaitable[asyncpg.Connection]]
Before = Callable[[PostgresConnection], Awaitable[None]]


@asynccontextmanager
async def place(places: asyncio.Semaphore, within_s: float, otherwise: str) -> AsyncIterator[None]:
    """Hold one of *places*. Raises Unavailable, saying *otherwise*, if none is free in time."""
    try:
        async with asyncio.timeout(within_s if places.locked() else None):
            await places.acquire()
    except TimeoutError:
        raise Unavailable(otherwise, retry_after_s=1) from None
    try:
        yield
    finally:
        places.release()


class Pool:
    def __init__(self, open_: Open, *, deadline_s: float) -> None:
        """Lend what *open_* connects; *deadline_s* is the longest wait for a turn or an answer."""
        self._connect = open_
        self._deadline_s = deadline_s
        self._idle: list[PostgresConnection] = []
        self._lent: set[PostgresConnection] = set()
        self._places = asyncio.Semaphore(CONNECTIONS)
        self._closed = False

    @property
    def is_full(self) -> bool:
        return self._places.locked()

    @asynccontextmanager
    async def begun(
        self, begin: str, *, before: Before | None = None, patience_s: float | None = None
    ) -> AsyncIterator[PostgresConnection]:
        """Lend a connection after *before* and *begin*; what is not over by then is rolled back.

        An empty *begin* begins nothing. It is tried for *patience_s*, else until the deadline.
        """
        async with place(self._places, self._deadline_s, "too many blocks at the same time"):
            patience_s = self._deadline_s if patience_s is None else patience_s
            connection = await self._begin(begin, before, patience_s)
            self._lent.add(connection)
            try:
                yield connection
            finally:
                self._lent.discard(connection)
                await self._take_back(connection)

    def abandon(self) -> None:
        """Drop every connection, also those at work: the server behind them does not answer."""
        for connection in [*self._lent, *self._idle]:
            connection.raw.terminate()
        self._idle.clear()

    async def close(self) -> None:
        self._closed = True
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()

    async def _begin(
        self, begin: str, before: Before | None, patience_s: float
    ) -> PostgresConnection:
        """Begin on an open connection or a new one, also while a standby is taking over.

        Nothing was asked yet, so it may be tried again.
        """
        loop = asyncio.get_running_loop()
        deadline, attempt = loop.time() + patience_s, 0
        while True:
            connection = None
            try:
                connection = self._idle.pop() if self._idle else await self._open()
                self._lent.add(connection)
                if before is not None:
                    await before(connection)
                if begin:
                    await connection.command(begin)
            except BaseException as error:
                lost = connection is None or connection.is_lost
                if connection is not None:
                    self._lent.discard(connection)
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
                raw = await self._connect()
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
