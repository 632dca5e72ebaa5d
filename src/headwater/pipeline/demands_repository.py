"""Rows of segments somebody waits for, or will want next; workers take them ahead of every job."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import ColumnElement, and_, bindparam, delete, insert, or_, select, update

from headwater.engines.database.port import Session
from headwater.engines.database.schema import demands, generations
from headwater.model.ids import GenerationId, TrackId, VideoId
from headwater.pipeline.processes_repository import can_continue


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """*rank* 0: somebody waits; 1 and more: so many segments ahead of one who does."""

    generation: GenerationId
    track: TrackId
    index: int
    video: VideoId
    rank: int
    asked_at: float


_WAITING = (  # asked at every poll: building it costs more than its answer
    select(demands)
    .outerjoin(generations, generations.c.id == demands.c.generation)
    .where(or_(generations.c.id.is_(None), can_continue(generations.c.encoder)))
    .order_by(demands.c.rank, demands.c.asked_at)
    .limit(bindparam("most"))
)


def _named(generation: GenerationId, track: TrackId, index: int) -> ColumnElement[bool]:
    return and_(
        demands.c.generation == generation, demands.c.track == track, demands.c.index == index
    )


async def put(session: Session, wanted: Sequence[Demand]) -> None:
    """Ask for each of *wanted*; one already asked for keeps its place and the more urgent rank."""
    for demand in wanted:
        row = await session.row(
            select(demands.c.rank).where(_named(demand.generation, demand.track, demand.index))
        )
        if row is not None and row["rank"] <= demand.rank:
            again = update(demands).where(_named(demand.generation, demand.track, demand.index))
            await session.execute(again.values(wanted_at=demand.asked_at))
            continue
        await take_back(session, demand.generation, demand.track, demand.index)
        asked = msgspec.structs.asdict(demand)
        await session.execute(insert(demands).values(**asked, wanted_at=demand.asked_at))


async def take_back(session: Session, generation: GenerationId, track: TrackId, index: int) -> None:
    await session.execute(delete(demands).where(_named(generation, track, index)))


async def waiting(session: Session, limit: int, *, now: float, build: str = "") -> list[Demand]:
    """Return what an encoder of *build* may make, the most urgent first.

    By rank, then by how long they wait; of a generation that is gone too, so that it is told.
    """
    rows = await session.rows(_WAITING, {"most": limit, "now": now, "build": build})
    return [msgspec.convert(dict(row), Demand) for row in rows]


async def forget_before(session: Session, wanted_before: float) -> None:
    """Drop demands nobody asked for since: their client went away."""
    await session.execute(delete(demands).where(demands.c.wanted_at < wanted_before))


async def forget_generation(session: Session, generation: GenerationId) -> None:
    await session.execute(delete(demands).where(demands.c.generation == generation))
