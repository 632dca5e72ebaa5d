"""Replacing a generation, as rows: once, not for ever, and never under a running warm-up."""

from pathlib import Path

import pytest

from headwater.compose.core import Core
from headwater.model.actor import SYSTEM
from headwater.model.errors import Gone
from headwater.model.ids import GenerationId, TrackId, VideoId
from headwater.model.job import Job, JobKind, JobState
from headwater.model.video import Video, VideoState
from headwater.pipeline import (
    advance,
    generations_repository,
    jobs_repository,
    space_repository,
)
from headwater.pipeline.planned import Planned
from headwater.planning.document import encode_plan
from tests.pipeline.kept import PLAN, keep_generation, keep_video, leased_job
from tests.support.system import actor_of, system

pytestmark = pytest.mark.anyio


async def plans(core: Core, video: VideoId) -> list[Job]:
    async with core.engines.reader(SYSTEM) as work:
        jobs = await jobs_repository.of_video(work.session, video)
    return [job for job in jobs if job.kind is JobKind.PLAN]


async def replace(core: Core, video: Video, *, copying: bool = True) -> None:
    await core.ask("pipeline.replace_generation", generation=video.generation, copying=copying)


async def test_however_many_find_out_it_is_planned_once(tmp_path: Path) -> None:
    async with system(tmp_path) as core:
        video = await keep_video(core, core.blobs)
        for _ in range(3):
            await replace(core, video, copying=False)

        assert len(await plans(core, video.id)) == 1
        source = await core.ask("pipeline.get_source", video=video.id)
        assert source.copy_refused

        await keep_generation(core, core.blobs, video.id, GenerationId("new"), PLAN, 0.0)
        async with core.engines.writer(SYSTEM) as work:
            (planned,) = await jobs_repository.of_video(work.session, video.id)
            await jobs_repository.finish(work.session, planned.id, now=work.now)
        await replace(core, video)

        assert [job.state for job in await plans(core, video.id)] == [JobState.DONE]


async def test_what_cannot_be_planned_is_not_planned_with_every_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After it failed for good there is a pause; the video stays what it was."""
    async with system(tmp_path) as core:
        video = await keep_video(core, core.blobs)
        await replace(core, video)
        for _ in range(jobs_repository.ATTEMPTS):
            job = await leased_job_now(core, video)
            await core.ask("pipeline.fail_job", job=job, error="broken", jitter=0.0)
        await replace(core, video)

        assert [job.state for job in await plans(core, video.id)] == [JobState.DEAD]
        assert (await core.ask("videos.get", video_id=video.id)).state is VideoState.READY

        monkeypatch.setattr(advance, "PLAN_AGAIN_S", -1.0)
        await replace(core, video)
        states = [job.state for job in await plans(core, video.id)]
        assert states == [JobState.DEAD, JobState.QUEUED]


async def test_workers_that_replace_each_other_come_to_rest(tmp_path: Path) -> None:
    """Two builds of the encoder, each at work in a process of its own, plan no video for ever."""
    async with system(tmp_path) as core:
        video = await keep_video(core, core.blobs)
        for _ in range(advance.MOST_PLANS):
            job = await leased_job(core, video, JobKind.PLAN)
            await core.ask("pipeline.finish_job", job=job)
        warming = await leased_job(core, video, JobKind.WARM)

        await core.ask(
            "pipeline.replace_generation", generation=video.generation, copying=True, job=warming
        )

        assert {job.state for job in await plans(core, video.id)} == {JobState.DONE}
        resting = await core.ask("jobs.show", job_id=warming.id)
        assert resting.state is JobState.QUEUED
        assert resting.run_at > resting.updated_at


async def leased_job_now(core: Core, video: Video) -> Job:
    """Take the job that plans *video*, whatever pause it is in."""
    async with core.engines.writer(SYSTEM) as work:
        await jobs_repository.enqueue(
            work.session, kind=JobKind.PLAN, video=video.id, owner=video.owner, now=work.now
        )
    return await leased_job(core, video, JobKind.PLAN)


async def test_a_warm_up_of_the_old_one_goes_on_with_the_new(tmp_path: Path) -> None:
    """It does not say "ready" of what is not served any more."""
    async with system(tmp_path) as core:
        video = await keep_video(core, core.blobs)
        old = video.generation
        job = await leased_job(core, video, JobKind.WARM)
        await keep_generation(core, core.blobs, video.id, GenerationId("new"), PLAN, 0.0)
        async with core.engines.writer(SYSTEM) as work:
            assert old is not None
            marked = await generations_repository.presences(work.session, old)

        is_ready = await core.ask(
            "pipeline.record_warm",
            job=job,
            generation=old,
            cursor=4,
            eligible=list(marked),
            pause_s=0.0,
            speeds={},
            left_s=None,
        )

        again = await leased_job(core, video, JobKind.WARM)
        assert not is_ready
        assert (again.id, again.cursor) == (job.id, 0)


async def test_a_deleted_video_is_not_planned(tmp_path: Path) -> None:
    async with system(tmp_path) as core:
        video = await keep_video(core, core.blobs)
        await core.runner.run("videos.delete", await actor_of(core), video_id=video.id)

        with pytest.raises(Gone):
            await replace(core, video)

        assert await plans(core, video.id) == []


async def test_a_plan_recorded_twice_costs_once(tmp_path: Path) -> None:
    """As when its worker was thought dead, or a replaced plan comes back."""
    async with system(tmp_path) as core:
        video = await keep_video(core, core.blobs)
        planned = Planned(
            generation=GenerationId("new"),
            plan=PLAN,
            document=encode_plan(PLAN),
            index_sizes={1: 500},
            remuxed=None,
            stored={TrackId("v360"): {0: 70}},
            damaged=set(),
        )
        cost = [await made_bytes(core)]
        for _ in range(2):
            job = await leased_job(core, video, JobKind.PLAN)
            await core.ask("pipeline.record_plan", job=job, planned=planned, speeds={})
            cost.append(await made_bytes(core) - cost[0])

        assert cost[1:] == [570, 570]


async def made_bytes(core: Core) -> int:
    async with core.engines.reader(SYSTEM) as work:
        return await space_repository.used_bytes(work.session)
