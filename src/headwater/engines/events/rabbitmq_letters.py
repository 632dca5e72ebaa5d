"""What failed, in RabbitMQ: queues of delays for what comes again, and dead letters.

Flow      a consumer puts an event into the queue of a delay, which hands it back to the consumer's
          queue. What the broker gave up delivering comes to the queue of the dead, from where
          DeadLetters writes it into the database, beside what consumers themselves gave up.
Promises  an event that waits holds up nobody: each delay has a queue of its own, whose first
          message is the first to go. Dead letters can be listed while the broker is away.
"""

import math

import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from headwater.engines.clock import Clock
from headwater.engines.database.port import Database
from headwater.engines.events import letters_repository as letters
from headwater.engines.events import outbox_repository as outbox
from headwater.engines.events import rabbitmq_topology as topology
from headwater.engines.events.port import Event
from headwater.engines.events.rabbitmq_connection import Link, closed, translated
from headwater.engines.events.rabbitmq_queue import QueueLoop
from headwater.forces.backoff import jitter, pause_s
from headwater.model.errors import HeadwaterError, Unavailable

STEPS = 4  # delays between one and its double; what spreads is which of them an event gets

log = structlog.get_logger(__name__)


def delay_ms(attempts: int, *, first_s: float, most_s: float, jitter: float) -> int:
    """Return a pause that many events share: pause_s(), up to the next step of a ladder."""
    pause = pause_s(attempts, first_s=first_s, most_s=most_s, jitter=jitter)
    step = math.ceil(round(math.log2(pause / first_s) * STEPS, 6))
    return max(1, round(first_s * 1000 * 2 ** (step / STEPS)))


class Delays:
    """Where one consumer leaves what failed. Not for two tasks at once."""

    def __init__(self, link: Link, *, first_s: float, most_s: float) -> None:
        self._link, self._first_s, self._most_s = link, first_s, most_s
        self._channel: AbstractChannel | None = None
        self._exchanges: dict[int, str] = {}

    async def put(self, event: Event, consumer: str, attempts: int) -> None:
        """Have *consumer* get *event* again after its pause. Raises Unavailable."""
        delay = delay_ms(attempts, first_s=self._first_s, most_s=self._most_s, jitter=jitter())
        channel = self._channel or await self._link.channel()
        self._channel = channel
        try:
            with translated():
                if delay not in self._exchanges:
                    self._exchanges[delay] = await topology.declare_delay(channel, delay)
                await topology.publish(
                    channel,
                    event,
                    exchange=self._exchanges[delay],
                    key=topology.queue_of(consumer),
                    attempts=attempts,
                )
        except HeadwaterError as error:
            self._channel, self._exchanges = None, {}  # it may be a new broker
            await closed(channel)
            raise Unavailable(str(error)) from error


class DeadLetters:
    """Writes down what the broker gave up delivering."""

    def __init__(self, link: Link, database: Database, clock: Clock) -> None:
        self._link, self._database, self._clock = link, database, clock
        self.loop = QueueLoop(
            topology.DEAD, link, self._take, prepare=self._declare, miss=self._declare
        )

    async def _declare(self) -> None:
        channel = await self._link.channel()
        with translated():
            await topology.declare_shared(channel)
        await closed(channel)

    async def _take(self, message: AbstractIncomingMessage) -> None:
        try:
            event, consumer = topology.event_of(message), topology.given_up_by(message)
        except ValueError as refusal:
            log.warning("events.no_event", error=str(refusal))
            return
        error = (
            f"Handled {topology.DELIVERIES} times without an end: each time the process died or "
            "lost the broker."
        )
        log.error("events.dead", consumer=consumer, number=event.id, topic=event.topic)
        await bury(self._database, self._clock, consumer, event, topology.DELIVERIES, error)


async def bury(
    database: Database, clock: Clock, consumer: str, event: Event, attempts: int, error: str
) -> None:
    """Make *event* a dead letter of *consumer*."""
    async with database.writer() as session:
        await outbox.keep(session, event)
        await letters.put(
            session,
            consumer,
            event.id,
            attempts=attempts,
            error=error,
            run_at=clock.now(),
            dead=True,
        )
