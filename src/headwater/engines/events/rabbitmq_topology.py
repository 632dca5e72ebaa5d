"""What exists in RabbitMQ, and how a fact looks there.

    headwater.events (topic)  ──topics──▶  headwater.events.CONSUMER   a quorum queue for each
    headwater.delay.MS (fanout) ─▶ headwater.delay.MS   ──after MS──▶  that queue again
    headwater.events.CONSUMER  ──delivered too often──▶  headwater.dead

One consumer of a queue is active at a time, so that order holds; the broker chooses another when
it goes. Queues are replicated, and hand on what expires or is given up only once it is kept there.
A delay queue holds messages of one delay: with several, one would wait behind a longer one.

Source    rabbitmq.com: quorum queues, at-least-once dead lettering, single active consumer.
"""

import asyncio
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from headwater.engines.events.outbox_repository import KEPT_S
from headwater.engines.events.port import Event
from headwater.engines.events.rabbitmq_connection import (
    ANSWER_S,
    Link,
    Missing,
    closed,
    translated,
)

EXCHANGE = "headwater.events"
DEAD = "headwater.dead"
DELIVERIES = (
    10  # that ended without an answer: a handler that kills its process is not called again
)
RECORDED_AT, ATTEMPTS = "recorded-at", "attempts"  # headers
_QUORUM: dict[str, Any] = {"x-queue-type": "quorum"}
_SINGLE = {**_QUORUM, "x-single-active-consumer": True}
_HANDING_ON = {  # at least once; the first needs the second
    **_QUORUM,
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
    "x-dead-letter-exchange": "",
}


def queue_of(consumer: str) -> str:
    return f"{EXCHANGE}.{consumer}"


async def declare_shared(channel: AbstractChannel) -> None:
    await channel.declare_exchange(EXCHANGE, "topic", durable=True, timeout=ANSWER_S)
    await channel.declare_queue(DEAD, durable=True, arguments=_SINGLE, timeout=ANSWER_S)


async def declare_queue(channel: AbstractChannel, consumer: str) -> None:
    """Make the queue of *consumer*; it goes by itself when nobody has used it for a month."""
    arguments = {
        **_HANDING_ON,
        **_SINGLE,
        "x-dead-letter-routing-key": DEAD,
        "x-delivery-limit": DELIVERIES,
        "x-expires": round(KEPT_S * 1000),  # as long as events are kept for one that is new
    }
    await channel.declare_queue(
        queue_of(consumer), durable=True, arguments=arguments, timeout=ANSWER_S
    )


async def bind(channel: AbstractChannel, consumer: str, topics: tuple[str, ...]) -> None:
    queue = await channel.get_queue(queue_of(consumer), ensure=False)
    for topic in topics:
        await queue.bind(EXCHANGE, topic, timeout=ANSWER_S)


async def declare_delay(channel: AbstractChannel, milliseconds: int) -> str:
    """Make the queue of one delay, for all consumers; return the exchange that leads there.

    A message keeps its routing key, the queue of its consumer, which is where it goes afterwards.
    """
    name = f"headwater.delay.{milliseconds}"
    arguments = {**_HANDING_ON, "x-message-ttl": milliseconds}
    exchange = await channel.declare_exchange(name, "fanout", durable=True, timeout=ANSWER_S)
    queue = await channel.declare_queue(name, durable=True, arguments=arguments, timeout=ANSWER_S)
    await queue.bind(exchange, timeout=ANSWER_S)
    return name


async def has_queue(link: Link, consumer: str) -> bool:
    """Say whether the queue is there; asking for one that is not costs the channel."""
    channel = await link.channel()
    try:
        with translated():
            await channel.declare_queue(queue_of(consumer), passive=True, timeout=ANSWER_S)
    except Missing:
        return False
    finally:
        await closed(channel)
    return True


async def publish(
    channel: AbstractChannel, event: Event, *, exchange: str, key: str, attempts: int = 0
) -> None:
    """Return when a queue has it, on disk of most of its replicas.

    Raises (as the library does): what translated() names.
    """
    message = aio_pika.Message(
        event.body,
        content_type="application/json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        message_id=event.id,
        type=event.topic,
        headers={RECORDED_AT: repr(event.created_at), ATTEMPTS: attempts},
    )
    to = await channel.get_exchange(exchange, ensure=False) if exchange else None
    async with asyncio.timeout(ANSWER_S):
        await (to or channel.default_exchange).publish(message, key, mandatory=True)


def event_of(message: AbstractIncomingMessage) -> Event:
    """Raises ValueError: it is none that publish() wrote."""
    if not message.message_id or not message.type or not message.message_id.isdecimal():
        raise ValueError("a message that names no event")
    recorded_at = float(str(message.headers.get(RECORDED_AT, "")))
    return Event(message.message_id, message.type, message.body, recorded_at)


def attempts_of(message: AbstractIncomingMessage) -> int:
    attempts = message.headers.get(ATTEMPTS, 0)
    return attempts if isinstance(attempts, int) else 0


def given_up_by(message: AbstractIncomingMessage) -> str:
    """Return the consumer whose queue the broker took it from. Raises ValueError."""
    deaths = message.headers.get("x-death", [])
    for death in deaths if isinstance(deaths, list) else []:  # the latest first
        if isinstance(death, dict) and death.get("reason") == "delivery_limit":
            return str(death["queue"]).removeprefix(f"{EXCHANGE}.")
    raise ValueError("a message that no queue of ours gave up")
