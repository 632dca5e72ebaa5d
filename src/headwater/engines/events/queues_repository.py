"""Queues, as the database knows them: which consumers a broker delivers to, and for what.

A consumer registers itself here; the relay, who alone publishes, makes its queue, fills it with
what is kept and binds it. So a new consumer needs no relay of its version beside it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import delete, insert, select, update

from headwater.engines.database.port import Row, Session
from headwater.engines.database.schema import consumers

RELAY = "relay"  # its position in the outbox is a row beside those of the consumers


class Queue(NamedTuple):
    """*position*: every event up to it is in the queue, once *bound* all that is published."""

    consumer: str
    topics: tuple[str, ...]
    position: int
    bound: bool


def _queue_of(row: Row) -> Queue:
    return Queue(row["name"], tuple(row["topics"].split()), row["position"], row["bound"])


async def known(session: Session) -> Sequence[Queue]:
    rows = await session.rows(select(consumers).where(consumers.c.topics != ""))
    return [_queue_of(row) for row in rows]


async def relayed(session: Session) -> int:
    """Return the number of the last fact that the broker has."""
    row = await session.row(select(consumers.c.position).where(consumers.c.name == RELAY))
    return row["position"] if row else 0


async def find(session: Session, consumer: str) -> Queue | None:
    row = await session.row(select(consumers).where(consumers.c.name == consumer))
    return _queue_of(row) if row else None


async def register(session: Session, consumer: str, topics: tuple[str, ...]) -> None:
    """Say what *consumer* is for: a new one gets all that is kept, one with other topics those too.

    One that took its events from the table until now goes on where it stood.
    """
    queue, wanted = await find(session, consumer), " ".join(topics)
    if queue is None:
        await session.execute(insert(consumers).values(name=consumer, topics=wanted))
    elif queue.topics != topics:
        has_up_to = await relayed(session) if queue.bound else queue.position
        await session.execute(
            update(consumers)
            .where(consumers.c.name == consumer)
            .values(topics=wanted, bound=False, position=has_up_to)
        )


async def bind(session: Session, consumer: str, up_to: int) -> None:
    """Note that the queue has every event *up_to* that number and gets those that follow."""
    await session.execute(
        update(consumers).where(consumers.c.name == consumer).values(position=up_to, bound=True)
    )


async def lose(session: Session, consumer: str) -> None:
    """Let a consumer whose queue is gone begin again with the oldest event that is kept."""
    await session.execute(
        update(consumers)
        .where(consumers.c.name == consumer, consumers.c.bound)
        .values(position=0, bound=False)
    )


async def forget(session: Session, consumer: str) -> None:
    """Drop a consumer whose queue is gone; one that lives will register again."""
    await session.execute(delete(consumers).where(consumers.c.name == consumer))
