"""Which blobs the rows speak of, and rows made true again for a store that holds fewer."""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec
from sqlalchemy import delete, func, select, update

from headwater.engines.blobs.port import BlobKey
from headwater.engines.database.port import Session
from headwater.engines.database.schema import (
    consumers,
    demands,
    generations,
    jobs,
    leases,
    placed_parts,
    processes,
    sources,
    tracks,
    upload_extents,
    uploads,
    videos,
)
from headwater.library import videos_repository
from headwater.model.ids import GenerationId, TrackId, VideoId
from headwater.model.job import JobState
from headwater.model.upload import Extent
from headwater.operations import places
from headwater.pipeline import (
    bitmap,
    generations_repository,
    jobs_repository,
    removal_repository,
)
from headwater.pipeline.generations_repository import Presence
from headwater.pipeline.keys import (
    PICTURES,
    generation_prefix,
    init_key,
    sample_index_key,
    segment_key,
)

UNSERVED_A_TURN = 1000

_extents = msgspec.msgpack.Decoder(list[Extent])
_sizes = msgspec.msgpack.Decoder(dict[int, int])


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A generation and its tracks. *is_remakeable*: its source is there to make segments from."""

    id: GenerationId
    video: VideoId
    index_sizes: dict[int, int]
    presences: dict[TrackId, Presence]
    is_remakeable: bool

    @property
    def prefix(self) -> str:
        return generation_prefix(self.video, self.id)

    @property
    def pictures_prefix(self) -> str:
        return f"{self.prefix}{PICTURES}/"

    def needed(self) -> list[BlobKey]:
        """Return the keys it cannot do without."""
        keys = [sample_index_key(self.video, self.id, number) for number in self.index_sizes]
        if not self.is_remakeable:
            keys += self.inits()
            keys += [
                segment_key(self.video, self.id, track, index)
                for track, presence in self.presences.items()
                for index in range(presence.segments)
                if bitmap.has(presence.present, index)
            ]
        return keys

    def inits(self) -> list[BlobKey]:
        """Return the keys of its init segments; the warm-up makes most of them."""
        return [init_key(self.video, self.id, track) for track in self.presences]


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """All that the rows of one moment speak of."""

    videos: int
    extents: list[BlobKey]
    placed: list[BlobKey]
    made: list[Made]

    def needed(self) -> list[BlobKey]:
        """Return the keys of what must be there."""
        return self.extents + [key for generation in self.made for key in generation.needed()]

    def perhaps(self) -> list[BlobKey]:
        """Return the keys of what is worth keeping if it is there.

        Init segments are: a newer encoder's may not fit the older segments.
        """
        return self.placed + [key for generation in self.made for key in generation.inits()]


async def drop_doomed(session: Session, *, now: float, undo_s: float) -> None:
    """Remove what the server is about to remove, or is removing: its blobs may be half gone.

    That is every video whose undo window is over, and every generation that nobody can ask for.
    """
    over = await session.rows(select(videos.c.id).where(videos.c.deleted_at <= now - undo_s))
    for row in over:
        video = await videos_repository.get(session, VideoId(row["id"]))
        made = await generations_repository.of_video(session, video.id)
        await removal_repository.remove_video(session, video, made)
        await jobs_repository.cancel_for_video(session, video.id, now=now)
    while unserved := await removal_repository.unserved_generations(
        session, retired_before=now, limit=UNSERVED_A_TURN
    ):
        for of_video, generation in unserved:
            await removal_repository.remove_generation(session, of_video, generation)


async def named(session: Session) -> Named:
    """Return what the rows speak of now."""
    return Named(
        videos=await _count_videos(session),
        extents=await _extent_keys(session),
        placed=await _placed_keys(session),
        made=await _generations_made(session),
    )


async def _extent_keys(session: Session) -> list[BlobKey]:
    """Return the keys of every source and of every upload under way."""
    documents = await session.rows(select(sources.c.extents, sources.c.remuxed))
    pending = await session.rows(
        select(upload_extents.c.key).join(uploads, uploads.c.id == upload_extents.c.upload)
    )
    keys = {row["key"] for row in pending}
    for row in documents:
        for document in filter(None, (row["extents"], row["remuxed"])):
            keys |= {extent.key for extent in _extents.decode(document)}
    return [BlobKey(key) for key in sorted(keys)]


async def _placed_keys(session: Session) -> list[BlobKey]:
    """Return the keys of parts that clients placed and have not committed; some are not there."""
    rows = await session.rows(select(placed_parts.c.key).order_by(placed_parts.c.key))
    return [BlobKey(row["key"]) for row in rows]


async def _generations_made(session: Session) -> list[Made]:
    """Return every generation, the replaced ones too: players that began with one go on."""
    rows = await session.rows(
        select(
            generations.c.id,
            generations.c.video,
            generations.c.index_sizes,
            func.coalesce(sources.c.size, 0).label("source_size"),
        )
        .join(sources, sources.c.video == generations.c.video, isouter=True)
        .order_by(generations.c.id)
    )
    return [
        Made(
            id=row["id"],
            video=row["video"],
            index_sizes=_sizes.decode(row["index_sizes"]),
            presences=await generations_repository.presences(session, row["id"]),
            is_remakeable=row["source_size"] > 0,
        )
        for row in rows
    ]


async def set_present(session: Session, made: Iterable[Made], sizes: Mapping[BlobKey, int]) -> None:
    """Let the rows of *made* say that exactly the segments in *sizes* (key → bytes) are stored."""
    stored: Counter[VideoId] = Counter()
    for generation in made:
        stored[generation.video] += sum(generation.index_sizes.values())
        for track in generation.presences.values():
            stored[generation.video] += await _set_track(session, generation, track, sizes)
    for video, stored_bytes in stored.items():
        await session.execute(
            update(videos).where(videos.c.id == video).values(stored_bytes=stored_bytes)
        )


async def _set_track(
    session: Session, made: Made, presence: Presence, sizes: Mapping[BlobKey, int]
) -> int:
    """Write which segments of one track are in *sizes*, and return their bytes."""
    present, stored_bytes = bitmap.empty(presence.segments), 0
    for index in range(presence.segments):
        size = sizes.get(segment_key(made.video, made.id, presence.track, index))
        if size is not None:
            present, stored_bytes = bitmap.with_bit(present, index), stored_bytes + size
    await session.execute(
        update(tracks)
        .where(tracks.c.generation == made.id, tracks.c.track == presence.track)
        .values(present=present, stored_bytes=stored_bytes)
    )
    return stored_bytes


async def release_all(session: Session) -> None:
    """Let nobody hold anything: whoever did works on what was copied, not on the copy."""
    await session.execute(
        update(jobs)
        .where(jobs.c.state == JobState.LEASED)
        .values(state=JobState.QUEUED, leased_by=None, leased_until=None)
    )
    await session.execute(update(consumers).values(leased_by=None, leased_until=None))
    await session.execute(update(uploads).values(locked_by=None, locked_until=None))
    for table in (leases, demands, processes):
        await session.execute(delete(table))
    await places.forget(session)  # the blobs of a restored copy are where its settings say


async def _count_videos(session: Session) -> int:
    row = await session.row(select(func.count()).select_from(videos))
    return 0 if row is None else next(iter(row.values()))
