"""Facts as rows of the database, which is where every adapter keeps them, whoever carries them."""

import asyncio
import contextlib
from abc import ABC, abstractmethod

from headwater.engines.clock import Clock
from headwater.engines.database.port import Database, Session
from headwater.engines.events import letters_repository as letters
from headwater.engines.events import outbox_repository as outbox
from headwater.engines.events.port import DeadLetter, Event
from headwater.model.errors import HeadwaterError


class Facts(ABC):
    """The part of the port (port.py) that is about rows: recording, claims and dead letters."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    @abstractmethod
    async def wake(self) -> None: ...

    async def record(self, session: Session, topic: str, body: bytes, *, now: float) -> None:
        await outbox.record(session, topic, body, now=now)

    async def claim(self, session: Session, consumer: str, event: Event, *, now: float) -> bool:
        return await outbox.claim(session, consumer, event, now=now)

    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        async with self._database.reader() as session:
            return await letters.dead(session, limit)

    async def dead_letter(self, consumer: str, event: str) -> DeadLetter:
        async with self._database.reader() as session:
            return await letters.find_dead(session, consumer, event)

    async def replay(self, consumer: str, event: str) -> None:
        async with self._database.writer() as session:
            await letters.revive(session, consumer, event, now=self._clock.now())
        await self.wake()

    async def _forget(self, session: Session, *, before: float) -> bool:
        """Remove some facts from *before*; True if none is left to remove."""
        return await outbox.prune(session, before=before)

    async def _prune(self) -> None:
        """Forget old facts for ever."""
        while True:
            is_done = True
            with contextlib.suppress(HeadwaterError):
                async with self._database.writer() as session:
                    is_done = await self._forget(session, before=self._clock.now() - outbox.KEPT_S)
            await asyncio.sleep(outbox.PRUNE_S if is_done else 0)
