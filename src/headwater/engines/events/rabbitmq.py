"""Events through RabbitMQ: written with the commit, carried by a broker, a queue per consumer.

Flow      record() adds a row in the caller's transaction → the relay publishes it to an exchange
          → the queue of each consumer → its handler. rabbitmq_topology.py draws the broker's part.
Promises  recording needs no broker: while it is away facts gather in the database, and the relay
          catches up. What the broker confirmed it keeps; what it did not is published again.
"""

import asyncio
import contextlib

from headwater.engines.clock import Clock
from headwater.engines.database.port import Database, Session
from headwater.engines.events import letters_repository as letters
from headwater.engines.events import outbox_repository as outbox
from headwater.engines.events import queues_repository as queues
from headwater.engines.events.port import DeadLetter, Event, Handler
from headwater.engines.events.rabbitmq_connection import HEARTBEAT_S, Link, addresses_of
from headwater.engines.events.rabbitmq_consumer import Consumer
from headwater.engines.events.rabbitmq_letters import DeadLetters, Delays
from headwater.engines.events.rabbitmq_queue import QueueLoop
from headwater.engines.events.rabbitmq_relay import Relay
from headwater.engines.reach import Reach
from headwater.model.errors import HeadwaterError

FIRST_PAUSE_S = 1.0
MOST_PAUSE_S = 300.0  # ten tries take about twenty minutes
RELAY_ENDS_S = 5.0  # what it has not published by then, the next one does


class RabbitEvents:
    def __init__(
        self,
        url: str,
        database: Database,
        clock: Clock,
        *,
        first_pause_s: float = FIRST_PAUSE_S,
        most_pause_s: float = MOST_PAUSE_S,
        heartbeat_s: int = HEARTBEAT_S,
    ) -> None:
        """Use the broker that *url* names; nothing is opened before start().

        Raises:
            SettingsError: *url* cannot be read.
        """
        addresses = addresses_of(url, heartbeat_s=heartbeat_s)
        self._database, self._clock = database, clock
        self._pauses = {"first_s": first_pause_s, "most_s": most_pause_s}
        # Two connections: a broker that takes nothing more for now still hears what is done.
        self._publishing, self._consuming = Link(addresses), Link(addresses)
        self._relay = Relay(self._publishing, database, clock)
        self._letters = DeadLetters(self._consuming, database, clock)
        self._consumers: list[Consumer] = []
        self._relaying: list[asyncio.Task[None]] = []
        self._taking: list[asyncio.Task[None]] = []

    @property
    def reach(self) -> Reach:
        return self._database.reach  # facts are its rows first

    async def record(self, session: Session, topic: str, body: bytes, *, now: float) -> None:
        await outbox.record(session, topic, body, now=now)

    async def claim(self, session: Session, consumer: str, event: Event, *, now: float) -> bool:
        return await outbox.claim(session, consumer, event, now=now)

    def consume(self, consumer: str, topics: tuple[str, ...], handler: Handler) -> None:
        self._consumers.append(
            Consumer(
                consumer,
                topics,
                handler,
                link=self._consuming,
                delays=Delays(self._publishing, **self._pauses),
                database=self._database,
                clock=self._clock,
            )
        )

    async def start(self) -> None:
        self._relaying = [
            asyncio.create_task(self._relay.run()),
            asyncio.create_task(self._prune()),
        ]
        self._taking = [asyncio.create_task(loop.run()) for loop in self._loops]

    async def wake(self) -> None:
        self._relay.woken.set()

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

    async def check(self) -> str:
        return await self._publishing.version()

    async def close(self) -> None:
        if self._taking:
            for loop in self._loops:
                loop.stop()
            self._relay.stop()
            await asyncio.wait(self._taking)
            await asyncio.wait(self._relaying[:1], timeout=RELAY_ENDS_S)
            for task in self._relaying:
                task.cancel()
            await asyncio.wait(self._relaying)
        await asyncio.gather(self._consuming.close(), self._publishing.close())

    @property
    def _loops(self) -> list[QueueLoop]:
        return [self._letters.loop, *(consumer.loop for consumer in self._consumers)]

    async def _prune(self) -> None:
        """Forget old facts, but none that is not published yet, however long that takes."""
        while True:
            is_done = True
            with contextlib.suppress(HeadwaterError):
                async with self._database.writer() as session:
                    is_done = await outbox.prune(
                        session,
                        before=self._clock.now() - outbox.KEPT_S,
                        up_to=await queues.relayed(session),
                    )
            await asyncio.sleep(outbox.PRUNE_S if is_done else 0)
