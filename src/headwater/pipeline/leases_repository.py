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
    yields: bool = False,
    over: bool = False,
) -> bool:
    """Lease it to *holder* until then, unless it is leased already and not overdue.

    A holder does not get its own lease twice: two tasks of one worker are two makers. A lease that
    *yields* is given to whoever takes it *over*.
    """
    name = _named(generation, track, index)
    row = await session.row(select(leases.c.until, leases.c.yields).where(name))
    terms = {"holder": holder, "until": until, "yields": yields}
    if row is None:
        named = {"generation": generation, "track": track, "index": index}
        await session.execute(insert(leases).values(**named, **terms))
        return True
    if row["until"] > now and not (over and row["yields"]):
        return False
    await session.execute(update(leases).where(name).values(**terms))
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
    session: Session,
    generation: GenerationId,
    track: TrackId,
    index: int,
    *,
    holder: str,
    yields: bool = False,
) -> bool:
    """Give it back; False if another task has taken it over meanwhile: it stays theirs."""
    ours = [leases.c.holder == holder, leases.c.yields == yields]
    given = delete(leases).where(_named(generation, track, index), *ours)
    return await session.execute(given) > 0


async def forget_expired(session: Session, *, now: float) -> int:
    """Remove the leases of makers that died and whose segments nobody asked for since."""
    return await session.execute(delete(leases).where(leases.c.until < now))
