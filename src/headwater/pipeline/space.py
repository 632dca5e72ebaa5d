"""What videos cost, for `headwater space`, the studio and operators."""

import msgspec

from headwater.engines.blobs.port import BOUNDLESS, Blobs
from headwater.engines.work import Work
from headwater.model.ids import VideoId
from headwater.pipeline import space_repository

LISTED = 200


class VideoSpace(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of one video: its original, and all segments, pictures and indexes made of it."""

    id: VideoId
    title: str
    source_bytes: int
    stored_bytes: int


class Space(msgspec.Struct, frozen=True, kw_only=True):
    """*budget_bytes* bounds what is made (None: nothing does); *free_bytes* is None where the store
    is no disk; *costliest* is largest first.
    """

    videos: int
    source_bytes: int
    stored_bytes: int
    budget_bytes: int | None
    free_bytes: int | None
    costliest: list[VideoSpace]


async def report_space(*, work: Work, blobs: Blobs, budget_bytes: int | None) -> Space:
    """Say what the store holds and which videos cost most."""
    count, originals, made = await space_repository.totals(work.session)
    rows = await space_repository.by_video(work.session, limit=LISTED)
    free_bytes = await blobs.free_bytes()
    return Space(
        videos=count,
        source_bytes=originals,
        stored_bytes=made,
        budget_bytes=budget_bytes,
        free_bytes=None if free_bytes == BOUNDLESS else free_bytes,
        costliest=[
            VideoSpace(
                id=VideoId(row["id"]),
                title=row["title"],
                source_bytes=row["source_bytes"],
                stored_bytes=row["stored_bytes"],
            )
            for row in rows
        ],
    )
