"""What was deleted goes when nobody can bring it back any more, and not before."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from headwater.compose.core import Core
from headwater.engines.work import Work
from headwater.library import changes, videos_repository
from headwater.library.delete_video import restore_video
from headwater.model.actor import SYSTEM
from headwater.model.job import JobKind, JobState
from headwater.model.video import Video
from headwater.operations.units import ActorUnits
from headwater.pipeline import jobs_repository
from headwater.pipeline.sweep import sweep
from tests.pipeline.kept import Interrupted, keep_video, leased_job, stored, units_of
from tests.support.system import actor_of, system

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


async def test_a_restore_in_the_last_moment_holds(tmp_path: Path) -> None:
    """Though it ends only when the window has closed and the sweep has come."""
    blobs = Interrupted(tmp_path / "blobs")
    async with system(tmp_path / "data") as core:
        video = await keep_video(core, blobs)
        before = await stored(blobs, "")
        job = await leased_job(core, video, JobKind.SWEEP)
        deleted_at = await delete(core, video, ago_s=0.0)
        swept = anyio.Event()

        async def sweep_later() -> None:
            await sweep(units=Afterwards(core.engines, SYSTEM), blobs=blobs, job=job, undo_s=UNDO_S)
            swept.set()

        owner = await actor_of(core)
        async with anyio.create_task_group() as group, core.engines.writer(owner) as work:
            work.now = deleted_at + UNDO_S - 1
            await restore_video(work=work, video_id=video.id, undo_s=UNDO_S)
            group.start_soon(sweep_later)
            await anyio.wait_all_tasks_blocked()
            assert not swept.is_set()

        assert await stored(blobs, "") == before
        async with core.engines.reader(SYSTEM) as work:
            assert await videos_repository.find(work.session, video.id) is not None


class Afterwards(ActorUnits):
    """Units of somebody in whose time every undo window is over."""

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[Work]:
        async with super().reader() as work:
            work.now += 2 * UNDO_S
            yield work

    @asynccontextmanager
    async def writer(self) -> AsyncIterator[Work]:
        async with super().writer() as work:
            work.now += 2 * UNDO_S
            yield work
