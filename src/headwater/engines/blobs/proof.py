"""Proving a store: many writers of one key at once, and one of them wins.

Everything rests on it: two workers that make one segment, two servers that take one part. A store
that says yes to both is refused before it holds anything.
"""

import asyncio

from headwater.engines.blobs.port import BlobKey, Blobs, chunks_of
from headwater.engines.entropy import ordered_id
from headwater.model.errors import SettingsError

FOLDER = "health"
RACERS = 32


async def prove(blobs: Blobs, *, racers: int = RACERS) -> None:
    """Let *racers* put different bytes under one key at the same moment.

    Raises:
        SettingsError: more than one won, or one was told of other bytes than are there.
        Unavailable, StorageFull: the store does not answer, or takes nothing.
    """
    key = BlobKey(f"{FOLDER}/{ordered_id()}")
    bodies = [f"{number} ".encode() * (number + 1) for number in range(racers)]
    try:
        results = await asyncio.gather(*(blobs.put_absent(key, body) for body in bodies))
        winners = [body for body, stored in zip(bodies, results, strict=True) if stored.won]
        if len(winners) != 1:
            raise SettingsError(
                f"HEADWATER_BLOBS: of {racers} writers of one key {len(winners)} were told that "
                "they were first. This store does not keep conditional writes (If-None-Match: *); "
                "use one that does."
            )
        read = b"".join([chunk async for chunk in chunks_of(blobs, key)])
        told = {(stored.size, stored.etag) for stored in results}
        if read != winners[0] or len(told) != 1:
            raise SettingsError(
                "HEADWATER_BLOBS: the store has other bytes than it told their writer; "
                "use another store."
            )
    finally:
        await blobs.delete(key)
