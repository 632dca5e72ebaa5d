"""Rows of the processes that live, and which encoder each of them has."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import BindParameter, ColumnElement, bindparam, delete, insert, or_, select, update

from headwater.engines.database.port import Session
from headwater.engines.database.schema import processes
from headwater.model.process import Living, Process

_LIVING = (
    select(processes)
    .where(processes.c.until > bindparam("now"))
    .order_by(processes.c.started_at, processes.c.id)
)
_SILENT = select(processes.c.id).where(processes.c.until <= bindparam("now"))


async def put(session: Session, process: Process, *, now: float, until: float) -> None:
    """Write that *process* lives until then."""
    told = {**msgspec.structs.asdict(process), "heard_at": now, "until": until}
    if not await session.execute(
        update(processes).where(processes.c.id == process.id).values(**told)
    ):
        await session.execute(insert(processes).values(**told))


async def drop(session: Session, ids: Sequence[str]) -> None:
    await session.execute(delete(processes).where(processes.c.id.in_(ids)))


async def living(session: Session, *, now: float) -> list[Living]:
    """Return those that live, the eldest first."""
    rows = await session.rows(_LIVING, {"now": now})
    return [msgspec.convert(dict(row), Living) for row in rows]


async def silent(session: Session, *, now: float) -> list[str]:
    """Return those that should have been heard of by now."""
    return [row["id"] for row in await session.rows(_SILENT, {"now": now})]


def can_continue(encoder: ColumnElement[str]) -> ColumnElement[bool]:
    """Say in SQL whether a worker of :build may go on with what a generation's *encoder* began.

    Its own, and that of which nobody lives at :now any more: it is the one to replace it.
    """
    build: BindParameter[str] = bindparam("build")
    others = select(processes.c.build).where(
        processes.c.until > bindparam("now"), processes.c.build != build
    )
    return or_(encoder == build, encoder.not_in(others))
