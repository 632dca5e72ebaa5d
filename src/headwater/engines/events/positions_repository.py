"""Positions in the outbox: how far each consumer has come, and who works for it now."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import bindparam, insert, select, update

from headwater.engines.clock import Clock
from headwater.engines.database.port import Database, Session
from headwater.engines.database.schema import consumers
from headwater.engines.entropy import ordered_id
from headwater.model.errors import HeadwaterError

_POSITION = select(consumers.c.position).where(consumers.c.name == bindparam("consumer"))


class Position:
    """The place of *name* in the outbox; one holder at a time may move it.

    *at* is where it stands: every event up to that number is done with.
    """

    def __init__(self, name: str, database: Database, clock: Clock, *, lease_s: float) -> None:
        self.at = 0
        self._name = name
        self._database, self._clock, self._lease_s = database, clock, lease_s
        self._holder = ordered_id()

    async def read(self, session: Session) -> bool:
        """Look where it stands; False if nobody has stood there yet."""
        row = await session.row(_POSITION, {"consumer": self._name})
        self.at = row["position"] if row else 0
        return row is not None

    async def lease(self, session: Session, *, new_at: int = 0) -> bool:
        """Take the turn if nobody else has it; one that is new begins at *new_at*."""
        mine = consumers.c.name == self._name
        row = await session.row(select(consumers).where(mine))
        now = self._clock.now()
        lease = {"leased_by": self._holder, "leased_until": now + self._lease_s}
        if row is None:
            self.at = new_at
            await session.execute(
                insert(consumers).values(name=self._name, position=new_at, **lease)
            )
            return True
        if row["leased_by"] not in (None, self._holder) and row["leased_until"] > now:
            return False
        self.at = row["position"]
        await session.execute(update(consumers).where(mine).values(**lease))
        return True

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Keep the lease through the block; then save the position and give the lease back."""
        keeping = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.wait([keeping])
            async with self._database.writer() as session:
                await self._move(session, until=None)

    async def save(self, session: Session) -> None:
        """Store where it stands, and hold the lease for as long again."""
        await self._move(session, until=self._clock.now() + self._lease_s)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._lease_s / 3)
            with contextlib.suppress(HeadwaterError):
                async with self._database.writer() as session:
                    await self.save(session)

    async def _move(self, session: Session, *, until: float | None) -> None:
        await session.execute(
            update(consumers)
            # Who lost the lease leaves the position to its successor: events come twice, never not.
            .where(consumers.c.name == self._name, consumers.c.leased_by == self._holder)
            .values(
                position=self.at,
                leased_by=None if until is None else self._holder,
                leased_until=until,
            )
        )
