"""What consumers failed to handle: the events that wait for their next try, and dead letters."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, bindparam, delete, insert, select, update

from headwater.engines.database.port import Row, Session
from headwater.engines.database.schema import deliveries, events
from headwater.engines.events.outbox_repository import event_of
from headwater.engines.events.port import DeadLetter
from headwater.model.errors import NotFound

DIGITS = 18  # of a number that fits the column
ERROR_LENGTH = 2000
MISSING = "This consumer gave up no such event; list those it did."

_columns = (events, deliveries.c.consumer, deliveries.c.attempts, deliveries.c.error)
_letters = select(*_columns).join(events, events.c.id == deliveries.c.event)
_dead = _letters.where(deliveries.c.dead)
_due = (
    _letters.where(deliveries.c.dead.is_(False), deliveries.c.run_at <= bindparam("now"))
    .order_by(deliveries.c.run_at)
    .limit(bindparam("most"))
)
DUE = _due.where(deliveries.c.consumer == bindparam("for"))  # a parameter's name is no column's


def reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:ERROR_LENGTH]


def _letter(row: Row) -> DeadLetter:
    return DeadLetter(
        consumer=row["consumer"],
        event=event_of(row),
        attempts=row["attempts"],
        error=row["error"],
    )


def _is_named(consumer: str, event: str) -> ColumnElement[bool]:
    """Select the delivery of *event* to *consumer*; what is no number of ours is nobody's."""
    is_number = event.isascii() and event.isdecimal() and len(event) <= DIGITS
    number = int(event) if is_number else 0
    return and_(deliveries.c.consumer == consumer, deliveries.c.event == number)


async def dead(session: Session, limit: int) -> list[DeadLetter]:
    """Return the newest that were given up."""
    newest = _dead.order_by(deliveries.c.event.desc()).limit(limit)
    return [_letter(row) for row in await session.rows(newest)]


async def find_dead(session: Session, consumer: str, event: str) -> DeadLetter:
    """Raises NotFound."""
    row = await session.row(_dead.where(_is_named(consumer, event)))
    if row is None:
        raise NotFound(MISSING)
    return _letter(row)


async def revive(session: Session, consumer: str, event: str, *, now: float) -> None:
    """Let a dead letter be tried again from the first. Raises NotFound."""
    found = await session.execute(
        update(deliveries)
        .where(_is_named(consumer, event), deliveries.c.dead)
        .values(dead=False, attempts=0, run_at=now)
    )
    if not found:
        raise NotFound(MISSING)


async def put(
    session: Session,
    consumer: str,
    event: str,
    *,
    attempts: int,
    error: str,
    run_at: float,
    dead: bool,
) -> None:
    """Keep that *event* failed; in place of what was kept of it before."""
    await forget(session, consumer, event)
    await session.execute(
        insert(deliveries).values(
            consumer=consumer,
            event=int(event),
            attempts=attempts,
            error=error,
            run_at=run_at,
            dead=dead,
        )
    )


async def forget(session: Session, consumer: str, event: str) -> None:
    await session.execute(delete(deliveries).where(_is_named(consumer, event)))


async def postpone(session: Session, consumer: str, event: str, *, run_at: float) -> None:
    await session.execute(
        update(deliveries).where(_is_named(consumer, event)).values(run_at=run_at)
    )


async def due_of_all(session: Session, *, now: float, limit: int) -> Sequence[Row]:
    """Return what any consumer shall be given again by now."""
    return await session.rows(_due, {"now": now, "most": limit})
