"""What the pipeline tells the database: every use case here is an operation with actor `system`.

The worker does the work between two of these; each is one short transaction. They are the only
place where a video's state advances.
"""

from collections.abc import Mapping, Sequence

import msgspec

from headwater.engines.work import Work
from headwater.forces.seconds import in_seconds
from headwater.library import changes, streams_repository, videos_repository
from headwater.model.errors import Gone
from headwater.model.ids import GenerationId, JobId, TrackId, VideoId
from headwater.model.job import Job, JobKind, JobState
from headwater.model.plan import Plan
from headwater.model.video import ENGINE, Failure, Video, VideoState
from headwater.pipeline import (
    bitmap,
    generations_repository,
    jobs_repository,
    leases_repository,
    processes_repository,
    space_repository,
)
from headwater.pipeline.leasing import LEASE_S
from headwater.pipeline.planned import Planned
from headwater.planning.document import decode_plan

MOST_SENTENCES = 3  # a file broken everywhere says much the same again and again
PLAN_AGAIN_S = 600.0  # after planning anew failed for good, or came to nothing
MOST_PLANS = 4  # in that time: the first, one without a copy, one of another encoder, and one more
STOPPED = Failure(ENGINE, "Processing stopped with an error on our side. It can be tried again.")


async def lease_job(
    *, work: Work, holder: str, kinds: Sequence[JobKind], build: str = ""
) -> Job | None:
    """Lease the next job for *holder*, fair between owners, that an encoder of *build* may do."""
    return await jobs_repository.lease_next(
        work.session, kinds=tuple(kinds), holder=holder, build=build, now=work.now, lease_s=LEASE_S
    )


async def keep_leases(
    *,
    work: Work,
    holder: str,
    jobs: Sequence[JobId],
    held: Sequence[tuple[GenerationId, TrackId, int]],
) -> list[JobId]:
    """Renew what *holder* works on; expired leases of others go back into the queue.

    Returns those of *jobs* that are not its own any more: cancelled with their video, or taken.
    """
    lost = [
        job
        for job in jobs
        if not await jobs_repository.heartbeat(
            work.session, job, holder=holder, now=work.now, lease_s=LEASE_S
        )
    ]
    await leases_repository.renew(work.session, held, holder=holder, until=work.now + LEASE_S)
    await _bury(work, await jobs_repository.reap(work.session, now=work.now))
    return lost


async def reclaim(*, work: Work, holders: Sequence[str]) -> None:
    """Free at once what *holders* held: their processes are known to have ended."""
    await _bury(work, await jobs_repository.reap(work.session, now=work.now, gone=holders))
    await leases_repository.drop(work.session, holders)
    work.notices.append(("jobs", b""))


async def _bury(work: Work, dead: Sequence[Job]) -> None:
    for job in dead:
        if job.kind is JobKind.PLAN:
            await _fail_video(work, job.video, STOPPED)


async def record_plan(
    *, work: Work, job: Job, planned: Planned, speeds: Mapping[TrackId, float]
) -> None:
    """Make *job*'s video playable: the plan, its tracks and the first stored segments, at once.

    Doing it twice changes nothing: a generation that is already there stays. One that replaces
    another takes nothing back of what the video is. Raises Gone if it was deleted meanwhile.
    """
    session, plan = work.session, planned.plan
    before = await videos_repository.find(session, job.video)
    if before is None:
        raise Gone("The video is gone.")
    if planned.remuxed is not None:
        await generations_repository.set_remuxed(session, job.video, planned.remuxed)
    added = 0
    if await generations_repository.get(session, planned.generation) is None:
        added = sum(planned.index_sizes.values())
        await generations_repository.add(
            session,
            id=planned.generation,
            video=job.video,
            encoder=plan.encoder,
            plan=planned.document,
            index_sizes=planned.index_sizes,
            segments={t: plan.segments_of(t) or 0 for t in plan.track_ids()},
            now=work.now,
        )
    for track, sizes in planned.stored.items():
        added += await generations_repository.mark(
            session, planned.generation, track, sizes, damaged=int(track in planned.damaged)
        )
    await generations_repository.add_stored_bytes(session, job.video, added)
    await generations_repository.retire(session, job.video, keep=planned.generation, now=work.now)
    await streams_repository.open_stream(session, job.video, planned.generation, now=work.now)
    again = before.state.can_play
    await changes.change(
        work,
        job.video,
        failure=None,
        generation=planned.generation,
        duration_s=plan.duration_s,
        width_px=plan.video.rungs[-1].width if plan.video else None,
        height_px=plan.video.rungs[-1].height if plan.video else None,
        damage=damage_note(plan, len(planned.damaged)),
        progress=0.0,
        ready_in_s=None,
        speeds=speeds,
        **({} if again else {"state": VideoState.PLAYABLE, "playable_at": work.now}),
    )
    await jobs_repository.finish(session, job.id, now=work.now)
    await jobs_repository.enqueue(
        session, kind=JobKind.WARM, video=job.video, owner=job.owner, now=work.now
    )
    if not again:
        work.facts.append(("video.playable", msgspec.json.encode({"video": job.video})))
    work.notices.append(("jobs", b""))


