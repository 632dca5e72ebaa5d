"""The past leaves the tables; what is alive, or only just ended, stays."""

from pathlib import Path

import pytest

from headwater.library import changes, streams_repository
from headwater.library.streams_repository import RETIRED_SERVED_S
from headwater.model.actor import SYSTEM
from headwater.model.ids import GenerationId, TrackId
from headwater.model.job import JobKind
from headwater.pipeline import generations_repository, jobs_repository, leases_repository
from headwater.pipeline.tidy import MARGIN_S
from tests.pipeline.kept import PLAN, keep_generation, keep_video, leased_job, stored
from tests.support.system import actor_of, add_video, system

pytestmark = pytest.mark.anyio


async def test_expired_leases_go_and_fresh_jobs_stay(tmp_path: Path) -> None:
    async with system(tmp_path) as core:
        owner = await actor_of(core)
        video = await add_video(core, owner)
        assert owner.account is not None
        async with core.engines.writer(SYSTEM) as work:
            job = await jobs_repository.enqueue(
                work.session, kind=JobKind.WARM, video=video.id, owner=owner.account, now=work.now
            )
            await jobs_repository.finish(work.session, job, now=work.now)
            for index, until in enumerate((work.now - 1, work.now + 60)):
                await leases_repository.acquire(
                    work.session,
                    GenerationId("g"),
                    TrackId("v240"),
                    index,
                    holder="a worker",
                    now=work.now,
                    until=until,
                )

        assert await core.ask("pipeline.tidy") == 1

        assert (await core.ask("jobs.show", job_id=job)).id == job


@pytest.mark.parametrize("over_s", [1.0, -60.0])
async def test_what_no_name_serves_any_more_goes(tmp_path: Path, over_s: float) -> None:
    """A replaced generation goes with its last name, rows and blobs; not a moment before."""
    age_s = RETIRED_SERVED_S + MARGIN_S + over_s
    async with system(tmp_path) as core:
        video = await keep_video(core, core.blobs, age_s=age_s + 60)
        old, cost = video.generation, video.stored_bytes
        new = GenerationId("new")
        video = await keep_generation(core, core.blobs, video.id, new, PLAN, age_s)

        gone = await core.ask("pipeline.tidy")

        left = await stored(core.blobs, f"{video.id}/{old}/")
        async with core.engines.reader(SYSTEM) as work:
            found = await generations_repository.of_video(work.session, video.id)
            shown = await core.ask("videos.get", video_id=video.id)
            assert await streams_repository.find(work.session, video.stream or "") is not None
        if over_s > 0:
            assert (gone, left, found) == (2, set(), [new])
            assert shown.stored_bytes == cost
        else:
            assert gone == 0
            assert left
            assert sorted(found) == sorted([str(old), str(new)])
        assert await stored(core.blobs, f"{video.id}/{new}/")


async def test_a_generation_that_may_be_planned_again_stays(tmp_path: Path) -> None:
    """The same plan has the same name: while one is made, the blobs may be its own."""
    age_s = RETIRED_SERVED_S + MARGIN_S + 1
    async with system(tmp_path) as core:
        video = await keep_video(core, core.blobs, age_s=age_s + 60)
        old = video.generation
        await keep_generation(core, core.blobs, video.id, GenerationId("new"), PLAN, age_s)
        await leased_job(core, video, JobKind.PLAN)

        assert await core.ask("pipeline.tidy") == 1  # the name

        assert await stored(core.blobs, f"{video.id}/{old}/")


async def test_a_generation_that_comes_back_stays(tmp_path: Path) -> None:
    """An encoder that was changed and changed back serves, and keeps, what it once made."""
    age_s = RETIRED_SERVED_S + MARGIN_S + 1
    async with system(tmp_path) as core:
        video = await keep_video(core, core.blobs, age_s=age_s + 60)
        old = video.generation
        assert old is not None
        await keep_generation(core, core.blobs, video.id, GenerationId("new"), PLAN, age_s)
        async with core.engines.writer(SYSTEM) as work:
            await generations_repository.retire(work.session, video.id, keep=old, now=work.now)
            await streams_repository.open_stream(work.session, video.id, old, now=work.now)
            await changes.change(work, video.id, generation=old)

        await core.ask("pipeline.tidy")

        async with core.engines.reader(SYSTEM) as work:
            found = await generations_repository.get(work.session, old)
        assert found is not None
        assert found.retired_at is None
        assert await stored(core.blobs, f"{video.id}/{old}/")
