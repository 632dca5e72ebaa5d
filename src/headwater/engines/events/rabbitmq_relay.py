"""The relay: what is in the outbox goes to the broker, in order, and only then counts as gone.

Flow      a turn: lease the relay's position → make and fill the queues of new consumers → give
          dead letters that were asked for to their queues → publish what follows the position.
Promises  one process relays at a time, and another within LEASE_S when that one dies; a fact is
          passed only once a queue has confirmed it, or nobody wants it. Killed between the two,
          it publishes again: consumers may see a fact twice, and never miss one.
"""

import asyncio
import contextlib
from collections.abc import Sequence

import structlog
from aio_pika.abc import AbstractChannel

from headwater.engines.clock import Clock
from headwater.engines.database.port import Database, Row
from headwater.engines.events import letters_repository as letters
from headwater.engines.events import outbox_repository as outbox
from headwater.engines.events import queues_repository as queues
from headwater.engines.events import rabbitmq_topology as topology
from headwater.engines.events.positions_repository import Position
from headwater.engines.events.rabbitmq_connection import (
    Link,
    Unroutable,
    away_pause_s,
    closed,
    translated,
)
from headwater.model.errors import HeadwaterError

POLL_S = 0.5  # for facts of other processes; those of our own come with wake()
BATCH = 200
LEASE_S = 5.0
NO_QUEUE_PAUSE_S = 60.0

log = structlog.get_logger(__name__)


