"""Rows that tell how far behind the encoders are.

Every count has a ceiling and every look-up an index: it is asked again and again, and most when
there is much to count.
"""

from sqlalchemy import Select, and_, func, not_, select
from sqlalchemy.sql import ColumnElement

from headwater.engines.database.port import Session
from headwater.engines.database.schema import jobs, processes, uploads, videos
from headwater.forces.admission import Done
from headwater.model.job import JobKind, JobState

MOST_COUNTED = 5000
LATELY = 64  # jobs that ended last: the plans among them tell how long one takes
UPLOADS_LOOKED_AT = 1000


async def first_plan_since(session: Session, *, now: float) -> float | None:
    """Return since when the first plan that nobody has taken could be begun, None: none waits.

    Plans of deleted videos wait for a restoration, not for an encoder.
    """
    first = (
        select(jobs.c.run_at)
        .where(_waits(JobKind.PLAN, now), not_(_is_deleted().exists()))
        .order_by(jobs.c.run_at)
        .limit(1)
    )
    row = await session.row(first)
    return None if row is None else float(row["run_at"])


async def count_waiting(session: Session, kind: JobKind, *, now: float) -> int:
    """Return how many jobs of *kind* wait for a worker, MOST_COUNTED if there are more."""
    some = select(jobs.c.id).where(_waits(kind, now)).limit(MOST_COUNTED)
    if kind is not JobKind.SWEEP:
        some = some.where(not_(_is_deleted().exists()))
    row = await session.row(select(func.count().label("n")).select_from(some.subquery()))
    return int(row["n"]) if row else 0


async def last_plans(session: Session) -> list[Done]:
    """Return the plans among the jobs that were done last, in no order."""
    last = (
        select(jobs.c.kind, jobs.c.run_at, jobs.c.served_at, jobs.c.updated_at)
        .where(jobs.c.state == JobState.DONE)
        .order_by(jobs.c.id.desc())
        .limit(LATELY)
    )
    return [
        Done(since=row["run_at"], begun=row["served_at"], ended=row["updated_at"])
        for row in await session.rows(last)
        if row["kind"] == JobKind.PLAN
    ]


async def count_coming(session: Session, *, now: float, within_s: float, expires_s: float) -> int:
    """Return how many uploads will be whole *within_s* if they go on as they came until now.

    Each step of an upload gives it *expires_s* more, which tells those that still move.
    """
    moving = (
        select(uploads.c.length, uploads.c.offset, uploads.c.created_at)
        .where(
            uploads.c.expires_at > now + expires_s - within_s,
            uploads.c.completed_at.is_(None),
            uploads.c.offset > 0,
        )
        .limit(UPLOADS_LOOKED_AT)
        .subquery()
    )
    left_s = (moving.c.length - moving.c.offset) * (now - moving.c.created_at)
    soon = and_(moving.c.length.is_not(None), left_s <= moving.c.offset * within_s)
    row = await session.row(select(func.count().label("n")).select_from(moving).where(soon))
    return int(row["n"]) if row else 0


async def live_encoders(session: Session, *, now: float) -> int:
    """Return how many codec processes all workers that live run at once."""
    living = select(func.coalesce(func.sum(processes.c.encoders), 0).label("n"))
    row = await session.row(living.where(processes.c.until > now))
    return int(row["n"]) if row else 0


def _waits(kind: JobKind, now: float) -> ColumnElement[bool]:
    return and_(jobs.c.state == JobState.QUEUED, jobs.c.kind == kind, jobs.c.run_at <= now)


def _is_deleted() -> Select[tuple[str]]:
    deleted = select(videos.c.id)
    return deleted.where(videos.c.id == jobs.c.video, videos.c.deleted_at.is_not(None)).correlate(
        jobs
    )
