"""Names under which generations are served: unguessable, renewed when a video's visibility changes.

The blobs stay where they are; only the name in the addresses is new, so what a public cache kept
under the old one says nothing about the new.
"""

import msgspec
from sqlalchemy import delete, insert, select, update

from headwater.engines.database.port import Session
from headwater.engines.database.schema import streams, videos
from headwater.engines.entropy import public_id
from headwater.model.ids import AccountId, GenerationId, VideoId
from headwater.model.video import Visibility

NAME_LENGTH = 22  # 128 bits
RETIRED_SERVED_S = 6 * 3600.0  # a player that holds an old manifest may finish the video


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """What a name stands for, with all that decides who may read it."""

    name: str
    video: VideoId
    generation: GenerationId
    retired_at: float | None
    owner: AccountId
    visibility: Visibility
    deleted_at: float | None


async def open_stream(
    session: Session, video: VideoId, generation: GenerationId, *, now: float
) -> str:
    """Serve *generation* under a new name and retire the names before it."""
    await session.execute(
        update(streams)
        .where(streams.c.video == video, streams.c.retired_at.is_(None))
        .values(retired_at=now)
    )
    name = public_id(NAME_LENGTH)
    await session.execute(
        insert(streams).values(name=name, video=video, generation=generation, created_at=now)
    )
    await session.execute(update(videos).where(videos.c.id == video).values(stream=name))
    return name


async def renew(session: Session, video: VideoId, now: float) -> None:
    """Give the current generation of *video*, if there is one, a new name."""
    row = await session.row(select(videos.c.generation).where(videos.c.id == video))
    if row is not None and row["generation"]:
        await open_stream(session, video, row["generation"], now=now)


async def find(session: Session, name: str) -> Stream | None:
    row = await session.row(
        select(
            streams.c.name,
            streams.c.video,
            streams.c.generation,
            streams.c.retired_at,
            videos.c.owner,
            videos.c.visibility,
            videos.c.deleted_at,
        )
        .join(videos, videos.c.id == streams.c.video)
        .where(streams.c.name == name)
    )
    return msgspec.convert(dict(row), Stream) if row else None


async def forget_retired(session: Session, *, before: float) -> int:
    """Remove the names that were retired before then; return how many."""
    return await session.execute(delete(streams).where(streams.c.retired_at < before))
