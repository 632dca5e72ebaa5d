"""Compacting a source: many small extents become few large ones, or the original is given up.

Runs once a video is ready, so nobody waits for it. An upload over a slow line leaves an extent
every few seconds; reading a window would then open many files for few bytes.
"""

from collections.abc import AsyncIterator, Sequence

from headwater.engines.blobs.port import BlobKey, Blobs, chunks_of
from headwater.engines.database.port import Session
from headwater.engines.work import Units
from headwater.library import changes, videos_repository
from headwater.model.errors import BlobNotFound
from headwater.model.ids import GenerationId, VideoId
from headwater.model.job import Job
from headwater.model.upload import Extent
from headwater.model.video import VideoState
from headwater.pipeline import bitmap, generations_repository, jobs_repository, removal_repository
from headwater.pipeline.generations_repository import Generation
from headwater.pipeline.keys import INIT, PICTURES, blob_key
from headwater.planning.document import decode_plan
from headwater.planning.pictures import storyboard

MANY_EXTENTS = 32
SMALL_BYTES = 4 << 20  # a mean below this is worth the copying
LARGE_BYTES = 256 << 20


async def compact(*, units: Units, blobs: Blobs, job: Job, keep_original: bool) -> None:
    """Give up the original of *job*'s video, or join its extents, or leave both; then finish."""
    async with units.reader() as work:
        source = await generations_repository.source(work.session, job.video)
        whole = await _whole(work.session, job.video)
    if source is not None and source.extents:
        if not keep_original and whole is not None:
            if await _all_stored(whole, blobs):
                await _give_up(job.video, whole.id, units=units, blobs=blobs)
        elif len(source.extents) > MANY_EXTENTS and source.size < SMALL_BYTES * len(source.extents):
            await _join(job.video, source.extents, units=units, blobs=blobs)
    async with units.writer() as work:
        await jobs_repository.finish(work.session, job.id, now=work.now)


async def _whole(session: Session, video: VideoId) -> Generation | None:
    """Return what a ready video is served from if every segment of it is stored."""
    found = await videos_repository.find(session, video)
    if found is None or found.generation is None or found.state is not VideoState.READY:
        return None
    presences = await generations_repository.presences(session, found.generation)
    if any(bitmap.count(p.present) < p.segments for p in presences.values()):
        return None
    return await generations_repository.get(session, found.generation)


async def _all_stored(generation: Generation, blobs: Blobs) -> bool:
    """Say whether inits and pictures, which no bitmap counts, are in the store as well."""
    plan = decode_plan(generation.plan)
    wanted = [(track, INIT) for track in plan.track_ids()]
    if plan.video is not None:
        wanted += [(PICTURES, index) for index in range(storyboard(plan.video).sheets + 1)]
    try:
        for track, index in wanted:
            await blobs.stat(blob_key(generation.video, generation.id, track, index))
    except BlobNotFound:
        return False
    return True


async def _give_up(video: VideoId, generation: GenerationId, *, units: Units, blobs: Blobs) -> None:
    """Forget the source first: a crash then leaves bytes, never a row that names none.

    What was evicted or planned anew since *generation* was looked at keeps the source.
    """
    async with units.writer() as work:
        whole = await _whole(work.session, video)
        if whole is None or whole.id != generation:
            return
        keys = await removal_repository.extent_keys(work.session, video)
        found = await videos_repository.get(work.session, video)
        await removal_repository.forget_source(work.session, found)
        await changes.change(work, video, source_bytes=0)
    for key in keys:
        await blobs.delete(key)


async def _join(video: VideoId, old: Sequence[Extent], *, units: Units, blobs: Blobs) -> None:
    groups: list[list[Extent]] = [[]]
    for extent in old:
        if groups[-1] and sum(e.size for e in groups[-1]) + extent.size > LARGE_BYTES:
            groups.append([])
        groups[-1].append(extent)
    joined: list[Extent] = []
    for group in groups:
        key = BlobKey(f"{video}/source/{group[0].key.rsplit('/', 1)[-1]}")
        stored = await blobs.put_absent(key, _bytes_of(group, blobs))
        joined.append(Extent(key, stored.size))
    async with units.writer() as work:
        source = await generations_repository.source(work.session, video)
        if source is None or source.extents != list(old):
            return
        await generations_repository.set_extents(work.session, video, joined)
    for extent in old:
        await blobs.delete(BlobKey(extent.key))


async def _bytes_of(extents: Sequence[Extent], blobs: Blobs) -> AsyncIterator[bytes]:
    for extent in extents:
        async for chunk in chunks_of(blobs, BlobKey(extent.key)):
            yield chunk
