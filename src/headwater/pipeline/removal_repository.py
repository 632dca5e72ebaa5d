"""Removing every row of a video, and finding the blobs its rows name."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import delete, select, update

from headwater.engines.blobs.port import BlobKey
from headwater.engines.database.port import Session
from headwater.engines.database.schema import (
    accounts,
    demands,
    generations,
    leases,
    sources,
    streams,
    tracks,
    upload_extents,
    uploads,
    videos,
)
from headwater.model.ids import GenerationId, VideoId
from headwater.model.upload import Extent
from headwater.model.video import Video

_extents = msgspec.msgpack.Decoder(list[Extent])


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
