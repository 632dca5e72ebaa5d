"""A part: a stretch of an upload on its way into the store, as one blob.

Its bytes are handed over while they arrive, so that a part costs the memory of a block; what
remains when it is closed (hash, flush) goes on while the next part is received.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from headwater.engines import entropy
from headwater.engines.blobs.port import BlobKey, Blobs
from headwater.model.ids import UploadId
from headwater.model.upload import Extent


def prefix_of(upload_id: UploadId) -> str:
    return f"uploads/{upload_id}/"


class Part:
    """Written by one task while store() runs in another. *size* counts what was written."""

    def __init__(self, upload_id: UploadId, start: int) -> None:
        self.key = BlobKey(f"{prefix_of(upload_id)}{start}-{entropy.public_id(12)}")
        self.start = start
        self.size = 0
        self.is_last = False
        self._block: Sequence[bytes] = ()
        self._closed = False
        self._given = asyncio.Event()
        self._taken = asyncio.Event()

    async def store(self, blobs: Blobs) -> tuple[int, Extent]:
        """Return (start, extent) when the blob is durable. Raises StorageFull."""
        try:
            await blobs.put_absent(self.key, self._blocks())
        finally:
            self._closed = True
            self._taken.set()
        return self.start, Extent(key=self.key, size=self.size)

    async def write(self, block: Sequence[bytes]) -> None:
        """Hand some chunks to the store; waits while it still has those before.

        Writing to a part whose store() has failed does nothing: that failure speaks for itself.
        """
        while self._block and not self._closed:
            await self._taken.wait()
        self._taken.clear()
        self._block = block
        self.size += sum(map(len, block))
        self._given.set()

    def close(self, *, last: bool) -> None:
        """Say that nothing more comes."""
        self.is_last = last
        self._closed = True
        self._given.set()

    async def _blocks(self) -> AsyncIterator[bytes]:
        while True:
            if self._block:
                block, self._block = self._block, ()
                self._taken.set()
                for chunk in block:
                    yield chunk
            elif self._closed:
                return
            else:
                self._given.clear()
                await self._given.wait()
