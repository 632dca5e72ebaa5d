"""Sweeping: after the undo window, everything of a deleted video goes, blobs first, then rows.

A maker that was at work meanwhile finds no row after its put and takes its blob back; one whose put
came between blobs and rows is why the blobs are looked for again; one that died between put and
look is why the whole sweep repeats one lease later.
"""

import math
from collections.abc import Collection, Sequence

from headwater.engines.blobs.port import BlobKey, Blobs
from headwater.engines.work import Units, Work
from headwater.library import videos_repository
from headwater.model.ids import VideoId
from headwater.model.job import Job, JobKind
from headwater.model.video import Video
from headwater.pipeline import generations_repository, jobs_repository, removal_repository
from headwater.pipeline.leasing import LEASE_S


async def sweep(*, units: Units, blobs: Blobs, job: Job, undo_s: float) -> None:
    """Remove the deleted video of *job*; one that was restored stays. Twice is harmless.

    One that was restored and deleted again waits for the end of its new window of *undo_s*.
    """
    async with units.writer() as work:  # after a restore that is under way, and before any later
        video = await videos_repository.find(work.session, job.video)
        due = video is None or _due_at(video, undo_s) <= work.now
        keys = await removal_repository.extent_keys(work.session, job.video)
        uploads = await removal_repository.upload_prefixes(work.session, job.video)
    if not due:
        await _leave(job, units=units, undo_s=undo_s)
        return
    prefixes = [f"{job.video}/", *uploads]
    await _remove_all(blobs, prefixes)
    for key in keys:
        await blobs.delete(key)
    async with units.writer() as work:
        if video is not None:
            ids = await generations_repository.of_video(work.session, job.video)
            await removal_repository.remove_video(work.session, video, ids)
            await jobs_repository.cancel_for_video(work.session, job.video, now=work.now)
            await jobs_repository.enqueue(
                work.session,
                kind=JobKind.SWEEP,
                video=job.video,
                owner=job.owner,
                now=work.now,
                run_at=work.now + 2 * LEASE_S,
            )
        else:
            await jobs_repository.finish(work.session, job.id, now=work.now)
    await _remove_all(blobs, prefixes)


def _due_at(video: Video, undo_s: float) -> float:
    """Return when nobody can bring *video* back any more; never, for one that is not deleted."""
    return math.inf if video.deleted_at is None else video.deleted_at + undo_s


async def _leave(job: Job, *, units: Units, undo_s: float) -> None:
    """Give the job back until its video is due, or finish it: the video was restored."""
    async with units.writer() as work:
        video = await videos_repository.find(work.session, job.video)
        if video is None or video.deleted_at is None:
            await jobs_repository.finish(work.session, job.id, now=work.now)
            return
        await jobs_repository.yield_back(
            work.session, job.id, cursor=0, now=work.now, run_at=_due_at(video, undo_s)
        )


async def _remove_all(blobs: Blobs, prefixes: Sequence[str]) -> None:
    for prefix in prefixes:
        await remove_prefix(blobs, prefix)


async def remove_prefix(blobs: Blobs, prefix: str, *, keep: Collection[str] = ()) -> None:
    """Remove every blob below *prefix* but those to *keep*."""
    async for key, _ in blobs.list(prefix):
        if key not in keep:
            await blobs.delete(BlobKey(key))


async def schedule_sweep(*, work: Work, video: VideoId, run_at: float) -> None:
    """Queue the sweep of a deleted video for when its undo window ends."""
    found = await videos_repository.find(work.session, video)
    if found is not None and found.deleted_at is not None:
        await jobs_repository.enqueue(
            work.session,
            kind=JobKind.SWEEP,
            video=video,
            owner=found.owner,
            now=work.now,
            run_at=run_at,
        )