def damage_note(plan: Plan, damaged: int = 0) -> str | None:
    """Return what the owner should know of the file, in sentences; None if all is well."""
    said = []
    if plan.ends_early_s is not None:
        said.append(f"The file stops after {in_seconds(plan.ends_early_s)}; its end is missing.")
    if damaged:
        said.append("Some parts of the file are damaged and show the last good picture or silence.")
    return " ".join([*said, *dict.fromkeys(plan.notes)][:MOST_SENTENCES]) or None


async def refuse(*, work: Work, job: Job, failure: Failure) -> None:
    """Say for good why the video of *job* cannot be played."""
    await _fail_video(work, job.video, failure)
    await jobs_repository.finish(work.session, job.id, now=work.now)


async def _fail_video(work: Work, video: VideoId, failure: Failure) -> None:
    """Say why *video* cannot be played; one that already can keeps playing."""
    found = await videos_repository.find(work.session, video)
    if found is not None and found.state is VideoState.PROCESSING:
        await changes.change(work, video, state=VideoState.FAILED, failure=failure)


async def postpone_job(*, work: Work, job: Job, error: str | None, pause_s: float) -> None:
    """Give *job* back until later: what it lacks is not its own fault, as room on the disk.

    *error* None: nothing was wrong, its worker stops.
    """
    await jobs_repository.postpone(
        work.session, job.id, run_at=work.now + pause_s, error=error, now=work.now
    )


async def fail_job(*, work: Work, job: Job, error: str, jitter: float) -> None:
    """Give *job* back after an error that may pass; after the last attempt it is dead."""
    died = await jobs_repository.fail(
        work.session, job.id, error=error, now=work.now, jitter=jitter
    )
    if died and job.kind is JobKind.PLAN:
        await _fail_video(work, job.video, STOPPED)


async def record_warm(
    *,
    work: Work,
    job: Job,
    generation: GenerationId,
    cursor: int,
    eligible: Sequence[TrackId],
    pause_s: float,
    speeds: Mapping[TrackId, float],
    left_s: float | None,
    budget_bytes: int | None,
) -> bool:
    """Move the warm-up's cursor and progress, and give the job back for its turn after *pause_s*.

    *left_s* is how long it would still take alone; it shares the machine with others of its kind.
    Returns True when every segment of the *eligible* tracks is stored: the video is then ready. So
    it is when the store is at its budget: eviction would take what warming goes on to make.
    """
    session = work.session
    video = await videos_repository.get(session, job.video)
    if video.generation != generation:  # planned anew meanwhile: from its beginning, then
        await jobs_repository.yield_back(session, job.id, cursor=0, now=work.now)
        return False
    presences = await generations_repository.presences(session, generation)
    chosen = [presences[track] for track in eligible if track in presences]
    total = sum(p.segments for p in chosen)
    stored = sum(bitmap.count(p.present) for p in chosen)
    is_full = (
        budget_bytes is not None and await space_repository.used_bytes(session) >= budget_bytes
    )
    if stored < total and not is_full:
        sharing = await jobs_repository.count_live(session, JobKind.WARM)
        await changes.change(
            work,
            job.video,
            progress=stored / total,
            ready_in_s=None if left_s is None else round(left_s * max(1, sharing), 1),
            speeds=speeds,
        )
        await jobs_repository.yield_back(
            session, job.id, cursor=cursor, now=work.now, run_at=work.now + pause_s
        )
        return False
    await _say_ready(work, job, video, generation, speeds)
    return True


