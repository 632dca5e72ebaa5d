"""Rows of jobs: durable work, leased to one worker at a time, fair between owners.

A failure counts towards ATTEMPTS and waits longer each time; a lease that runs out (its worker was
killed) counts towards LOSSES, which are far more, because the work is seldom at fault. Progress
forgives both.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    Select,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    not_,
    or_,
    select,
    update,
)

from headwater.engines.database.port import Session
from headwater.engines.database.schema import generations, jobs, videos
from headwater.engines.entropy import ordered_id
from headwater.forces.backoff import pause_s
from headwater.model.errors import Conflict, NotFound
from headwater.model.ids import AccountId, JobId, VideoId
from headwater.model.job import Job, JobKind, JobState
from headwater.pipeline.processes_repository import can_continue

ATTEMPTS = 5
FIRST_PAUSE_S = 2.0
MOST_PAUSE_S = 300.0
LOSSES = 20
LOSS_PAUSE_S = 5.0  # times the losses so far: the first comes back at once

PRIORITY = {JobKind.PLAN: 0, JobKind.SWEEP: 5, JobKind.WARM: 10, JobKind.COMPACT: 20}
LIVE = (JobState.QUEUED, JobState.LEASED)

_shown = [jobs.c[name] for name in Job.__struct_fields__]
_free = {"leased_by": None, "leased_until": None}


def _job(row: Any) -> Job:
    return msgspec.convert(dict(row), Job)


async def enqueue(
    session: Session,
    *,
    kind: JobKind,
    video: VideoId,
    owner: AccountId,
    now: float,
    run_at: float | None = None,
) -> JobId:
    """Queue a job, not before *run_at*, and return its id.

    There is one live job of a kind for each video: one that waits takes the new *run_at*, one that
    is at work stays as it is.
    """
    run_at = now if run_at is None else run_at
    mine = [jobs.c.video == video, jobs.c.kind == kind]
    row = await session.row(select(jobs.c.id).where(*mine, jobs.c.state.in_(LIVE)))
    if row is not None:
        await session.execute(
            update(jobs)
            .where(jobs.c.id == row["id"], jobs.c.state == JobState.QUEUED)
            .values(run_at=run_at, updated_at=now)
        )
        return JobId(row["id"])
    new = JobId(ordered_id())
    await session.execute(
        insert(jobs).values(
            id=new,
            kind=kind,
            video=video,
            owner=owner,
            state=JobState.QUEUED,
            priority=PRIORITY[kind],
            run_at=run_at,
            created_at=now,
            updated_at=now,
        )
    )
    return new


def _next_owner(kinds: Sequence[JobKind]) -> ScalarSelect[str]:
    """Select the owner with work to do who was served longest ago.

    The inner query hops from owner to owner along the index, so it costs a few look-ups for each
    owner who waits and nothing for each job.
    """
    waiting = jobs.c.state == JobState.QUEUED
    owners = select(func.min(jobs.c.owner).label("owner")).where(waiting).cte(recursive=True)
    following = select(func.min(jobs.c.owner)).where(waiting, jobs.c.owner > owners.c.owner)
    owners = owners.union_all(
        select(following.correlate(owners).scalar_subquery()).where(owners.c.owner.is_not(None))
    )
    served = select(func.max(jobs.c.served_at)).where(jobs.c.owner == owners.c.owner)
    ready = select(jobs.c.id).where(_is_ready(kinds), jobs.c.owner == owners.c.owner)
    return (
        select(owners.c.owner)
        .where(owners.c.owner.is_not(None), ready.correlate(owners).exists())
        .order_by(served.correlate(owners).scalar_subquery(), owners.c.owner)
        .limit(1)
        .scalar_subquery()
    )


def _is_ready(kinds: Sequence[JobKind]) -> ColumnElement[bool]:
    """Say which jobs an encoder of `build` can begin at `now`.

    Of a deleted video the sweep, until it is restored; a warm-up if it is not left to others.
    """
    deleted = select(videos.c.id).where(
        videos.c.id == jobs.c.video, videos.c.deleted_at.is_not(None)
    )
    others = (
        select(generations.c.id)
        .join_from(videos, generations, generations.c.id == videos.c.generation)
        .where(videos.c.id == jobs.c.video, not_(can_continue(generations.c.encoder)))
    )
    return and_(
        jobs.c.state == JobState.QUEUED,
        or_(*(jobs.c.kind == kind for kind in kinds)),
        jobs.c.run_at <= bindparam("now"),
        or_(jobs.c.kind == JobKind.SWEEP, not_(deleted.correlate(jobs).exists())),
        or_(jobs.c.kind != JobKind.WARM, not_(others.correlate(jobs).exists())),
    )


@cache
def _next(kinds: tuple[JobKind, ...]) -> Select[tuple[str]]:
    """Select what lease_next leases; built once, because workers ask again and again."""
    return (
        select(jobs.c.id)
        .where(_is_ready(kinds), jobs.c.owner == _next_owner(kinds))
        .order_by(jobs.c.priority, jobs.c.run_at)
        .limit(1)
    )


async def lease_next(
    session: Session,
    *,
    kinds: Sequence[JobKind],
    holder: str,
    build: str = "",
    now: float,
    lease_s: float,
) -> Job | None:
    """Lease the next job of *kinds* to *holder*, None if there is none to do now.

    The owner served longest ago comes first; of theirs the smallest priority, then the oldest.
    """
    row = await session.row(_next(tuple(kinds)), {"now": now, "build": build})
    if row is None:
        return None
    await session.execute(
        update(jobs)
        .where(jobs.c.id == row["id"])
        .values(
            state=JobState.LEASED,
            leased_by=holder,
            leased_until=now + lease_s,
            served_at=now,
            updated_at=now,
        )
    )
    return await get(session, JobId(row["id"]))


async def held_by_others(
    session: Session, kind: JobKind, *, holder: str, build: str, now: float, limit: int
) -> list[Job]:
    """Return some jobs of *kind* that others than *holder* are at, of videos that *build* made."""
    made = (
        select(generations.c.id)
        .join_from(videos, generations, generations.c.id == videos.c.generation)
        .where(
            videos.c.id == jobs.c.video,
            videos.c.deleted_at.is_(None),
            generations.c.encoder == build,
        )
        .correlate(jobs)
    )
    held = select(*_shown).where(
        jobs.c.state == JobState.LEASED,
        jobs.c.kind == kind,
        jobs.c.leased_by != holder,
        jobs.c.leased_until > now,
        made.exists(),
    )
    return [_job(row) for row in await session.rows(held.limit(limit))]


async def heartbeat(
    session: Session, id: JobId, *, holder: str, now: float, lease_s: float
) -> bool:
    """Keep the lease; False says that *holder* has lost it (cancelled, or expired and taken)."""
    kept = await session.execute(
        update(jobs)
        .where(jobs.c.id == id, jobs.c.leased_by == holder, jobs.c.state == JobState.LEASED)
        .values(leased_until=now + lease_s)
    )
    return kept == 1


async def finish(session: Session, id: JobId, *, now: float) -> None:
    """Take the job out of the queue as done; one that was cancelled stays so."""
    await session.execute(
        update(jobs)
        .where(jobs.c.id == id, jobs.c.state.in_(LIVE))
        .values(state=JobState.DONE, error=None, updated_at=now, **_free)
    )


async def yield_back(
    session: Session, id: JobId, *, cursor: int, now: float, run_at: float | None = None
) -> None:
    """Return a leased job that made progress, for its owner's next turn."""
    await session.execute(
        update(jobs)
        .where(jobs.c.id == id, jobs.c.state == JobState.LEASED)
        .values(
            state=JobState.QUEUED,
            cursor=cursor,
            run_at=now if run_at is None else run_at,
            attempts=0,
            losses=0,
            error=None,
            updated_at=now,
            **_free,
        )
    )


