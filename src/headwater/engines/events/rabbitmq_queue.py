"""A queue's messages, one after the other, through every loss of the broker.

Promises  handled in order, and each queue waits for nobody but its own consumer. What was delivered
          before is taken alone: one that kills its process takes no other along.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog
from aio_pika.abc import AbstractIncomingMessage

from headwater.engines.events.rabbitmq_connection import (
    ANSWER_S,
    Link,
    Missing,
    away_pause_s,
    closed,
    translated,
)
from headwater.model.errors import HeadwaterError, Unavailable

PREFETCH = 50  # that wait in this process, once all goes well
POLL_S = 0.2  # for a queue that the relay is about to make

log = structlog.get_logger(__name__)
Arrivals = asyncio.Queue[AbstractIncomingMessage | None]  # None: no more will come


class QueueLoop:
    """Gives each message to *take*, which returns when it is done with, or raises to get it again.

    *prepare* is called before each opening of the queue, *miss* when it is not there.
    """

    def __init__(
        self,
        queue: str,
        link: Link,
        take: Callable[[AbstractIncomingMessage], Awaitable[None]],
        *,
        prepare: Callable[[], Awaitable[None]],
        miss: Callable[[], Awaitable[None]],
    ) -> None:
        self._queue, self._link = queue, link
        self._take, self._prepare, self._miss = take, prepare, miss
        self._arrivals = Arrivals()
        self._stopped = asyncio.Event()
        self._is_careful = True

    @property
    def is_stopping(self) -> bool:
        return self._stopped.is_set()

    def stop(self) -> None:
        """Finish the message that is being handled, and take no other."""
        self._stopped.set()
        self._arrivals.put_nowait(None)

    async def run(self) -> None:
        failures = 0
        while not self.is_stopping:
            try:
                await self._prepare()
                async with self._open():
                    failures = 0
                    await self._take_all()
                    continue
            except Missing:
                with contextlib.suppress(HeadwaterError):
                    await self._miss()
                await self.pause(POLL_S)
            except HeadwaterError as error:  # the broker or the database is away
                failures += 1
                log.warning("events.queue", queue=self._queue, error=str(error), failures=failures)
                await self.pause(away_pause_s(failures))
            except Exception:  # a loop that ends in silence would be worse than one that repeats
                failures += 1
                log.exception("events.queue", queue=self._queue)
                await self.pause(away_pause_s(failures))
            self._is_careful = True

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        """Let messages arrive through the block. Raises Missing."""
        channel = await self._link.channel(prefetch=1 if self._is_careful else PREFETCH)
        arrivals = self._arrivals = Arrivals()

        async def arrive(message: AbstractIncomingMessage) -> None:
            arrivals.put_nowait(message)

        def end(*_: object) -> None:
            arrivals.put_nowait(None)

        try:
            with translated():
                underlay = await channel.get_underlay_channel()
                underlay.on_consumer_cancel_callbacks.add(end)  # the queue was deleted
                channel.close_callbacks.add(end)
                queue = await channel.declare_queue(self._queue, passive=True, timeout=ANSWER_S)
                await queue.consume(arrive, timeout=ANSWER_S)
            yield
        finally:
            if not self.is_stopping:  # the connection ends soon, and all its channels with it
                await closed(channel)

    async def _take_all(self) -> None:
        """Handle what arrives, until told to stop or there is no more reason to be careful.

        Whatever waits with a process that dies counts as delivered once more, and is given up when
        that happens too often. So none waits behind what may be the reason: messages come one at a
        time until one comes that never came before.

        Raises:
            Unavailable: the channel is lost.
        """
        arrivals = self._arrivals
        while not self.is_stopping:
            message = await arrivals.get()
            if self.is_stopping:
                return
            if message is None:
                raise Unavailable("RabbitMQ: the channel is lost")
            await self._take(message)
            with translated():
                await message.ack()
            if self._is_careful and not message.redelivered:
                self._is_careful = False
                return

    async def pause(self, seconds: float) -> None:
        """Wait so long, or until told to stop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