class Relay:
    def __init__(self, link: Link, database: Database, clock: Clock) -> None:
        self._link, self._database, self._clock = link, database, clock
        self._position = Position(queues.RELAY, database, clock, lease_s=LEASE_S)
        self._channel: AbstractChannel | None = None
        self._stopped = asyncio.Event()
        self.woken = asyncio.Event()

    def stop(self) -> None:
        self._stopped.set()
        self.woken.set()

    async def run(self) -> None:
        failures = 0
        while not self._stopped.is_set():
            self.woken.clear()
            more, wait_s, sooner = False, POLL_S, self.woken
            try:
                more = await self._is_wanted() and await self._take_turn()
                failures = 0
            except HeadwaterError as error:  # the broker or the database is away
                failures += 1
                wait_s, sooner = away_pause_s(failures), self._stopped
                log.warning("events.relay", error=str(error), failures=failures)
            except Exception:  # a loop that ends in silence would be worse than one that repeats
                log.exception("events.relay")
            if not more:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await sooner.wait()

    async def _is_wanted(self) -> bool:
        """Say whether there is anything to do, without writing."""
        async with self._database.reader() as session:
            if not await self._position.read(session):
                return True
            due = await letters.due_of_all(session, now=self._clock.now(), limit=1)
            news = await session.rows(outbox.ALL_AFTER, {"position": self._position.at, "most": 1})
            return bool(due or news or any(not q.bound for q in await queues.known(session)))

    async def _take_turn(self) -> bool:
        """Do a batch if no other process relays; say whether there may be more."""
        channel, is_new = await self._open()  # whoever has no broker leaves the turn to others
        async with self._database.writer() as session:
            newest = await outbox.newest(session)  # where consumers begin, they say themselves
            if not await self._position.lease(session, new_at=newest):
                return False
        try:
            async with self._position.kept():
                if is_new:
                    await self._repair(channel)
                await self._introduce(channel)
                await self._replay(channel)
                return await self._publish_news(channel)
        except HeadwaterError:
            self._channel = None  # the next one begins with a repair
            await closed(channel)
            raise

    async def _open(self) -> tuple[AbstractChannel, bool]:
        if self._channel is not None and not self._channel.is_closed:
            return self._channel, False
        channel = await self._link.channel()
        with translated():
            await topology.declare_shared(channel)
        self._channel = channel
        return channel, True

    async def _repair(self, channel: AbstractChannel) -> None:
        """Bind what should be bound; a queue that is gone, or all of a new broker's, is forgotten.

        Consumers that live will register again, and get everything that is kept.
        """
        for queue in await self._known():
            if not queue.bound:
                continue
            if await topology.has_queue(self._link, queue.consumer):
                with translated():
                    await topology.bind(channel, queue.consumer, queue.topics)
            else:
                log.warning("events.queue_is_gone", consumer=queue.consumer)
                async with self._database.writer() as session:
                    await queues.forget(session, queue.consumer)

    async def _introduce(self, channel: AbstractChannel) -> None:
        """Give each new consumer what was published before it came, past the others; then bind it.

        Nothing else is published meanwhile, so it gets its events in order. Cut short, it starts
        over: twice is allowed, a gap is not.
        """
        for queue in await self._known():
            if queue.bound:
                continue
            with translated():
                await topology.declare_queue(channel, queue.consumer)
            statement, at = outbox.after(queue.topics), queue.position
            while rows := await self._rows(statement, at, up_to=self._position.at):
                await self._send(channel, rows, exchange="", to=queue.consumer)
                at = rows[-1]["id"]
            with translated():
                await topology.bind(channel, queue.consumer, queue.topics)
            async with self._database.writer() as session:
                await queues.bind(session, queue.consumer, self._position.at)

    async def _rows(self, statement: outbox.Statement, at: int, *, up_to: int) -> Sequence[Row]:
        async with self._database.reader() as session:
            rows = await session.rows(statement, {"position": at, "most": BATCH})
        return [row for row in rows if row["id"] <= up_to]

    async def _replay(self, channel: AbstractChannel) -> None:
        """Give what shall be tried again to its consumer's queue, and forget that it should."""
        async with self._database.reader() as session:
            due = await letters.due_of_all(session, now=self._clock.now(), limit=BATCH)
        for row in due:
            event, consumer = outbox.event_of(row), row["consumer"]
            try:
                await self._send(channel, [row], exchange="", to=consumer)
            except Unroutable:  # a consumer of long ago
                async with self._database.writer() as session:
                    await letters.postpone(
                        session, consumer, event.id, run_at=self._clock.now() + NO_QUEUE_PAUSE_S
                    )
            else:
                async with self._database.writer() as session:
                    await letters.forget(session, consumer, event.id)

    async def _publish_news(self, channel: AbstractChannel) -> bool:
        async with self._database.reader() as session:
            values = {"position": self._position.at, "most": BATCH}
            rows = await session.rows(outbox.ALL_AFTER, values)
        await self._send(channel, rows, exchange=topology.EXCHANGE)
        if rows:
            self._position.at = rows[-1]["id"]
        return len(rows) == BATCH

    async def _send(
        self, channel: AbstractChannel, rows: Sequence[Row], *, exchange: str, to: str = ""
    ) -> None:
        """Publish *rows* and wait until each is confirmed.

        Raises:
            Unavailable: one was not; those before and after it may have been.
            Unroutable: no queue takes one, and somebody wants it.
        """
        key = topology.queue_of(to) if to else ""
        published = await asyncio.gather(
            *(self._sent(channel, row, exchange=exchange, key=key) for row in rows),
            return_exceptions=True,
        )
        for row, failure in zip(rows, published, strict=True):
            if isinstance(failure, Unroutable) and not to and not await self._is_of_use(row):
                continue
            if failure is not None:
                raise failure

    async def _sent(self, channel: AbstractChannel, row: Row, *, exchange: str, key: str) -> None:
        with translated():
            await topology.publish(
                channel, outbox.event_of(row), exchange=exchange, key=key or row["topic"]
            )

    async def _is_of_use(self, row: Row) -> bool:
        """Say whether a consumer wants it; if not, it is published for whoever binds a queue."""
        return any(row["topic"] in queue.topics for queue in await self._known())

    async def _known(self) -> Sequence[queues.Queue]:
        async with self._database.reader() as session:
            return await queues.known(session)
