"""What nobody waits for any more is dropped at once, and left as if nobody had taken it."""

import asyncio
from pathlib import Path

import anyio
import pytest
from sqlalchemy import select

from headwater.compose.core import Core
from headwater.engines.database.schema import leases
from headwater.model.actor import SYSTEM
from headwater.model.ids import VideoId
from headwater.model.job import Job, JobKind, JobState
from tests.pipeline.test_demanded import Starved
from tests.pipeline.working import process, working
from tests.support.clips import FFMPEG, make_clip
from tests.support.system import actor_of, system

pytestmark = pytest.mark.anyio
SOON_S = 5.0


async def given_back(core: Core, video: VideoId) -> Job:
    """Wait until nobody holds the warm-up of *video*."""
    with anyio.fail_after(SOON_S):
        while True:
            jobs: list[Job] = await core.ask("jobs.list")
            [warm] = [job for job in jobs if job.video == video and job.kind is JobKind.WARM]
            if warm.state is not JobState.LEASED:
                return warm
            await anyio.sleep(0.02)


@pytest.mark.parametrize("how", ["the worker stops", "the video is deleted"])
async def test_a_warm_up_is_dropped_and_given_back(clips: Path, tmp_path: Path, how: str) -> None:
    """At once, though its encode would never end; neither an error nor a lease stays behind."""
    media = await Starved.open(FFMPEG)
    media.fed, media.waiting = asyncio.Event(), asyncio.Event()
    async with system(tmp_path) as core:
        async with working(core, media, warmth="all") as worker:
            video = await process(core, make_clip("h264_ladder", clips))
            with anyio.fail_after(30):
                await media.waiting.wait()

            assert worker.waits_for == []
            if how == "the worker stops":
                worker.stop()
            else:
                owner = await actor_of(core)
                await core.runner.run("videos.delete", owner, video_id=video.id)
            warm = await given_back(core, video.id)

        assert (warm.state, warm.error, warm.attempts) == (JobState.QUEUED, None, 0)
        async with core.engines.reader(SYSTEM) as work:
            assert await work.session.rows(select(leases)) == []
