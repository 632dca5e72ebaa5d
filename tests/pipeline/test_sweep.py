"""What was deleted goes when nobody can bring it back any more, and not before."""

from pathlib import Path

import pytest

from headwater.compose import Core
from headwater.library import changes, videos_repository
from headwater.model.actor import SYSTEM
from headwater.model.job import JobKind, JobState
from headwater.model.video import Video
from headwater.pipeline import jobs_repository
from headwater.pipeline.sweep import sweep
from tests.pipeline.kept import Interrupted, keep_video, leased_job, stored, units_of
from tests.support.system import system

pytestmark = pytest.mark.anyio

UNDO_S = 600.0


async def delete(core: Core, video: Video, *, ago_s: float) -> float:
    async with core.engines.writer(SYSTEM) as work:
        deleted_at = work.now - ago_s
        await changes.change(work, video.id, deleted_at=deleted_at)
    return deleted_at


async def test_a_second_deletion_has_its_own_undo_window(tmp_path: Path) -> None:
    """Deleted, restored and deleted again: the first deletion's sweep waits for the second's."""
    blobs = Interrupted(tmp_path / "blobs")
    async with system(tmp_path / "data") as core:
        video = await keep_video(core, blobs)
        before = await stored(blobs, "")
        job = await leased_job(core, video, JobKind.SWEEP)
        deleted_at = await delete(core, video, ago_s=UNDO_S / 2)

        await sweep(units=units_of(core), blobs=blobs, job=job, undo_s=UNDO_S)

        assert await stored(blobs, "") == before
        async with core.engines.reader(SYSTEM) as work:
            left = await jobs_repository.get(work.session, job.id)
            assert await videos_repository.find(work.session, video.id) is not None
        assert left.state is JobState.QUEUED
        assert left.run_at == deleted_at + UNDO_S


async def test_what_was_deleted_long_enough_ago_goes(tmp_path: Path) -> None:
    blobs = Interrupted(tmp_path / "blobs")
    async with system(tmp_path / "data") as core:
        video = await keep_video(core, blobs)
        job = await leased_job(core, video, JobKind.SWEEP)
        await delete(core, video, ago_s=UNDO_S + 1)

        await sweep(units=units_of(core), blobs=blobs, job=job, undo_s=UNDO_S)

        assert await stored(blobs, "") == set()
        async with core.engines.reader(SYSTEM) as work:
            assert await videos_repository.find(work.session, video.id) is None


async def test_what_was_restored_stays(tmp_path: Path) -> None:
    blobs = Interrupted(tmp_path / "blobs")
    async with system(tmp_path / "data") as core:
        video = await keep_video(core, blobs)
        before = await stored(blobs, "")
        job = await leased_job(core, video, JobKind.SWEEP)

        await sweep(units=units_of(core), blobs=blobs, job=job, undo_s=UNDO_S)

        assert await stored(blobs, "") == before
        assert (await core.ask("jobs.show", job_id=job.id)).state is JobState.DONE