async def _say_ready(
    work: Work,
    job: Job,
    video: Video,
    generation: GenerationId,
    speeds: Mapping[TrackId, float],
) -> None:
    """End the warm-up; the source's extents are joined next."""
    session = work.session
    damaged = await generations_repository.damaged(session, generation)
    found = await generations_repository.get(session, generation)
    note = damage_note(decode_plan(found.plan), damaged) if found else None
    await changes.change(
        work,
        video.id,
        state=VideoState.READY,
        progress=1.0,
        ready_in_s=None,
        speeds=speeds,
        ready_at=video.ready_at or work.now,
        damage=note,
    )
    await jobs_repository.finish(session, job.id, now=work.now)
    await jobs_repository.enqueue(
        session, kind=JobKind.COMPACT, video=video.id, owner=job.owner, now=work.now
    )
    if video.ready_at is None:
        work.facts.append(("video.ready", msgspec.json.encode({"video": video.id})))


async def replace_generation(
    *,
    work: Work,
    generation: GenerationId,
    copying: bool,
    job: Job | None = None,
    build: str | None = None,
) -> None:
    """Plan the video of *generation* anew, unless that is done or on its way.

    Without *copying* its source is never again offered as it is. *job* is the warm-up that could
    not go on: it ends here, because every new generation gets one of its own, or rests with the
    planning. With *build*, nothing is wrong but that this encoder did not begin it: it is left to
    those who did while one of them lives. Raises Gone.
    """
    session = work.session
    found = await generations_repository.get(session, generation)
    video = found and await videos_repository.find(session, found.video)
    if not found or not video or video.deleted_at is not None:
        raise Gone("The video is gone.")
    if not copying:
        await generations_repository.refuse_copy(session, video.id)
    is_others = build is not None and await _has_other(work, found.encoder, build)
    if is_others or video.generation != generation:  # replaced, and its warm-up may be this job
        if job:
            await jobs_repository.yield_back(session, job.id, cursor=0, now=work.now)
        return
    source = await generations_repository.source(session, video.id)
    plans = [
        other
        for other in await jobs_repository.of_video(session, video.id)
        if other.kind is JobKind.PLAN
    ]
    is_coming = any(other.state in jobs_repository.LIVE for other in plans)
    can_come = source is not None and bool(source.extents)
    if can_come and not is_coming and _was_planned_enough(plans, since=work.now - PLAN_AGAIN_S):
        if job:
            run_at = work.now + PLAN_AGAIN_S
            await jobs_repository.yield_back(session, job.id, cursor=0, now=work.now, run_at=run_at)
        return
    if job:
        await jobs_repository.finish(session, job.id, now=work.now)
    if can_come and not is_coming:
        await jobs_repository.enqueue(
            session, kind=JobKind.PLAN, video=video.id, owner=video.owner, now=work.now
        )
        work.notices.append(("jobs", b""))


async def _has_other(work: Work, encoder: str, build: str) -> bool:
    """Say whether a worker lives that goes on with what that *encoder*, not *build*, began."""
    living = await processes_repository.living(work.session, now=work.now)
    return encoder != build and any(process.build == encoder for process in living)


def _was_planned_enough(plans: Sequence[Job], *, since: float) -> bool:
    """Say whether to let it be for a while: it failed for good, or workers replace each other's."""
    lately = [plan.state for plan in plans if plan.updated_at > since]
    return JobState.DEAD in lately or lately.count(JobState.DONE) >= MOST_PLANS


async def finish_job(*, work: Work, job: Job) -> None:
    """Take *job* out of the queue: there is nothing left to do."""
    await jobs_repository.finish(work.session, job.id, now=work.now)