async def postpone(
    session: Session, id: JobId, *, run_at: float, error: str | None, now: float
) -> None:
    """Return a leased job that cannot be done now through no fault of its own."""
    await session.execute(
        update(jobs)
        .where(jobs.c.id == id, jobs.c.state == JobState.LEASED)
        .values(state=JobState.QUEUED, run_at=run_at, error=error, updated_at=now, **_free)
    )


async def fail(session: Session, id: JobId, *, error: str, now: float, jitter: float) -> bool:
    """Return a leased job after *error*, to be tried later; True if that was its last attempt.

    *jitter* in [0, 1) spreads the pauses of those that failed together.
    """
    row = await session.row(
        select(jobs.c.attempts).where(jobs.c.id == id, jobs.c.state == JobState.LEASED)
    )
    if row is None:
        return False
    attempts = row["attempts"] + 1
    pause = pause_s(attempts, first_s=FIRST_PAUSE_S, most_s=MOST_PAUSE_S, jitter=jitter)
    died: bool = attempts >= ATTEMPTS
    await session.execute(
        update(jobs)
        .where(jobs.c.id == id)
        .values(
            state=JobState.DEAD if died else JobState.QUEUED,
            attempts=attempts,
            run_at=now + pause,
            error=error,
            updated_at=now,
            **_free,
        )
    )
    return died


