"""Rows of the idempotency table: the first answer to each Idempotency-Key, kept for a day."""

from sqlalchemy import delete, insert, select, update

from headwater.engines.database.port import Row, Session
from headwater.engines.database.schema import idempotency

KEPT_S = 86_400.0  # a client that retries later than a day is making a new request
LEASE_S = 120.0  # an answer still missing after this belongs to a process that died


async def find(session: Session, actor: str, key: str) -> Row | None:
    return await session.row(
        select(idempotency).where(idempotency.c.actor == actor, idempotency.c.key == key)
    )


async def claim(
    session: Session, actor: str, key: str, *, operation: str, request_hash: str, now: float
) -> None:
    """Write the row without its answer; rows of *actor* past their day go at the same time."""
    table = idempotency
    await session.execute(
        delete(table).where(table.c.actor == actor, table.c.created_at < now - KEPT_S)
    )
    await session.execute(
        insert(table).values(
            actor=actor,
            key=key,
            operation=operation,
            request_hash=request_hash,
            response=None,
            created_at=now,
        )
    )


async def answer(session: Session, actor: str, key: str, response: bytes) -> None:
    await session.execute(
        update(idempotency)
        .where(idempotency.c.actor == actor, idempotency.c.key == key)
        .values(response=response)
    )


async def forget(session: Session, actor: str, key: str) -> None:
    """Drop the row, so that the key may be tried again after a failure."""
    await session.execute(
        delete(idempotency).where(idempotency.c.actor == actor, idempotency.c.key == key)
    )
