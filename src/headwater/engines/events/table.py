"""Events as rows: the outbox, and each consumer's position in it.

Flow      record() adds a row in the caller's transaction → a consumer's loop leases the consumer,
          reads the events after its position, handles them one by one, moves the position.
Promises  a row per event, not per event and consumer: only what fails gets one (deliveries).
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import structlog
from sqlalchemy import (
    ColumnElement,
    and_,
    bindparam,
    delete,
    exists,
    false,
    insert,
    or_,
    select,
    update,
)

from headwater.engines.clock import Clock
from headwater.engines.database.port import Database, Row, Session
from headwater.engines.database.schema import consumers, deliveries, events
from headwater.engines.entropy import ordered_id
from headwater.engines.events.port import DeadLetter, Event, Handler
from headwater.engines.reach import Reach
from headwater.forces.backoff import jitter, pause_s
from headwater.model.errors import HeadwaterError, NotFound

POLL_S = 0.5  # for facts of other processes; those of our own come with wake()
BATCH = 50
LEASE_S = 10.0
ATTEMPTS = 10  # with the pauses below: about twenty minutes
FIRST_PAUSE_S = 1.0
MOST_PAUSE_S = 300.0
KEPT_S = 30 * 86_400.0
PRUNE_S = 3600.0
DIGITS = 18  # of a number that fits the column
MISSING = "This consumer gave up no such event; list those it did."

log = structlog.get_logger(__name__)


_dead = (
    select(events, deliveries.c.consumer, deliveries.c.attempts, deliveries.c.error)
    .join(events, events.c.id == deliveries.c.event)
    .where(deliveries.c.dead)
)


# Asked twice a second by every consumer of every process.
_POSITION = select(consumers.c.position).where(consumers.c.name == bindparam("consumer"))
_DUE = (
    select(events, deliveries.c.attempts)
    .join(events, events.c.id == deliveries.c.event)
    .where(
        deliveries.c.consumer == bindparam("for"),
        deliveries.c.dead.is_(False),
        deliveries.c.run_at <= bindparam("now"),
    )
    .order_by(deliveries.c.run_at)
    .limit(bindparam("most"))
)


def _event(row: Row) -> Event:
    return Event(str(row["id"]), row["topic"], row["body"], row["created_at"])


def _letter(row: Row) -> DeadLetter:
    return DeadLetter(
        consumer=row["consumer"],
        event=_event(row),
        attempts=row["attempts"],
        error=row["error"],
    )


def _is_named(consumer: str, event: str) -> ColumnElement[bool]:
    """Select the delivery of *event* to *consumer*; what is no number of ours is nobody's."""
    is_number = event.isascii() and event.isdecimal() and len(event) <= DIGITS
    number = int(event) if is_number else 0
    return and_(deliveries.c.consumer == consumer, deliveries.c.event == number)


class TableEvents:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._consumers: list[_Consumer] = []
        self._loops: list[asyncio.Task[None]] = []

    @property
    def reach(self) -> Reach:
        return self._database.reach

    async def record(self, session: Session, topic: str, body: bytes, *, now: float) -> None:
        await session.execute(insert(events).values(topic=topic, body=body, created_at=now))

    def consume(self, consumer: str, topics: tuple[str, ...], handler: Handler) -> None:
        self._consumers.append(_Consumer(consumer, topics, handler, self._database, self._clock))

    async def start(self) -> None:
        self._loops += [asyncio.create_task(consumer.run()) for consumer in self._consumers]
        self._loops.append(asyncio.create_task(self._prune()))

    async def wake(self) -> None:
        for consumer in self._consumers:
            consumer.woken.set()

    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        newest = _dead.order_by(deliveries.c.event.desc()).limit(limit)
        async with self._database.reader() as session:
            return [_letter(row) for row in await session.rows(newest)]

    async def dead_letter(self, consumer: str, event: str) -> DeadLetter:
        async with self._database.reader() as session:
            row = await session.row(_dead.where(_is_named(consumer, event)))
        if row is None:
            raise NotFound(MISSING)
        return _letter(row)

    async def replay(self, consumer: str, event: str) -> None:
        async with self._database.writer() as session:
            found = await session.execute(
                update(deliveries)
                .where(_is_named(consumer, event), deliveries.c.dead)
                .values(dead=False, attempts=0, run_at=self._clock.now())
            )
        if not found:
            raise NotFound(MISSING)
        await self.wake()

    async def close(self) -> None:
        for consumer in self._consumers:
            consumer.stop()
        if self._loops:
            self._loops[-1].cancel()  # pruning waits an hour and loses nothing
            await asyncio.wait(self._loops)

    async def _prune(self) -> None:
        while True:
            with contextlib.suppress(HeadwaterError):
                async with self._database.writer() as session:
                    await session.execute(_old(self._clock.now() - KEPT_S))
            await asyncio.sleep(PRUNE_S)


