"""Move the blobs to another store while everything goes on.

From its first step on every process puts what is new into both stores, the old one first, so that
the old one lacks nothing and stays in charge; then what is only in the old one is copied, each
byte held against its hash. When the new one lacks nothing either, one row says that it is in
charge, and each process follows within a second. Interrupted, it goes on with what is missing.
"""

import asyncio
from collections.abc import Callable

import msgspec

from headwater.engines.blobs.copying import copy, some_at_once
from headwater.engines.blobs.moving import SETTLE_S, Place, Stage
from headwater.engines.blobs.port import BlobKey, Blobs
from headwater.engines.clock import Clock
from headwater.engines.database.port import Database
from headwater.model.errors import BlobNotFound, Conflict
from headwater.operations import places

TICKET_S = 3600.0  # for so long a client may put a part where it was told to

Told = Callable[[str, int, int], None]  # what is being done, how much of it, how much in all


class Copied(msgspec.Struct, kw_only=True):
    """What was brought over by this run; *whole* is what is there in all."""

    blobs: int = 0
    blob_bytes: int = 0
    whole: int = 0


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended. *late_until*: until then parts may still arrive in the old store."""

    copied: Copied
    stage: Stage
    late_until: float


async def move_blobs(
    place: Place,
    *,
    source: Blobs,
    target: Blobs,
    database: Database,
    clock: Clock,
    is_set: bool,
    told: Told,
    settle_s: float = SETTLE_S,
) -> Move:
    """Move all blobs as *place* says; *is_set*: the settings name the new store already.

    Raises:
        Conflict: another move is under way, or the new store has blobs of its own.
        ChecksumMismatch: a blob is not what was once stored; the old store stays in charge.
        StorageFull, Unavailable: the old store stays in charge; doing it again goes on.
    """
    place = await _announce(place, target, database)
    copied = Copied()
    if place.stage is Stage.BOTH:
        await asyncio.sleep(settle_s)  # by now whoever puts puts into both
        place = await _bring_all(source, target, database, clock, copied, told)
        await asyncio.sleep(settle_s)  # by now nobody puts into the old one
    late_until = place.moved_at + TICKET_S if source.part_origin else 0.0
    if place.stage is Stage.MOVED:
        await _copy_all(source, target, copied, told)
        if not source.part_origin or (is_set and clock.now() >= late_until):
            place = await _save(place, Stage.ENDED, database)
    return Move(copied=copied, stage=place.stage, late_until=late_until)


async def abandon(database: Database) -> None:
    """End a move that was begun; the old store stays in charge. Raises Conflict: too late."""
    async with database.writer() as session:
        place = await places.find(session)
        if place is not None and place.stage is not Stage.BOTH:
            raise Conflict("The blobs have moved already; what was put since is only there.")
        await places.forget(session)


async def _announce(wanted: Place, target: Blobs, database: Database) -> Place:
    """Tell every process, or find that it was told already."""
    known = await places.look(database)
    if known is not None and (known.of, known.to) == (wanted.of, wanted.to):
        return known
    if known is not None and known.stage is not Stage.ENDED:
        raise Conflict("Another move of the blobs is under way; end that one first.")
    await _require_empty(target)
    async with database.writer() as session:
        if await places.find(session) != known:
            raise Conflict("Another move of the blobs has just begun.")
        await places.put(session, wanted)
    return wanted


async def _require_empty(target: Blobs) -> None:
    """Raise Conflict if there is more than the name that whoever tried the store gave it."""
    named = [key async for key, _ in target.list("store/")]
    async for key, _ in target.list(""):
        if key not in named:
            raise Conflict(f"There are blobs already (such as {key}); move into an empty store.")
    for key in named:
        await target.delete(key)


async def _bring_all(
    source: Blobs, target: Blobs, database: Database, clock: Clock, copied: Copied, told: Told
) -> Place:
    """Copy until the new store lacks nothing, and let it be in charge."""
    while True:
        before = await places.look(database)
        await _copy_all(source, target, copied, told)
        lacks = await _compare(source, target, told)
        async with database.writer() as session:
            place = await places.find(session)
            if place is None or before is None:
                raise Conflict("The move was ended by somebody else.")
            if not lacks and place.missed == before.missed:
                moved = msgspec.structs.replace(place, stage=Stage.MOVED, moved_at=clock.now())
                await places.put(session, moved)
                return moved


async def _save(place: Place, stage: Stage, database: Database) -> Place:
    saved = msgspec.structs.replace(place, stage=stage)
    async with database.writer() as session:
        await places.put(session, saved)
    return saved


async def _copy_all(source: Blobs, target: Blobs, copied: Copied, told: Told) -> None:
    wanted = [key async for key, _ in source.list("")]
    copied.whole = len(wanted)
    done = 0

    async def bring(key: BlobKey) -> None:
        nonlocal done
        await _copy_one(key, source, target, copied)
        done += 1
        told("copying blobs", done, len(wanted))

    await some_at_once(wanted, bring)


async def _copy_one(key: BlobKey, source: Blobs, target: Blobs, copied: Copied) -> None:
    try:
        stored = await copy(key, source=source, target=target)
        if stored.won:
            copied.blobs += 1
            copied.blob_bytes += stored.size
            await source.stat(key)
    except BlobNotFound:  # deleted meanwhile: it may not come back
        await target.delete(key)


async def _compare(source: Blobs, target: Blobs, told: Told) -> bool:
    """Let the new store have no blob that the old one has not; say whether it lacks one."""
    told("comparing stores", 0, 1)
    there = {key: size async for key, size in target.list("")}
    lacks = False
    async for key, size in source.list(""):
        if there.pop(key, None) != size:
            lacks = lacks or await _has(source, key)
    for key in there:
        if not await _has(source, key):
            await target.delete(key)
    told("comparing stores", 1, 1)
    return lacks


async def _has(store: Blobs, key: BlobKey) -> bool:
    try:
        await store.stat(key)
    except BlobNotFound:
        return False
    return True
