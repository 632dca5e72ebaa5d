"""Rows of leases: who makes (generation, track, index) right now, so that one encode runs."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, delete, insert, select, update

from headwater.engines.database.port import Session
from headwater.engines.database.schema import leases
from headwater.model.ids import GenerationId, TrackId


def _named(generation: GenerationId, track: TrackId, index: int) -> ColumnElement[bool]:
    return and_(leases.c.generation == generation, leases.c.track == track, leases.c.index == index)


async def acquire(
    session: Session,
    generation: GenerationId,
    track: TrackId,
    index: int,
    *,
    holder: str,
    now: float,
    until: float,
) -> bool:
    """Lease it to *holder* until then, unless it is leased already and not overdue.

    A holder does not get its own lease twice: two tasks of one worker are two makers.
    """
    name = _named(generation, track, index)
    row = await session.row(select(leases.c.until).where(name))
    if row is None:
        await session.execute(
            insert(leases).values(
                generation=generation, track=track, index=index, holder=holder, until=until
            )
        )
        return True
    if row["until"] > now:
        return False
    await session.execute(update(leases).where(name).values(holder=holder, until=until))
    return True


async def renew(
    session: Session,
    held: Sequence[tuple[GenerationId, TrackId, int]],
    *,
    holder: str,
    until: float,
) -> None:
    """Keep what *holder* works on until then; what it lost sight of comes back by itself."""
    for name in held:
        await session.execute(
            update(leases).where(_named(*name), leases.c.holder == holder).values(until=until)
        )


async def drop(session: Session, holders: Sequence[str]) -> None:
    """Free everything that *holders*, who are gone, held."""
    await session.execute(delete(leases).where(leases.c.holder.in_(holders)))


async def release(
    session: Session, generation: GenerationId, track: TrackId, index: int, *, holder: str
) -> None:
    """Give it back; what another has taken over meanwhile stays theirs."""
    name = _named(generation, track, index)
    await session.execute(delete(leases).where(name, leases.c.holder == holder))


async def forget_expired(session: Session, *, now: float) -> int:
    """Remove the leases of makers that died and whose segments nobody asked for since."""
    return await session.execute(delete(leases).where(leases.c.until < now))