def _old(before: float) -> Any:
    """Delete a thousand old events; one that still waits, or died, stays."""
    waits = exists().where(deliveries.c.event == events.c.id)
    old = select(events.c.id).where(events.c.created_at < before, ~waits).limit(1000)
    return delete(events).where(events.c.id.in_(old))


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
        self._news = (
            select(events)
            .where(
                or_(false(), *(events.c.topic == topic for topic in topics)),
                events.c.id > bindparam("position"),
            )
            .order_by(events.c.id)
            .limit(bindparam("most"))
        )
        self._database, self._clock = database, clock
        self._holder = ordered_id()
        self._position = 0
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
            row = await session.row(_POSITION, {"consumer": self._name})
            self._position = row["position"] if row else 0
            return bool(await self._following(session, 1) or await self._due(session, 1))

    async def _following(self, session: Session, limit: int) -> Sequence[Row]:
        return await session.rows(self._news, {"position": self._position, "most": limit})

    async def _due(self, session: Session, limit: int) -> Sequence[Row]:
        values = {"for": self._name, "now": self._clock.now(), "most": limit}
        return await session.rows(_DUE, values)

    async def _take_turn(self) -> bool:
        """Handle a batch if no other process works for this consumer; say whether we did."""
        async with self._database.writer() as session:
            if not await self._lease(session):
                return False
            following = await self._following(session, BATCH)
            due = await self._due(session, BATCH)
        keeping = asyncio.create_task(self._keep_lease())
        try:
            for row in following:
                if self._stopping:
                    break
                if (error := await self._handle(row)) is not None:
                    await self._put_aside(row, error)
                self._position = row["id"]
            for row in due:
                if self._stopping:
                    break
                await self._retried(row, await self._handle(row))
        finally:
            keeping.cancel()
            await asyncio.wait([keeping])
            await self._save(until=None)
        return True

    async def _handle(self, row: Row) -> str | None:
        """Return None if the handler took it, else the reason it gave."""
        try:
            await self._handler(_event(row))
        except Exception as error:
            log.exception(
                "events.failed", consumer=self._name, number=row["id"], topic=row["topic"]
            )
            return f"{type(error).__name__}: {error}"[:2000]
        return None

    async def _lease(self, session: Session) -> bool:
        mine = consumers.c.name == self._name
        row = await session.row(select(consumers).where(mine))
        now = self._clock.now()
        lease = {"leased_by": self._holder, "leased_until": now + LEASE_S}
        if row is None:
            self._position = 0
            await session.execute(insert(consumers).values(name=self._name, **lease))
            return True
        if row["leased_by"] not in (None, self._holder) and row["leased_until"] > now:
            return False
        self._position = row["position"]
        await session.execute(update(consumers).where(mine).values(**lease))
        return True

    async def _keep_lease(self) -> None:
        while True:
            await asyncio.sleep(LEASE_S / 3)
            with contextlib.suppress(HeadwaterError):
                await self._save(until=self._clock.now() + LEASE_S)

    async def _save(self, *, until: float | None) -> None:
        """Store the position and keep the lease until then, or give it back."""
        async with self._database.writer() as session:
            await self._move(session, until=until)

    async def _move(self, session: Session, *, until: float | None) -> None:
        await session.execute(
            update(consumers)
            # Who lost the lease leaves the position to its successor: events come twice, never not.
            .where(consumers.c.name == self._name, consumers.c.leased_by == self._holder)
            .values(
                position=self._position,
                leased_by=None if until is None else self._holder,
                leased_until=until,
            )
        )

    async def _put_aside(self, row: Row, error: str) -> None:
        """Remember that *row* failed, and move past it, in one transaction."""
        self._position = row["id"]
        async with self._database.writer() as session:
            known = and_(deliveries.c.consumer == self._name, deliveries.c.event == row["id"])
            await session.execute(delete(deliveries).where(known))  # it may have come twice
            await session.execute(
                insert(deliveries).values(
                    consumer=self._name, event=row["id"], **self._after(1, error)
                )
            )
            await self._move(session, until=self._clock.now() + LEASE_S)

    async def _retried(self, row: Row, error: str | None) -> None:
        known = and_(deliveries.c.consumer == self._name, deliveries.c.event == row["id"])
        async with self._database.writer() as session:
            if error is None:
                await session.execute(delete(deliveries).where(known))
            else:
                await session.execute(
                    update(deliveries)
                    .where(known)
                    .values(**self._after(row["attempts"] + 1, error))
                )

    def _after(self, attempts: int, error: str) -> dict[str, Any]:
        pause = pause_s(attempts, first_s=FIRST_PAUSE_S, most_s=MOST_PAUSE_S, jitter=jitter())
        return {
            "attempts": attempts,
            "error": error,
            "dead": attempts >= ATTEMPTS,
            "run_at": self._clock.now() + pause,
        }
