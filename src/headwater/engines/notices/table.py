"""Notices between the processes of one host: short-lived rows of the database.

A process looks for new rows only while somebody in it listens. Whoever publishes or listens removes
old ones, so that they go even where nothing happens any more.
"""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from sqlalchemy import bindparam, delete, func, insert, select

from headwater.engines.clock import Clock
from headwater.engines.database.port import Database, Session
from headwater.engines.database.schema import notices
from headwater.engines.notices.listeners import Listeners, check_size
from headwater.engines.reach import Reach
from headwater.model.errors import HeadwaterError

POLL_S = 0.05
BATCH = 500
KEPT_S = 60.0  # longer than any process that listens goes without looking

_NEWS = select(notices).where(notices.c.id > bindparam("seen")).order_by(notices.c.id).limit(BATCH)

log = structlog.get_logger(__name__)


class TableNotices:
    def __init__(self, database: Database, clock: Clock, *, poll_s: float = POLL_S) -> None:
        self._database = database
        self._clock = clock
        self._poll_s = poll_s
        self._listeners = Listeners()
        self._seen = 0
        self._pruned_at = -math.inf
        self._looked_at = math.inf
        self._woken = asyncio.Event()
        self._polling: asyncio.Task[None] | None = None

    @property
    def reach(self) -> Reach:
        return self._database.reach

    async def publish(self, topic: str, body: bytes = b"") -> None:
        check_size(topic, body)
        now = self._clock.now()
        async with self._database.writer() as session:
            await session.execute(insert(notices).values(topic=topic, body=body, created_at=now))
            if now - self._pruned_at > KEPT_S:
                await self._prune(session, now)
        self._woken.set()

    @asynccontextmanager
    async def listen(self, *topics: str) -> AsyncIterator[AsyncIterator[tuple[str, bytes]]]:
        newest = await self._newest()
        if not self._listeners:
            self._seen, self._looked_at = newest, math.inf
        with self._listeners.added(topics, since=newest) as listener:
            if self._polling is None or self._polling.done():
                self._polling = asyncio.create_task(self._poll())
            yield listener

    async def close(self) -> None:
        self._listeners.close()
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.wait([self._polling])

    async def _newest(self) -> int:
        async with self._database.reader() as session:
            row = await session.row(select(func.max(notices.c.id).label("newest")))
        return int(row["newest"] or 0) if row else 0

    async def _poll(self) -> None:
        while self._listeners:
            self._woken.clear()
            try:
                full = await self._look()
            except HeadwaterError as error:  # news may be lost, the listener's wait must not end
                log.warning("notices.look", error=str(error))
                full = False
            if not full:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._poll_s):
                        await self._woken.wait()

    async def _look(self) -> bool:
        """Tell what is new; True if there may be more."""
        now = self._clock.now()
        if now - self._pruned_at > KEPT_S:
            async with self._database.writer() as session:
                await self._prune(session, now)
        async with self._database.reader() as session:
            rows = await session.rows(_NEWS, {"seen": self._seen})
        if now - self._looked_at > KEPT_S:  # others may have pruned what we have not seen
            self._listeners.missed()
        self._looked_at = now
        for row in rows:
            self._seen = row["id"]
            self._listeners.tell(row["topic"], row["body"], row["id"])
        return len(rows) == BATCH

    async def _prune(self, session: Session, now: float) -> None:
        await session.execute(delete(notices).where(notices.c.created_at < now - KEPT_S))
        self._pruned_at = now
