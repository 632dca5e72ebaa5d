"""Compacting a source: many small extents become few large ones, or the original is given up.

Runs once a video is ready, so nobody waits for it. An upload over a slow line leaves an extent
every few seconds; reading a window would then open many files for few bytes.
"""

from collections.abc import AsyncIterator, Sequence

from headwater.engines.blobs.port import BlobKey, Blobs
from headwater.engines.work import Units
from headwater.library import changes, videos_repository
from headwater.model.ids import VideoId
from headwater.model.job import Job
from headwater.model.upload import Extent
from headwater.model.video import VideoState
from headwater.pipeline import bitmap, generations_repository, jobs_repository, removal_repository

MANY_EXTENTS = 32
SMALL_BYTES = 4 << 20  # a mean below this is worth the copying
LARGE_BYTES = 256 << 20


async def compact(*, units: Units, blobs: Blobs, job: Job, keep_original: bool) -> None:
    """Give up the original of *job*'s video, or join its extents, or leave both; then finish."""
    async with units.reader() as work:
        video = await videos_repository.find(work.session, job.video)
        source = await generations_repository.source(work.session, job.video)
        complete = False
        if video is not None and video.generation is not None:
            presences = await generations_repository.presences(work.session, video.generation)
            complete = all(bitmap.count(p.present) == p.segments for p in presences.values())
    if video is not None and source is not None and source.extents:
        if not keep_original and complete and video.state is VideoState.READY:
            await _give_up(job.video, units=units, blobs=blobs)
        elif len(source.extents) > MANY_EXTENTS and source.size < SMALL_BYTES * len(source.extents):
            await _join(job.video, source.extents, units=units, blobs=blobs)
    async with units.writer() as work:
        await jobs_repository.finish(work.session, job.id, now=work.now)


async def _give_up(video: VideoId, *, units: Units, blobs: Blobs) -> None:
    """Forget the source first: a crash then leaves bytes, never a row that names none."""
    async with units.writer() as work:
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
        async for chunk in blobs.read(BlobKey(extent.key)):
            yield chunk
