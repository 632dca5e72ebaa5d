"""Which jobs wait, as rows."""

import pytest

from headwater.compose.core import Core
from headwater.model.actor import SYSTEM
from headwater.model.job import JobKind
from headwater.pipeline import jobs_repository
from tests.pipeline.kept import keep_video
from tests.support.system import actor_of

pytestmark = pytest.mark.anyio

KINDS = (JobKind.PLAN, JobKind.WARM, JobKind.COMPACT)


async def test_of_a_deleted_video_nothing_more_is_made_until_it_is_restored(core: Core) -> None:
    owner = await actor_of(core)
    video = await keep_video(core, core.blobs)
    async with core.engines.writer(SYSTEM) as work:
        await jobs_repository.enqueue(
            work.session, kind=JobKind.WARM, video=video.id, owner=video.owner, now=work.now
        )

    async def leased() -> list[JobKind]:
        job = await core.ask("pipeline.lease_job", holder="tests", kinds=KINDS)
        return [job.kind] if job else []

    await core.runner.run("videos.delete", owner, video_id=video.id)
    assert await leased() == []

    await core.runner.run("videos.restore", owner, video_id=video.id)
    assert await leased() == [JobKind.WARM]
