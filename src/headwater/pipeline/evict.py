"""Eviction: when the store is over its budget, what was watched least recently goes cold.

By rung: a track's segments go, all but its first seconds, so that every video still starts at
once; what is asked for again is made again, the same bytes. Originals are never touched,
and nothing of a video whose original is gone.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio

from headwater.engines.blobs.port import Blobs
from headwater.engines.entropy import ordered_id
from headwater.engines.work import Units
from headwater.model.errors import BlobNotFound
from headwater.model.ids import TrackId
from headwater.model.plan import Plan
from headwater.pipeline import (
    bitmap,
    generations_repository,
    leases_repository,
    space_repository,
)
from headwater.pipeline.keys import FIRST_RUN, segment_key
from headwater.pipeline.leasing import LEASE_S
from headwater.pipeline.space_repository import Cold
from headwater.planning.document import decode_plan

KEPT_SEGMENTS = 3  # about the first ten seconds
RECENT_S = 600.0  # what somebody watched in the last minutes is not cold
ROOM = 0.9  # evict down to this share of the budget, so that the next put does not start it again
TRACKS_A_PAGE = 64
SEGMENTS_A_TURN = 64  # they are gone long before their lease is over


async def evict(*, units: Units, blobs: Blobs, budget_bytes: int | None) -> int:
    """Bring the store under *budget_bytes* (None: no budget) and return how many bytes went.

    What has nothing left to give is passed over: it goes on until enough went, or all that may.
    """
    if budget_bytes is None:
        return 0
    async with units.reader() as work:
        used = await space_repository.used_bytes(work.session)
        watched_before = work.now - RECENT_S
    if used <= budget_bytes:
        return 0
    excess = used - int(budget_bytes * ROOM)
    freed, last = 0, None
    while freed < excess:
        async with units.reader() as work:
            page = await space_repository.coldest_tracks(
                work.session, watched_before=watched_before, limit=TRACKS_A_PAGE, after=last
            )
        if not page:
            break
        for cold in page:
            if freed < excess:
                freed += await _cool(cold, units=units, blobs=blobs)
        last = page[-1]
    return freed


async def _cool(cold: Cold, *, units: Units, blobs: Blobs) -> int:
    """Take the segments of one track out of the rows, then out of the store.

    In this order a crash between the two leaves blobs the rows do not know; they are found again
    when the segment is next wanted, and cost nothing but their space until then.
    """
    async with units.reader() as work:
        presences = await generations_repository.presences(work.session, cold.generation)
        found = await generations_repository.get(work.session, cold.generation)
    if cold.track not in presences or found is None:
        return 0
    presence = presences[cold.track]
    going = [
        index
        for index in range(KEPT_SEGMENTS, presence.segments)
        if bitmap.has(presence.present, index)
    ]
    freed = 0
    if going:
        plan = decode_plan(found.plan)
        for at in range(0, len(going), SEGMENTS_A_TURN):
            some = going[at : at + SEGMENTS_A_TURN]
            async with _leased(cold, plan, some, units=units) as ours:
                freed += await _take(cold, ours, units=units, blobs=blobs)
    return freed


@asynccontextmanager
async def _leased(
    cold: Cold, plan: Plan, indices: Sequence[int], *, units: Units
) -> AsyncIterator[list[int]]:
    """Lease those of *indices* that nobody makes now, as a maker would, and yield them.

    A maker who found a blob records it; none may find what is about to go.
    """
    holder = f"evict-{ordered_id()}"
    tried: dict[int, bool] = {}
    async with units.writer() as work:
        for name in sorted({name for index in indices for name in _names(plan, cold.track, index)}):
            tried[name] = await leases_repository.acquire(
                work.session,
                cold.generation,
                cold.track,
                name,
                holder=holder,
                now=work.now,
                until=work.now + LEASE_S,
            )
    try:
        yield [i for i in indices if all(tried[name] for name in _names(plan, cold.track, i))]
    finally:
        with anyio.CancelScope(shield=True):
            async with units.writer() as work:
                await leases_repository.drop(work.session, [holder])


def _names(plan: Plan, track: TrackId, index: int) -> list[int]:
    """Return the indices under which a maker of segment *index* may hold a lease."""
    rung = plan.rung(track)
    run = plan.video.run_of(index) if plan.video and rung and not rung.copy else None
    return [index] if run is None else [index, FIRST_RUN - run[0]]


async def _take(cold: Cold, indices: Sequence[int], *, units: Units, blobs: Blobs) -> int:
    """Remove segments whose leases are ours. A bit whose blob is gone already is cleared too."""
    keys = {i: segment_key(cold.video, cold.generation, cold.track, i) for i in indices}
    sizes = {}
    for index, key in keys.items():
        try:
            sizes[index] = (await blobs.stat(key)).size
        except BlobNotFound:
            sizes[index] = 0
    async with units.writer() as work:
        source = await generations_repository.source(work.session, cold.video)
        if source is None or not source.size:  # given up meanwhile: this is all there is
            return 0
        freed = await generations_repository.unmark(
            work.session, cold.generation, cold.track, sizes
        )
        await generations_repository.add_stored_bytes(work.session, cold.video, -freed)
        work.purges.append(f"video:{cold.video}")
    for key in keys.values():
        await blobs.delete(key)
    return freed
