"""What videos cost: bytes of originals and of what was made of them."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import func, select, tuple_

from headwater.engines.database.port import Row, Session
from headwater.engines.database.schema import generations, sources, tracks, videos
from headwater.model.ids import GenerationId, TrackId, VideoId


async def used_bytes(session: Session) -> int:
    """Return the bytes of everything made (not of originals)."""
    row = await session.row(select(func.coalesce(func.sum(videos.c.stored_bytes), 0).label("n")))
    return int(row["n"]) if row else 0


class Cold(msgspec.Struct, frozen=True, kw_only=True):
    """A track to be evicted; also the place where the next page begins."""

    video: VideoId
    generation: GenerationId
    track: TrackId
    watched_at: float


async def coldest_tracks(
    session: Session, *, watched_before: float, limit: int, after: Cold | None = None
) -> list[Cold]:
    """Return the page behind *after* of tracks with segments in the store, coldest first.

    Those of videos whose original was given up are left out: they could not be made again.
    """
    chosen = (
        select(generations.c.video, tracks.c.generation, tracks.c.track, tracks.c.watched_at)
        .join(generations, generations.c.id == tracks.c.generation)
        .join(sources, sources.c.video == generations.c.video)
        .where(tracks.c.watched_at < watched_before, tracks.c.stored_bytes > 0, sources.c.size > 0)
        .order_by(tracks.c.watched_at, tracks.c.generation, tracks.c.track)
        .limit(limit)
    )
    if after is not None:
        place = tuple_(tracks.c.watched_at, tracks.c.generation, tracks.c.track)
        chosen = chosen.where(place > tuple_(after.watched_at, after.generation, after.track))
    return [msgspec.convert(dict(row), Cold) for row in await session.rows(chosen)]


async def by_video(session: Session, *, limit: int) -> Sequence[Row]:
    """Return id, title, owner, source_bytes and stored_bytes of the costliest videos."""
    return await session.rows(
        select(
            videos.c.id,
            videos.c.title,
            videos.c.owner,
            videos.c.source_bytes,
            videos.c.stored_bytes,
        )
        .order_by((videos.c.source_bytes + videos.c.stored_bytes).desc())
        .limit(limit)
    )


async def totals(session: Session) -> tuple[int, int, int]:
    """Return how many videos there are, and the bytes of all originals and of all that was made."""
    row = await session.row(
        select(
            func.count().label("videos"),
            func.coalesce(func.sum(videos.c.source_bytes), 0).label("sources"),
            func.coalesce(func.sum(videos.c.stored_bytes), 0).label("made"),
        ).select_from(videos)
    )
    return (int(row["videos"]), int(row["sources"]), int(row["made"])) if row else (0, 0, 0)
