"""Rows of generations and of their tracks (which segments are in the store, and their size)."""

from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import func, insert, select, update

from headwater.engines.database.port import Session
from headwater.engines.database.schema import generations, sources, tracks, videos
from headwater.model.ids import GenerationId, TrackId, VideoId
from headwater.model.upload import Extent
from headwater.pipeline import bitmap


class Presence(msgspec.Struct, frozen=True, kw_only=True):
    """What of one track is stored: *present* is a bitmap (see bitmap.py) of *segments* bits."""

    track: TrackId
    segments: int
    present: bytes
    stored_bytes: int

    def missing(self) -> list[int]:
        return [i for i in range(self.segments) if not bitmap.has(self.present, i)]


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    id: GenerationId
    video: VideoId
    encoder: str
    plan: bytes
    index_sizes: dict[int, int]
    retired_at: float | None


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What a video is made from; *remuxed* is the indexed copy where the container has no index.

    *copy_refused* once its own pictures turned out not to be what they seemed when it was planned.
    """

    extents: list[Extent]
    remuxed: list[Extent] | None
    copy_refused: bool
    filename: str
    size: int


_sizes = msgspec.msgpack.Decoder(dict[int, int])
_extents = msgspec.msgpack.Decoder(list[Extent])


async def add(
    session: Session,
    *,
    id: GenerationId,
    video: VideoId,
    encoder: str,
    plan: bytes,
    index_sizes: Mapping[int, int],
    segments: Mapping[TrackId, int],
    now: float,
) -> None:
    await session.execute(
        insert(generations).values(
            id=id,
            video=video,
            encoder=encoder,
            plan=plan,
            index_sizes=msgspec.msgpack.encode(dict(index_sizes)),
            created_at=now,
        )
    )
    await session.execute(
        insert(tracks).values(
            [
                {
                    "generation": id,
                    "track": track,
                    "segments": n,
                    "present": bitmap.empty(n),
                    "watched_at": now,  # what is new is not cold
                }
                for track, n in segments.items()
            ]
        )
    )


async def get(session: Session, id: GenerationId) -> Generation | None:
    row = await session.row(select(generations).where(generations.c.id == id))
    if row is None:
        return None
    return Generation(
        id=id,
        video=VideoId(row["video"]),
        encoder=row["encoder"],
        plan=row["plan"],
        index_sizes=_sizes.decode(row["index_sizes"]),
        retired_at=row["retired_at"],
    )


async def of_video(session: Session, video: VideoId) -> list[GenerationId]:
    rows = await session.rows(select(generations.c.id).where(generations.c.video == video))
    return [GenerationId(row["id"]) for row in rows]


async def retire(session: Session, video: VideoId, *, keep: GenerationId, now: float) -> None:
    """Mark every other generation of *video* as replaced at *now*, and *keep* as in use (again)."""
    others = [generations.c.id != keep, generations.c.retired_at.is_(None)]
    await session.execute(
        update(generations).where(generations.c.video == video, *others).values(retired_at=now)
    )
    await session.execute(
        update(generations).where(generations.c.id == keep).values(retired_at=None)
    )


async def presences(session: Session, generation: GenerationId) -> dict[TrackId, Presence]:
    rows = await session.rows(
        select(tracks.c.track, tracks.c.segments, tracks.c.present, tracks.c.stored_bytes).where(
            tracks.c.generation == generation
        )
    )
    return {TrackId(row["track"]): Presence(**row) for row in rows}


async def mark(
    session: Session,
    generation: GenerationId,
    track: TrackId,
    sizes: Mapping[int, int],
    *,
    damaged: int = 0,
) -> int:
    """Set the bits of *sizes* (index → bytes) and return how many bytes that added to the track."""
    row = await session.row(
        select(tracks.c.present).where(tracks.c.generation == generation, tracks.c.track == track)
    )
    if row is None:
        return 0
    present: bytes = row["present"]
    new = [index for index in sizes if not bitmap.has(present, index)]
    for index in new:
        present = bitmap.with_bit(present, index)
    added = sum(sizes[index] for index in new)
    await session.execute(
        update(tracks)
        .where(tracks.c.generation == generation, tracks.c.track == track)
        .values(
            present=present,
            stored_bytes=tracks.c.stored_bytes + added,
            damaged=tracks.c.damaged + (damaged if new else 0),
        )
    )
    return added


async def add_stored_bytes(session: Session, video: VideoId, added: int) -> None:
    await session.execute(
        update(videos)
        .where(videos.c.id == video)
        .values(stored_bytes=videos.c.stored_bytes + added)
    )


async def touch(session: Session, watched: Mapping[tuple[str, str], float]) -> None:
    """Remember when tracks were last watched: (generation, track) → Unix seconds."""
    for (generation, track), at in watched.items():
        await session.execute(
            update(tracks)
            .where(tracks.c.generation == generation, tracks.c.track == track)
            .values(watched_at=at)
        )


async def source(session: Session, video: VideoId) -> Source | None:
    row = await session.row(select(sources).where(sources.c.video == video))
    if row is None:
        return None
    return Source(
        extents=_extents.decode(row["extents"]),
        remuxed=_extents.decode(row["remuxed"]) if row["remuxed"] else None,
        copy_refused=row["copy_refused"],
        filename=row["filename"],
        size=row["size"],
    )


async def set_extents(session: Session, video: VideoId, extents: Sequence[Extent]) -> None:
    await session.execute(
        update(sources)
        .where(sources.c.video == video)
        .values(extents=msgspec.msgpack.encode(list(extents)))
    )


async def set_remuxed(session: Session, video: VideoId, extents: Sequence[Extent]) -> None:
    await session.execute(
        update(sources)
        .where(sources.c.video == video)
        .values(remuxed=msgspec.msgpack.encode(list(extents)))
    )


async def refuse_copy(session: Session, video: VideoId) -> None:
    """Remember that the pictures of *video*'s source must never be offered as they are."""
    await session.execute(update(sources).where(sources.c.video == video).values(copy_refused=True))


async def damaged(session: Session, generation: GenerationId) -> int:
    """Return how many segments of all tracks were made from damaged bytes."""
    row = await session.row(
        select(func.coalesce(func.sum(tracks.c.damaged), 0).label("n")).where(
            tracks.c.generation == generation
        )
    )
    return int(row["n"]) if row else 0


async def unmark(
    session: Session, generation: GenerationId, track: TrackId, sizes: Mapping[int, int]
) -> int:
    """Clear the bits of *sizes* (index → bytes) and return how many bytes that took away."""
    row = await session.row(
        select(tracks.c.present).where(tracks.c.generation == generation, tracks.c.track == track)
    )
    if row is None:
        return 0
    present: bytes = row["present"]
    removed = 0
    for index, size in sizes.items():
        if bitmap.has(present, index):
            present = bitmap.with_bit(present, index, present=False)
            removed += size
    await session.execute(
        update(tracks)
        .where(tracks.c.generation == generation, tracks.c.track == track)
        .values(present=present, stored_bytes=tracks.c.stored_bytes - removed)
    )
    return removed