async def reap(session: Session, *, now: float, gone: Sequence[str] = ()) -> list[Job]:
    """Return jobs whose lease ran out, or whose holder is *gone*, to the queue.

    Those lost too often die and are returned.
    """
    overdue = or_(jobs.c.leased_until < now, jobs.c.leased_by.in_(gone))
    lost = and_(jobs.c.state == JobState.LEASED, overdue)
    dies = jobs.c.losses + 1 >= LOSSES
    rows = await session.rows(
        update(jobs)
        .where(lost)
        .values(
            state=case((dies, JobState.DEAD.value), else_=JobState.QUEUED.value),
            run_at=now + LOSS_PAUSE_S * jobs.c.losses,
            losses=jobs.c.losses + 1,
            error="The worker went away.",
            updated_at=now,
            **_free,
        )
        .returning(*_shown)
    )
    return [job for job in map(_job, rows) if job.state is JobState.DEAD]


async def cancel_for_video(session: Session, video: VideoId, *, now: float) -> None:
    """Cancel every live job of *video*; a worker that holds one loses its lease."""
    await session.execute(
        update(jobs)
        .where(jobs.c.video == video, jobs.c.state.in_(LIVE))
        .values(state=JobState.CANCELLED, updated_at=now, **_free)
    )


async def retry(session: Session, id: JobId, *, now: float) -> None:
    """Queue a dead job again, with all its attempts before it.

    Raises:
        NotFound: there is no such job.
        Conflict: it is not dead, or another of its kind is at work for the same video.
    """
    job = await get(session, id)
    others = await of_video(session, job.video)
    if job.state is not JobState.DEAD:
        raise Conflict("Only a job that gave up can be tried again.")
    if any(other.kind is job.kind and other.state in LIVE for other in others):
        raise Conflict("Another job does this already.")
    await session.execute(
        update(jobs)
        .where(jobs.c.id == id)
        .values(state=JobState.QUEUED, attempts=0, losses=0, run_at=now, error=None, updated_at=now)
    )


async def get(session: Session, id: JobId) -> Job:
    """Return one job. Raises NotFound."""
    row = await session.row(select(*_shown).where(jobs.c.id == id))
    if row is None:
        raise NotFound("There is no such job.")
    return _job(row)


async def count_live(session: Session, kind: JobKind) -> int:
    """Return how many jobs of *kind* wait or are at work."""
    live = select(func.count().label("n")).where(jobs.c.state.in_(LIVE), jobs.c.kind == kind)
    row = await session.row(live)
    return int(row["n"]) if row else 0


async def list_jobs(session: Session, *, state: JobState | str | None, limit: int) -> list[Job]:
    """Return the newest jobs first, of one *state* or of all."""
    newest = select(*_shown).order_by(jobs.c.id.desc()).limit(limit)
    if state is not None:
        newest = newest.where(jobs.c.state == state)
    return [_job(row) for row in await session.rows(newest)]


async def of_video(session: Session, video: VideoId) -> list[Job]:
    """Return every job of *video*, the oldest first."""
    rows = await session.rows(select(*_shown).where(jobs.c.video == video).order_by(jobs.c.id))
    return [_job(row) for row in rows]


async def forget_done(session: Session, *, before_id: str, limit: int = 500) -> int:
    """Remove at most *limit* done or cancelled jobs queued before that id; return how many."""
    removed = 0
    for state in (JobState.DONE, JobState.CANCELLED):
        old = (
            select(jobs.c.id)
            .where(jobs.c.state == state, jobs.c.id < before_id)
            .order_by(jobs.c.id)
            .limit(limit)
        )
        removed += await session.execute(delete(jobs).where(jobs.c.id.in_(old)))
    return removed
