"""Move the rows to another database while everything goes on; the last step takes a moment.

A copy of all rows is brought over, what was written meanwhile follows, and when both hold the same,
row by row, writers are held up for the moment that the last changes take. The old database is in
charge until that moment has ended: a mover that fails or dies before leaves it as it was, and the
next one goes on where it stopped.
"""

import asyncio
import math
import time
from collections.abc import Callable

import msgspec

from headwater.engines.database.moving import TABLES, Arriving, LastMoment, Leaving
from headwater.engines.entropy import ordered_id
from headwater.model.errors import ChecksumMismatch, Conflict, HeadwaterError, Unavailable

HOLD_S = 4.0  # writers wait ten seconds at most before they are refused
SHORT = 500  # changes that are brought over within a held moment
SLOWER = 0.7  # of what came the last time: with more, those who write are about as fast as we
TRIES = 5  # moments that were too long
AGAIN_S = 1.0

Told = Callable[[str, int, int], None]  # what is being done, how much of it, how much in all


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """What was moved. *pause_s*: how long writers were held up."""

    rows: int
    changes: int
    pause_s: float


async def move_database(source: Leaving, target: Arriving, *, url: str, told: Told) -> Move | None:
    """Move all rows from *source* to *target*, which is at *url*; None if they are there already.

    Raises:
        Conflict: another move is under way, or there are other rows in *target*.
        ChecksumMismatch: the two do not hold the same; the old one is in charge.
        StorageFull, Unavailable: the old one is in charge; doing it again goes on.
    """
    if (address := await source.moved_to()) is not None:
        if address != url:
            raise Conflict("The rows have moved already, to another database than that.")
        await target.finish()
        await source.clear_away()
        return None
    await _begin(source, target)
    await _bring_copy(source, target, told)
    brought = await _chase(source, target, told)
    rows = await _verify(source, target, told)
    changes, pause_s = await _change_over(source, target, url, told)
    await target.finish()
    await source.clear_away()
    return Move(rows=rows, changes=brought + changes, pause_s=pause_s)


async def abandon(source: Leaving) -> None:
    """End a move that was begun; the old database stays in charge. Raises Conflict: too late."""
    if await source.moved_to() is not None:
        raise Conflict("The rows have moved already; what was written since is only there.")
    await source.abandon()


async def _begin(source: Leaving, target: Arriving) -> None:
    """Begin, or go on if both know the same move."""
    theirs = await target.mark()
    if theirs is not None and theirs == await source.mark():
        return
    if theirs is not None and await target.progress():
        raise Conflict(
            "Rows of another move, or of one that was ended, are there; name an empty database."
        )
    mark = ordered_id()
    await target.begin(mark)
    await source.begin(mark)


async def _bring_copy(source: Leaving, target: Arriving, told: Told) -> None:
    whole = await source.snapshot()
    progress, done = await target.progress(), 0
    for table in TABLES:
        async for batch in source.batches(table.name, progress.get(table.name, 0)):
            await target.bring(batch)
            done += len(batch.rows)
            told("copying rows", done, whole)


async def _chase(source: Leaving, target: Arriving, told: Told) -> int:
    """Bring over what was written since, while that gets less; return how much it was."""
    brought, before = 0, math.inf
    while True:
        found = await _bring_changes(source, target)
        brought += found
        told("bringing over changes", brought, brought)
        if found <= SHORT or found > before * SLOWER:
            return brought
        before = found


async def _bring_changes(source: Leaving, target: Arriving) -> int:
    async with source.moment() as moment:
        changes = await moment.changes()
    if changes:
        await target.apply(changes)
        await source.forget_changes(changes.upto)
    return len(changes)


async def _verify(source: Leaving, target: Arriving, told: Told) -> int:
    """Compare all rows as they are at one moment, and return how many they are."""
    whole = 0
    async with source.moment() as moment:
        await target.apply(changes := await moment.changes())
        for done, table in enumerate(TABLES):
            told("comparing tables", done, len(TABLES))
            ours, theirs = await asyncio.gather(
                moment.digest(table.name), target.digest(table.name)
            )
            if ours != theirs:
                raise ChecksumMismatch(
                    f"The table {table.name} is not the same in both ({ours.rows} rows here, "
                    f"{theirs.rows} there); the old database stays in charge."
                )
            whole += ours.rows
    await source.forget_changes(changes.upto)
    return whole


async def _change_over(
    source: Leaving, target: Arriving, url: str, told: Told
) -> tuple[int, float]:
    """Let the new database be in charge; return the last changes and how long writers waited."""
    changed = 0
    for left in reversed(range(TRIES)):
        changed += await _chase(source, target, told)
        try:
            async with source.hold(HOLD_S) as last:
                began = time.monotonic()
                async with asyncio.timeout(HOLD_S):
                    changed += await _bring_last(last, target)
                await last.leave_for(url)  # done or not, never given up half-way
                return changed, time.monotonic() - began
        except (TimeoutError, Unavailable) as error:
            if not left:
                raise _too_long(error) from error
            await asyncio.sleep(AGAIN_S)
    raise AssertionError("unreachable")


async def _bring_last(last: LastMoment, target: Arriving) -> int:
    changes = await last.changes()
    await target.apply(changes)
    await target.count_on(await last.numbers())
    if await last.counts() != await target.counts():
        raise ChecksumMismatch("The two do not have as many rows; the old one stays in charge.")
    return len(changes)


def _too_long(error: BaseException) -> HeadwaterError:
    reason = str(error) or "the last changes took too long"
    return Unavailable(
        f"The databases could not change over ({reason}); the old one stays in charge. "
        "Run this again at a quieter time."
    )
