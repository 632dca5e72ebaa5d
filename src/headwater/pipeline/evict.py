"""Eviction: when the store is over its budget, what was watched least recently goes cold.

By rung: a track's segments go, all but its first seconds, so that every video still starts at
once; what is asked for again is made again, the same bytes. Originals are never touched,
and nothing of a video whose original is gone.
"""

import contextlib

from headwater.engines.blobs.port import Blobs
from headwater.engines.work import Units
from headwater.model.errors import BlobNotFound
from headwater.model.ids import GenerationId, TrackId, VideoId
from headwater.pipeline import bitmap, generations_repository, space_repository
from headwater.pipeline.keys import segment_key

KEPT_SEGMENTS = 3  # about the first ten seconds
RECENT_S = 600.0  # what somebody watched in the last minutes is not cold
ROOM = 0.9  # evict down to this share of the budget, so that the next put does not start it again
TRACKS_A_TURN = 64


async def evict(*, units: Units, blobs: Blobs, budget_bytes: int | None) -> int:
    """Bring the store under *budget_bytes* (None: no budget) and return how many bytes went.

    At equal age the largest track goes first: the copy of the source, which costs no encode.
    """
    if budget_bytes is None:
        return 0
    freed = 0
    async with units.reader() as work:
        used = await space_repository.used_bytes(work.session)
    if used <= budget_bytes:
        return 0
    excess = used - int(budget_bytes * ROOM)
    async with units.reader() as work:
        coldest = await space_repository.coldest_tracks(
            work.session, watched_before=work.now - RECENT_S, limit=TRACKS_A_TURN
        )
    for video, generation, track in coldest:
        if freed >= excess:
            break
        freed += await _cool(video, generation, track, units=units, blobs=blobs)
    return freed


async def _cool(
    video: VideoId, generation: GenerationId, track: TrackId, *, units: Units, blobs: Blobs
) -> int:
    """Take the segments of one track out of the rows, then out of the store.

    In this order a crash between the two leaves blobs the rows do not know; they are found again
    when the segment is next wanted, and cost nothing but their space until then.
    """
    async with units.reader() as work:
        presences = await generations_repository.presences(work.session, generation)
    if track not in presences:
        return 0
    going = [
        index
        for index in range(KEPT_SEGMENTS, presences[track].segments)
        if bitmap.has(presences[track].present, index)
    ]
    sizes = {}
    for index in going:
        with contextlib.suppress(BlobNotFound):
            sizes[index] = (await blobs.stat(segment_key(video, generation, track, index))).size
    async with units.writer() as work:
        freed = await generations_repository.unmark(work.session, generation, track, sizes)
        await generations_repository.add_stored_bytes(work.session, video, -freed)
        work.purges.append(f"video:{video}")
    for index in going:
        await blobs.delete(segment_key(video, generation, track, index))
    return freed
