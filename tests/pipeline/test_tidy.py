"""The past leaves the tables; what is alive, or only just ended, stays."""

from pathlib import Path

import pytest

from headwater.model.actor import SYSTEM
from headwater.model.ids import GenerationId, TrackId
from headwater.model.job import JobKind
from headwater.pipeline import jobs_repository, leases_repository
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
