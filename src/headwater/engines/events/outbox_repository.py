"""The outbox: facts as rows in the order of their commits; and the inbox, what was made of them.

Both live in the database, whatever carries facts to their consumers: only there can a fact leave
with a commit, and its effect be written with the note that it happened.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, bindparam, delete, exists, false, func, insert, or_, select

from headwater.engines.database.port import Row, Session
from headwater.engines.database.schema import deliveries, events, inbox
from headwater.engines.events.port import Event
from headwater.model.errors import IntegrityViolated

KEPT_S = 30 * 86_400.0
PRUNE_S = 3600.0
PRUNED_AT_ONCE = 1000

Statement = Select[Any]
ALL_AFTER: Statement = (  # :position, the oldest first, :most of them
    select(events)
    .where(events.c.id > bindparam("position"))
    .order_by(events.c.id)
    .limit(bindparam("most"))
)


def after(topics: Sequence[str]) -> Statement:
    """Return the statement ALL_AFTER for the events of *topics* only."""
    return ALL_AFTER.where(or_(false(), *(events.c.topic == topic for topic in topics)))


def event_of(row: Row) -> Event:
    return Event(str(row["id"]), row["topic"], row["body"], row["created_at"])


async def record(session: Session, topic: str, body: bytes, *, now: float) -> None:
    await session.execute(insert(events).values(topic=topic, body=body, created_at=now))


async def newest(session: Session) -> int:
    """Return the number of the last fact recorded; 0: there is none."""
    row = await session.row(select(func.max(events.c.id).label("id")))
    return (row and row["id"]) or 0


async def keep(session: Session, event: Event) -> None:
    """Have the row of *event*, which may be as old as those that are pruned."""
    known = await session.row(select(events.c.id).where(events.c.id == int(event.id)))
    if known is None:
        await session.execute(
            insert(events).values(
                id=int(event.id), topic=event.topic, body=event.body, created_at=event.created_at
            )
        )


async def claim(session: Session, consumer: str, event: Event, *, now: float) -> bool:
    """Note that *consumer* takes *event*; return False if it did before."""
    taken = insert(inbox).values(
        consumer=consumer, event=int(event.id), recorded_at=event.created_at, taken_at=now
    )
    try:
        await session.execute(taken)
    except IntegrityViolated:
        return False
    return True


async def prune(session: Session, *, before: float, up_to: int | None = None) -> bool:
    """Forget a thousand old events, and what the inbox says of such; say whether that was all.

    An event that still waits for its next try, or died, stays; so does one after *up_to*.
    """
    waits = exists().where(deliveries.c.event == events.c.id)
    old = select(events.c.id).where(events.c.created_at < before, ~waits).limit(PRUNED_AT_ONCE)
    if up_to is not None:
        old = old.where(events.c.id <= up_to)
    gone = await session.execute(delete(events).where(events.c.id.in_(old)))
    await session.execute(delete(inbox).where(inbox.c.taken_at < before))
    return gone < PRUNED_AT_ONCE
