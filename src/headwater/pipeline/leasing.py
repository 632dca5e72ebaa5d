"""Making, as the database sees it: what a generation is made from, and who makes which segment.

Like advance.py, every use case here is an operation with actor `system` and one short transaction;
none of them moves a video's state.
"""

from collections.abc import Mapping, Sequence

import msgspec

from headwater.engines.work import Work
from headwater.library import videos_repository
from headwater.model.errors import Gone
from headwater.model.ids import GenerationId, TrackId, VideoId
from headwater.pipeline import (
    demanding,
    demands_repository,
    generations_repository,
    leases_repository,
)
from headwater.pipeline.generations_repository import Generation, Presence, Source
from headwater.pipeline.keys import segment_topic

LEASE_S = 30.0  # three missed heartbeats of 10 s


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A generation ready to be made: its rows and what of it is stored."""

    generation: Generation
    source: Source
    presences: dict[TrackId, Presence]


async def get_source(*, work: Work, video: VideoId) -> Source:
    """Return what *video* is made from. Raises Gone if it was deleted meanwhile."""
    source = await generations_repository.source(work.session, video)
    if source is None:
        raise Gone("The video is gone.")
    return source


async def open_generation(*, work: Work, generation: GenerationId) -> Opened:
    """Return all that making segments of *generation* needs. Raises Gone if it was deleted."""
    found = await generations_repository.get(work.session, generation)
    source = found and await generations_repository.source(work.session, found.video)
    if found is None or not source:
        raise Gone("The video is gone.")
    presences = await generations_repository.presences(work.session, generation)
    return Opened(generation=found, source=source, presences=presences)


async def current_generation(*, work: Work, video: VideoId) -> GenerationId | None:
    """Return what *video* is served from now, None if it is gone or not planned."""
    found = await videos_repository.find(work.session, video)
    return found.generation if found else None


async def take_leases(
    *,
    work: Work,
    generation: GenerationId,
    wanted: Sequence[tuple[TrackId, int]],
    holder: str,
    yields: bool = False,
    over: bool = False,
) -> list[tuple[TrackId, int]]:
    """Lease those of *wanted* (track, index) that nobody makes right now, and return them.

    *over* takes what yields as well: see leases_repository.acquire.
    """
    return [
        (track, index)
        for track, index in wanted
        if await leases_repository.acquire(
            work.session,
            generation,
            track,
            index,
            holder=holder,
            now=work.now,
            until=work.now + LEASE_S,
            yields=yields,
            over=over,
        )
    ]


async def record_segments(
    *,
    work: Work,
    video: VideoId,
    generation: GenerationId,
    made: Mapping[tuple[TrackId, int], int],
    damaged: Sequence[TrackId],
    holder: str,
    yields: bool = False,
) -> bool:
    """Record that segments (track, index) → bytes are stored, release their leases, tell waiters.

    Returns False if the video was deleted meanwhile: the caller removes what it put.
    """
    session = work.session
    if await videos_repository.find(session, video) is None:
        return False
    added = 0
    for (track, index), size in made.items():
        if index >= 0:
            added += await generations_repository.mark(
                session, generation, track, {index: size}, damaged=int(track in damaged)
            )
        await leases_repository.release(
            session, generation, track, index, holder=holder, yields=yields
        )
        await demands_repository.take_back(session, generation, track, index)
        work.notices.append((segment_topic(generation, track, index), b""))
    await generations_repository.add_stored_bytes(session, video, added)
    return True


async def release_leases(
    *,
    work: Work,
    generation: GenerationId,
    tracks: Sequence[tuple[TrackId, int]],
    holder: str,
    failed: bool,
    yields: bool = False,
) -> None:
    """Give back what could not be made; after a failure nobody waits for it any longer."""
    for track, index in tracks:
        ours = await leases_repository.release(
            work.session, generation, track, index, holder=holder, yields=yields
        )
        if failed and ours:
            await demanding.give_up_demand(
                work=work, generation=generation, track=track, index=index
            )
