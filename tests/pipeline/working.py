"""A worker beside the test, with whatever codec the test gives it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from headwater.compose.core import Core
from headwater.delivery.demand import Demands
from headwater.engines.blobs.port import BlobKey, Stored
from headwater.engines.media.port import Media
from headwater.library import videos_repository
from headwater.model.actor import SYSTEM
from headwater.model.ids import TrackId, VideoId
from headwater.model.job import JobKind
from headwater.model.upload import Extent
from headwater.model.video import Video, VideoState
from headwater.pipeline import jobs_repository
from headwater.pipeline.warm import Warmth
from headwater.pipeline.worker import Worker, WorkerSettings
from headwater.planning.document import decode_plan
from headwater.planning.plan import PlanSettings
from headwater.uploads import repository as uploads_repository
from tests.pipeline.kept import units_of
from tests.support.system import actor_of, add_video

WITHIN_S = 60.0


@asynccontextmanager
async def working(
    core: Core, media: Media, *, warmth: Warmth = "none", holder: str = "tests"
) -> AsyncIterator[Worker]:
    """Run a worker while the block runs; what it is making at the end is left."""
    worker = Worker(
        ask=core.ask,
        blobs=core.blobs,
        media=media,
        notices=core.notices,
        holder=holder,
        settings=WorkerSettings(
            encoders=1,
            warmth=warmth,
            floor_bytes=0,
            planning=PlanSettings(),
            secret=b"s" * 32,
        ),
    )
    async with anyio.create_task_group() as group:
        group.start_soon(worker.run)
        yield worker
        group.cancel_scope.cancel()


async def process(core: Core, path: Path) -> Video:
    """Hand *path* in as an upload that ended, and wait until it can be played."""
    video = await add_video(core, await actor_of(core), state=VideoState.PROCESSING)
    body = await anyio.Path(path).read_bytes()
    stored = await core.blobs.put_absent(BlobKey(f"uploads/{video.id}/0"), body)
    async with core.engines.writer(SYSTEM) as work:
        await uploads_repository.add_source(
            work.session,
            video.id,
            filename=path.name,
            size=stored.size,
            extents=[Extent(f"uploads/{video.id}/0", stored.size)],
        )
        await jobs_repository.enqueue(
            work.session, kind=JobKind.PLAN, video=video.id, owner=video.owner, now=work.now
        )
        work.notices.append(("jobs", b""))
    return await until(core, video.id, VideoState.PLAYABLE, VideoState.READY)


async def until(core: Core, id: VideoId, *states: VideoState) -> Video:
    """Wait until the video is in one of *states*."""
    with anyio.fail_after(WITHIN_S):
        while True:
            async with core.engines.reader(SYSTEM) as work:
                video = await videos_repository.get(work.session, id)
            if video.state in states:
                return video
            await anyio.sleep(0.02)


def demands_of(core: Core) -> Demands:
    return Demands(units=units_of(core), blobs=core.blobs, notices=core.notices, clock=core.clock)


async def watch(core: Core, video: Video, track: str, index: int) -> Stored:
    """Wait for a segment as a player does who asks once."""
    assert video.generation is not None
    opened = await core.ask("pipeline.open_generation", generation=video.generation)
    segments = decode_plan(opened.generation.plan).segments_of(TrackId(track))
    return await demands_of(core).until_there(
        video.id, video.generation, TrackId(track), index, segments=segments or 0, client="ann"
    )
