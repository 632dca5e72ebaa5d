"""Events through RabbitMQ: written with the commit, carried by a broker, a queue per consumer.

Flow      record() adds a row in the caller's transaction → the relay publishes it to an exchange
          → the queue of each consumer → its handler. rabbitmq_topology.py draws the broker's part.
Promises  recording needs no broker: while it is away facts gather in the database, and the relay
          catches up. What the broker confirmed it keeps; what it did not is published again.
"""

import asyncio

from headwater.engines.clock import Clock
from headwater.engines.database.port import Database, Session
from headwater.engines.events import outbox_repository as outbox
from headwater.engines.events import queues_repository as queues
from headwater.engines.events.facts import Facts
from headwater.engines.events.port import Handler
from headwater.engines.events.rabbitmq_connection import HEARTBEAT_S, Link, addresses_of
from headwater.engines.events.rabbitmq_consumer import Consumer
from headwater.engines.events.rabbitmq_letters import DeadLetters, Delays
from headwater.engines.events.rabbitmq_queue import QueueLoop
from headwater.engines.events.rabbitmq_relay import Relay
from headwater.engines.reach import Reach

FIRST_PAUSE_S = 1.0
MOST_PAUSE_S = 300.0  # ten tries take about twenty minutes
RELAY_ENDS_S = 5.0  # what it has not published by then, the next one does


class RabbitEvents(Facts):
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
        super().__init__(database, clock)
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

    async def _forget(self, session: Session, *, before: float) -> bool:
        """None that is not published yet, however long that takes."""
        return await outbox.prune(session, before=before, up_to=await queues.relayed(session))
