"""Blobs: large immutable bytes by key (source extents, segments, pictures, indexes).

Flow      uploads put extents → pipeline reads them, puts segments → delivery reads segments.
Adapters  filesystem.FileBlobs (one host), s3.S3Blobs (any number), movable.MovableBlobs (one of
          them, or two while blobs move); compose picks by HEADWATER_BLOBS.
Promises  tests/contracts/test_blobs.py holds every adapter to the docstrings below.
"""

import re
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from typing import NewType, Protocol

import msgspec

from headwater.containers.reader import RangeReader
from headwater.engines.reach import Reach
from headwater.model.errors import InvalidInput
from headwater.model.upload import Extent

BlobKey = NewType("BlobKey", str)
KEY_SHAPE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
KEY_BYTES = 200  # what the rows that name blobs have room for
CHUNK_BYTES = 2 << 20  # bounds the memory of one stream
BOUNDLESS = 1 << 62  # free_bytes of a store that has no disk to run out of


def blob_key(text: str) -> BlobKey:
    """Return *text* as a key: words of letters, digits, ".", "_", "-", none starting with a dot,
    joined by "/". No key may be a folder of another.

    Raises:
        InvalidInput: it is none.
    """
    if len(text) > KEY_BYTES or not KEY_SHAPE.fullmatch(text):
        raise InvalidInput(f"not a blob key: {text[:80]!r}")
    return BlobKey(text)


class Stored(msgspec.Struct, frozen=True):
    """What the store holds under a key: *won* tells a writer whether its bytes are the ones."""

    size: int
    etag: str
    won: bool = False


class PartTicket(msgspec.Struct, frozen=True):
    """Where and how a client may put one part itself: *headers* must be sent as given."""

    url: str
    method: str
    headers: dict[str, str]


class OpenBlob(Protocol):
    """A blob held open: its bytes can be read until close(), and never others.

    If it is deleted meanwhile, a folder still has them; read() of another store may raise
    BlobNotFound.
    """

    @property
    def stored(self) -> Stored: ...

    async def read(self, start: int, stop: int) -> bytes:
        """Return bytes from *start* on: at least one, at most CHUNK_BYTES, none from *stop* on.

        The caller knows the size: 0 ≤ start < stop ≤ size. A page not in memory never blocks the
        event loop.
        """
        ...

    def close(self) -> None: ...


class Blobs(Protocol):
    """*part_origin* is scheme://host of the addresses of parts; "" where they are the server's."""

    part_origin: str

    @property
    def reach(self) -> Reach: ...

    async def check(self, *, thoroughly: bool = False) -> str:
        """Return in a few words what the store is, after it has answered.

        *thoroughly* proves what everything rests on, with many writers of one key; a bucket without
        rules is given those that help.

        Raises:
            SettingsError: it does not keep what it must; nothing may be stored in it.
            Unavailable, StorageFull: it does not answer, or takes nothing.
        """
        ...

    async def put_absent(self, key: BlobKey, body: AsyncIterable[bytes] | bytes) -> Stored:
        """Store *body* under *key* unless something is there; the first writer wins.

        Atomic and durable: when this returns, the bytes survive power loss; readers see all or
        nothing. The loser's bytes are discarded and the winner's size and etag returned with
        won=False. If *body* raises, nothing is stored. The etag is a hash of the content.

        Raises:
            StorageFull: the disk or bucket takes no more; nothing was stored.
        """
        ...

    async def stat(self, key: BlobKey) -> Stored:
        """Return size and etag. Raises BlobNotFound."""
        ...

    async def open(self, key: BlobKey) -> OpenBlob:
        """Open *key* to read it; whoever opens closes. Raises BlobNotFound.

        What another process has deleted within the last second may still be had.
        """
        ...

    def reader(self, extents: Sequence[Extent]) -> RangeReader:
        """Return a blocking reader over blobs end to end; it closes what it opened when collected.

        read_at raises BlobNotFound for an extent that is gone.
        """
        ...

    async def delete(self, key: BlobKey) -> None:
        """Forget *key*; one already gone is not an error. What is open: see OpenBlob."""
        ...

    def list(self, prefix: str) -> AsyncIterator[tuple[BlobKey, int]]:
        """Yield (key, size) of every blob whose key starts with *prefix*, in no order."""
        ...

    async def part_url(
        self, key: BlobKey, *, length: int, checksum: str, expires_at: float
    ) -> PartTicket:
        """Return where a client may put exactly *length* bytes with SHA-256 *checksum* (hex) as
        *key*.
        """
        ...

    async def free_bytes(self) -> int:
        """Return how many bytes the store can still take; BOUNDLESS where nobody can say."""
        ...


async def chunks_of(
    blobs: Blobs, key: BlobKey, start: int = 0, stop: int | None = None
) -> AsyncIterator[bytes]:
    """Yield the bytes [*start*, *stop*) of *key* as OpenBlob.read gives them.

    Raises BlobNotFound before the first chunk; after it only if the blob is deleted meanwhile.
    """
    opened = await blobs.open(key)
    try:
        size = opened.stored.size
        stop = size if stop is None else min(stop, size)
        while start < stop:
            chunk = await opened.read(start, stop)
            yield chunk
            start += len(chunk)
    finally:
        opened.close()
