"""A video whose rows and blobs say that all of it was made, an hour ago, without a codec."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from headwater.compose.core import Core
from headwater.engines.blobs.filesystem import FileBlobs
from headwater.engines.blobs.port import BlobKey, Blobs, Stored
from headwater.library import changes, streams_repository
from headwater.model.actor import SYSTEM
from headwater.model.ids import GenerationId, TrackId, VideoId
from headwater.model.job import Job, JobKind
from headwater.model.plan import Plan
from headwater.model.upload import Extent
from headwater.model.video import Video, VideoState
from headwater.operations.units import ActorUnits
from headwater.pipeline import generations_repository, jobs_repository
from headwater.pipeline.keys import INIT, PICTURES, blob_key
from headwater.planning.document import encode_plan
from headwater.planning.pictures import storyboard
from headwater.uploads import repository as uploads_repository
from tests.planning.tables import plan_of, sound, video
from tests.support.system import actor_of, add_video

AN_HOUR_S = 3600.0
BODY = b"a segment"
PLAN = plan_of(video(40), sound(40))

Meanwhile = Callable[[], Awaitable[Any]]


class Interrupted(FileBlobs):
    """A store in which something happens just before a blob is looked at, or just before it goes.

    Each happens once.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, secret=b"s" * 32)
        self.before_stat: Meanwhile | None = None
        self.before_delete: Meanwhile | None = None

    async def stat(self, key: BlobKey) -> Stored:
        meanwhile, self.before_stat = self.before_stat, None
        if meanwhile:
            await meanwhile()
        return await super().stat(key)

    async def delete(self, key: BlobKey) -> None:
        meanwhile, self.before_delete = self.before_delete, None
        if meanwhile:
            await meanwhile()
        await super().delete(key)


def units_of(core: Core) -> ActorUnits:
    return ActorUnits(core.engines, SYSTEM)


async def keep_video(
    core: Core, blobs: Blobs, *, plan: Plan = PLAN, age_s: float = AN_HOUR_S, **fields: Any
) -> Video:
    """Make a ready video of *plan*, all of it stored, with a source of one extent and a stream."""
    made = await add_video(core, await actor_of(core), state=VideoState.READY, **fields)
    original = await blobs.put_absent(BlobKey(f"uploads/{made.id}/0"), b"the original")
    async with core.engines.writer(SYSTEM) as work:
        extent = Extent(f"uploads/{made.id}/0", original.size)
        await uploads_repository.add_source(
            work.session, made.id, filename="a.mp4", size=original.size, extents=[extent]
        )
    return await keep_generation(core, blobs, made.id, GenerationId(f"g{made.id}"), plan, age_s)


async def keep_generation(
    core: Core, blobs: Blobs, id: VideoId, generation: GenerationId, plan: Plan, age_s: float
) -> Video:
    """Serve *id* from *generation* of *plan* since *age_s* ago, all of it stored."""
    tracks = {track: plan.segments_of(track) or 0 for track in plan.track_ids()}
    wanted = [(track, index) for track, n in tracks.items() for index in range(INIT, n)]
    if plan.video:
        wanted += [(PICTURES, index) for index in range(storyboard(plan.video).sheets + 1)]
    for track, index in wanted:
        await blobs.put_absent(blob_key(id, generation, track, index), BODY)
    async with core.engines.writer(SYSTEM) as work:
        then = work.now - age_s
        await generations_repository.add(
            work.session,
            id=generation,
            video=id,
            encoder=plan.encoder,
            plan=encode_plan(plan),
            index_sizes={},
            segments=tracks,
            now=then,
        )
        for track, n in tracks.items():
            sizes = dict.fromkeys(range(n), len(BODY))
            added = await generations_repository.mark(work.session, generation, track, sizes)
            await generations_repository.add_stored_bytes(work.session, id, added)
        await generations_repository.retire(work.session, id, keep=generation, now=then)
        await streams_repository.open_stream(work.session, id, generation, now=then)
        return await changes.change(work, id, generation=generation)


async def leased_job(core: Core, video: Video, kind: JobKind) -> Job:
    """Queue a job of *kind* for *video* and take it as a worker does."""
    async with core.engines.writer(SYSTEM) as work:
        await jobs_repository.enqueue(
            work.session, kind=kind, video=video.id, owner=video.owner, now=work.now
        )
        job = await jobs_repository.lease_next(
            work.session, kinds=[kind], holder="tests", now=work.now, lease_s=60.0
        )
    assert job is not None
    return job


async def marked(core: Core, generation: GenerationId | None) -> dict[TrackId, list[int]]:
    """Return the segments that the rows say are stored, by track."""
    assert generation is not None
    async with core.engines.reader(SYSTEM) as work:
        found = await generations_repository.presences(work.session, generation)
    return {t: sorted(set(range(p.segments)) - set(p.missing())) for t, p in found.items()}


async def stored(blobs: Blobs, prefix: str) -> set[str]:
    return {key async for key, _ in blobs.list(prefix)}
