"""Events as rows: the outbox, and each consumer's position in it.

Flow      record() adds a row in the caller's transaction → a consumer's loop leases the consumer,
          reads the events after its position, handles them one by one, moves the position.
Promises  a row per event, not per event and consumer: only what fails gets one (deliveries).
"""

import asyncio
import contextlib
from collections.abc import Sequence

import structlog

from headwater.engines.clock import Clock
from headwater.engines.database.port import Database, Row, Session
from headwater.engines.events import letters_repository as letters
from headwater.engines.events import outbox_repository as outbox
from headwater.engines.events.facts import Facts
from headwater.engines.events.port import Handler
from headwater.engines.events.positions_repository import Position
from headwater.engines.reach import Reach
from headwater.forces.backoff import jitter, pause_s
from headwater.model.errors import HeadwaterError

POLL_S = 0.5  # for facts of other processes; those of our own come with wake()
BATCH = 50
LEASE_S = 10.0
ATTEMPTS = 10  # with the pauses below: about twenty minutes
FIRST_PAUSE_S = 1.0
MOST_PAUSE_S = 300.0

log = structlog.get_logger(__name__)


class TableEvents(Facts):
    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__(database, clock)
        self._consumers: list[_Consumer] = []
        self._loops: list[asyncio.Task[None]] = []

    @property
    def reach(self) -> Reach:
        return self._database.reach

    def consume(self, consumer: str, topics: tuple[str, ...], handler: Handler) -> None:
        self._consumers.append(_Consumer(consumer, topics, handler, self._database, self._clock))

    async def start(self) -> None:
        self._loops += [asyncio.create_task(consumer.run()) for consumer in self._consumers]
        self._loops.append(asyncio.create_task(self._prune()))

    async def wake(self) -> None:
        for consumer in self._consumers:
            consumer.woken.set()

    async def check(self) -> str:
        return f"a table of {await self._database.check()}"

    async def close(self) -> None:
        for consumer in self._consumers:
            consumer.stop()
        if self._loops:
            self._loops[-1].cancel()  # pruning waits an hour and loses nothing
            await asyncio.wait(self._loops)


class _Consumer:
    """The loop of one consumer in this process."""

    def __init__(
        self,
        name: str,
        topics: tuple[str, ...],
        handler: Handler,
        database: Database,
        clock: Clock,
    ) -> None:
        self._name, self._handler = name, handler
        self._news = outbox.after(topics)
        self._database, self._clock = database, clock
        self._position = Position(name, database, clock, lease_s=LEASE_S)
        self._stopping = False
        self.woken = asyncio.Event()

    def stop(self) -> None:
        self._stopping = True
        self.woken.set()

    async def run(self) -> None:
        while not self._stopping:
            self.woken.clear()
            more = False
            try:
                more = await self._is_wanted() and await self._take_turn()
            except HeadwaterError as error:  # the database is away: look again at the next poll
                log.warning("events.turn", consumer=self._name, error=str(error))
            except Exception:  # a loop that ends in silence would be worse than one that repeats
                log.exception("events.turn", consumer=self._name)
            if not more:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await self.woken.wait()

    async def _is_wanted(self) -> bool:
        """Say whether there is anything to do, without writing."""
        async with self._database.reader() as session:
            await self._position.read(session)
            return bool(await self._following(session, 1) or await self._due(session, 1))

    async def _following(self, session: Session, limit: int) -> Sequence[Row]:
        return await session.rows(self._news, {"position": self._position.at, "most": limit})

    async def _due(self, session: Session, limit: int) -> Sequence[Row]:
        values = {"for": self._name, "now": self._clock.now(), "most": limit}
        return await session.rows(letters.DUE, values)

    async def _take_turn(self) -> bool:
        """Handle a batch if no other process works for this consumer; say whether we did."""
        async with self._database.writer() as session:
            if not await self._position.lease(session):
                return False
            following = await self._following(session, BATCH)
            due = await self._due(session, BATCH)
        async with self._position.kept():
            for row in following:
                if self._stopping:
                    break
                if (error := await self._handle(row)) is not None:
                    await self._put_aside(row, error)
                self._position.at = row["id"]
            for row in due:
                if self._stopping:
                    break
                await self._retried(row, await self._handle(row))
        return True

    async def _handle(self, row: Row) -> str | None:
        """Return None if the handler took it, else the reason it gave."""
        try:
            await self._handler(outbox.event_of(row))
        except Exception as error:
            log.exception(
                "events.failed", consumer=self._name, number=row["id"], topic=row["topic"]
            )
            return letters.reason(error)
        return None

    async def _put_aside(self, row: Row, error: str) -> None:
        """Remember that *row* failed, and move past it, in one transaction."""
        self._position.at = row["id"]
        async with self._database.writer() as session:
            await self._put(session, row, 1, error)
            await self._position.save(session)

    async def _retried(self, row: Row, error: str | None) -> None:
        async with self._database.writer() as session:
            if error is None:
                await letters.forget(session, self._name, str(row["id"]))
            else:
                await self._put(session, row, row["attempts"] + 1, error)

    async def _put(self, session: Session, row: Row, attempts: int, error: str) -> None:
        pause = pause_s(attempts, first_s=FIRST_PAUSE_S, most_s=MOST_PAUSE_S, jitter=jitter())
        await letters.put(
            session,
            self._name,
            str(row["id"]),
            attempts=attempts,
            error=error,
            run_at=self._clock.now() + pause,
            dead=attempts >= ATTEMPTS,
        )
