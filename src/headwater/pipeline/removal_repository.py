"""Removing every row of a video, and finding the blobs its rows name."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import delete, exists, func, select, update

from headwater.engines.blobs.port import BlobKey
from headwater.engines.database.port import Session
from headwater.engines.database.schema import (
    accounts,
    demands,
    generations,
    jobs,
    leases,
    sources,
    streams,
    tracks,
    upload_extents,
    uploads,
    videos,
)
from headwater.model.ids import GenerationId, VideoId
from headwater.model.job import JobKind, JobState
from headwater.model.upload import Extent
from headwater.model.video import Video

_extents = msgspec.msgpack.Decoder(list[Extent])
_sizes = msgspec.msgpack.Decoder(dict[int, int])


async def extent_keys(session: Session, video: VideoId) -> list[BlobKey]:
    """Return the keys of every extent of the video's source and of its unfinished uploads."""
    keys: set[str] = set()
    row = await session.row(
        select(sources.c.extents, sources.c.remuxed).where(sources.c.video == video)
    )
    if row is not None:
        for document in (row["extents"], row["remuxed"]):
            keys |= {extent.key for extent in _extents.decode(document)} if document else set()
    pending = await session.rows(
        select(upload_extents.c.key)
        .join(uploads, uploads.c.id == upload_extents.c.upload)
        .where(uploads.c.video == video)
    )
    keys |= {extent["key"] for extent in pending}
    return [BlobKey(key) for key in sorted(keys)]


async def upload_prefixes(session: Session, video: VideoId) -> list[str]:
    """Return where parts of its uploads lie, also those whose server died before their row."""
    rows = await session.rows(select(uploads.c.id).where(uploads.c.video == video))
    return [f"uploads/{row['id']}/" for row in rows]


async def remove_video(
    session: Session, video: Video, generation_ids: Sequence[GenerationId]
) -> None:
    """Delete every row of *video* and give its bytes back to the owner's quota."""
    for table in (demands, leases, tracks):
        await session.execute(delete(table).where(table.c.generation.in_(generation_ids)))
    for table in (streams, generations, sources):
        await session.execute(delete(table).where(table.c.video == video.id))
    of_video = select(uploads.c.id).where(uploads.c.video == video.id)
    await session.execute(delete(upload_extents).where(upload_extents.c.upload.in_(of_video)))
    await session.execute(delete(uploads).where(uploads.c.video == video.id))
    await session.execute(delete(videos).where(videos.c.id == video.id))
    await session.execute(
        update(accounts)
        .where(accounts.c.id == video.owner)
        .values(used_bytes=accounts.c.used_bytes - video.source_bytes)
    )


async def forget_source(session: Session, video: Video) -> None:
    """Let the rows of *video* name no original any more, and give its bytes back to the owner."""
    await session.execute(
        update(sources)
        .where(sources.c.video == video.id)
        .values(extents=msgspec.msgpack.encode([]), remuxed=None, size=0)
    )
    await session.execute(
        update(accounts)
        .where(accounts.c.id == video.owner)
        .values(used_bytes=accounts.c.used_bytes - video.source_bytes)
    )


async def unserved_generations(
    session: Session, *, retired_before: float, limit: int, only: GenerationId | None = None
) -> list[tuple[VideoId, GenerationId]]:
    """Return replaced generations that no stream names and no video is served from any more.

    Those of a video with a live plan or warm-up are left out: it may come back to the same plan.
    """
    of_video = videos.c.id == generations.c.video
    chosen = (
        select(generations.c.video, generations.c.id)
        .where(
            generations.c.retired_at < retired_before,
            ~exists().where(
                streams.c.video == generations.c.video, streams.c.generation == generations.c.id
            ),
            ~exists().where(of_video, videos.c.generation == generations.c.id),
            ~exists().where(
                jobs.c.video == generations.c.video,
                jobs.c.kind.in_((JobKind.PLAN, JobKind.WARM)),
                jobs.c.state.in_((JobState.QUEUED, JobState.LEASED)),
            ),
        )
        .limit(limit)
    )
    if only is not None:
        chosen = chosen.where(generations.c.id == only)
    return [(VideoId(row["video"]), GenerationId(row["id"])) for row in await session.rows(chosen)]


async def remove_generation(session: Session, video: VideoId, generation: GenerationId) -> None:
    """Delete every row of one generation, and its bytes from what its video costs."""
    name = generations.c.id == generation
    row = await session.row(select(generations.c.index_sizes).where(name))
    made = await session.row(
        select(func.coalesce(func.sum(tracks.c.stored_bytes), 0).label("n")).where(
            tracks.c.generation == generation
        )
    )
    if row is None:
        return
    freed = sum(_sizes.decode(row["index_sizes"]).values()) + (int(made["n"]) if made else 0)
    for table in (demands, leases, tracks):
        await session.execute(delete(table).where(table.c.generation == generation))
    await session.execute(delete(generations).where(name))
    await session.execute(
        update(videos)
        .where(videos.c.id == video)
        .values(stored_bytes=videos.c.stored_bytes - freed)
    )
