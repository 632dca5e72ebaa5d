"""A consumer at its queue in RabbitMQ.

Flow      register, so that the relay makes the queue → handle what comes → acknowledge. What fails
          goes to a queue of delays and comes back; the last time it becomes a dead letter.
"""

import structlog
from aio_pika.abc import AbstractIncomingMessage

from headwater.engines.clock import Clock
from headwater.engines.database.port import Database
from headwater.engines.events import letters_repository as letters
from headwater.engines.events import queues_repository as queues
from headwater.engines.events import rabbitmq_topology as topology
from headwater.engines.events.port import Event, Handler
from headwater.engines.events.rabbitmq_connection import Link, away_pause_s
from headwater.engines.events.rabbitmq_letters import Delays, bury
from headwater.engines.events.rabbitmq_queue import QueueLoop
from headwater.model.errors import Unavailable

ATTEMPTS = 10

log = structlog.get_logger(__name__)


class Consumer:
    def __init__(
        self,
        name: str,
        topics: tuple[str, ...],
        handler: Handler,
        *,
        link: Link,
        delays: Delays,
        database: Database,
        clock: Clock,
    ) -> None:
        self._name, self._topics, self._handler = name, tuple(sorted(topics)), handler
        self._delays, self._database, self._clock = delays, database, clock
        self.loop = QueueLoop(
            topology.queue_of(name), link, self._take, prepare=self._register, miss=self._lose
        )

    async def _register(self) -> None:
        known = await self._known()
        if known is None or known.topics != self._topics:
            async with self._database.writer() as session:
                await queues.register(session, self._name, self._topics)

    async def _lose(self) -> None:
        known = await self._known()
        if known is not None and known.bound:
            async with self._database.writer() as session:
                await queues.lose(session, self._name)

    async def _known(self) -> queues.Queue | None:
        async with self._database.reader() as session:
            return await queues.find(session, self._name)

    async def _take(self, message: AbstractIncomingMessage) -> None:
        try:
            event = topology.event_of(message)
        except ValueError as refusal:
            log.warning("events.no_event", consumer=self._name, error=str(refusal))
            return
        if event.topic not in self._topics:  # an earlier version wanted it
            return
        error = await self._handle(event)
        if error is None:
            return
        attempts = topology.attempts_of(message) + 1
        if attempts < ATTEMPTS:
            await self._delays.put(event, self._name, attempts)
        else:
            await bury(self._database, self._clock, self._name, event, attempts, error)

    async def _handle(self, event: Event) -> str | None:
        """Return None if the handler took it, else the reason it gave.

        Without the database no handler can do its work, and no event is to blame: it waits.
        """
        away = 0
        while True:
            try:
                await self._handler(event)
            except Exception as error:
                if not await self._database_is_away():
                    log.exception(
                        "events.failed", consumer=self._name, number=event.id, topic=event.topic
                    )
                    return letters.reason(error)
            else:
                return None
            if self.loop.is_stopping:
                raise Unavailable("the database is away")
            away += 1
            await self.loop.pause(away_pause_s(away))

    async def _database_is_away(self) -> bool:
        try:
            await self._database.check()
        except Unavailable:
            return True
        return False
