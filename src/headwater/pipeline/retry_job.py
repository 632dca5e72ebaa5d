"""Jobs seen and tried again: `headwater jobs`, the operators' page, "Try again" in the studio."""

from headwater.access.decide import Action, require
from headwater.engines.work import Work
from headwater.library import changes, videos_repository
from headwater.model.errors import Conflict
from headwater.model.ids import JobId, VideoId
from headwater.model.job import Job, JobKind, JobState
from headwater.model.video import Video, VideoState
from headwater.pipeline import jobs_repository

LISTED = 200


async def list_jobs(*, work: Work, state: JobState | None = None, limit: int = LISTED) -> list[Job]:
    """Return the newest jobs, of one *state* or of all."""
    return await jobs_repository.list_jobs(work.session, state=state, limit=min(limit, LISTED))


async def show_job(*, work: Work, job_id: JobId) -> Job:
    """Return one job. Raises NotFound."""
    return await jobs_repository.get(work.session, job_id)


async def retry_job(*, work: Work, job_id: JobId) -> Job:
    """Queue a dead job again, with all its attempts before it.

    Raises:
        NotFound: there is no such job.
        Conflict: it is not dead.
    """
    job = await jobs_repository.get(work.session, job_id)
    if job.state is not JobState.DEAD:
        raise Conflict("Only a job that gave up can be tried again.")
    await jobs_repository.retry(work.session, job_id, now=work.now)
    if job.kind is JobKind.PLAN:
        await _process_again(work, job.video)
    work.notices.append(("jobs", b""))
    return await jobs_repository.get(work.session, job_id)


async def retry_video(*, work: Work, video_id: VideoId) -> Video:
    """Try a failed video again; for its owner.

    Raises:
        VideoNotFound, Forbidden: see decide().
        Conflict: it has not failed.
    """
    video = await videos_repository.get(work.session, video_id)
    require(work.actor, Action.VIDEO_EDIT, video)
    if video.state is not VideoState.FAILED:
        raise Conflict("Only a video that failed can be tried again.")
    await jobs_repository.enqueue(
        work.session, kind=JobKind.PLAN, video=video.id, owner=video.owner, now=work.now
    )
    work.notices.append(("jobs", b""))
    return await _process_again(work, video_id)


async def _process_again(work: Work, video: VideoId) -> Video:
    found = await videos_repository.get(work.session, video)
    if found.state is not VideoState.FAILED:
        return found
    return await changes.change(work, video, state=VideoState.PROCESSING, failure=None)
