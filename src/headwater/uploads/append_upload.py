"""Append a request's body to an upload, part by durable part.

Flow      body → inbox (blocks of 2 MB) → part (a blob, written while it arrives) → publish.
Promises  nothing is read before the caller's right, the offset and the lock are known; a byte that
          counts is on the disk; what arrived before a connection died is kept; at most one part is
          being flushed while the next is received.
"""

from collections.abc import AsyncIterable

import anyio

from headwater.engines.blobs.port import Blobs
from headwater.engines.work import Units
from headwater.model.ids import UploadId
from headwater.model.upload import Upload
from headwater.observe.traces import tell
from headwater.uploads.appending import Appending
from headwater.uploads.checksums import Checksum, hasher_for
from headwater.uploads.room import UploadLimits
from headwater.uploads.turn import Turn


async def append_upload(
    *,
    upload_id: UploadId,
    offset: int,
    body: AsyncIterable[bytes],
    content_length: int | None = None,
    length: int | None = None,
    checksum: Checksum | None = None,
    units: Units,
    blobs: Blobs,
    upload_limits: UploadLimits,
) -> Upload:
    """Store *body* from *offset* on and return the upload as it is then.

    *content_length* is how much the client says it sends, *length* the upload's whole length where
    it was deferred. A *body* that ends early is kept as far as it came; with a *checksum* it counts
    whole or not at all. The last byte completes the upload.

    Raises:
        ChecksumMismatch: nothing of this body was kept.
        StorageFull: the store is full; what was published before stays.
        Unavailable: no byte came for a minute.
        Besides, before the first byte is read: all that Turn.take() raises.
    """
    hasher = hasher_for(checksum) if checksum else None
    turn = Turn(upload_id, units=units, limits=upload_limits)
    try:
        await turn.take(offset, coming_bytes=content_length, length=length)
        appending = Appending(turn, blobs=blobs, limits=upload_limits, hasher=hasher)
        await appending.receive(body, digest=checksum.digest if checksum else None)
        tell(bytes=turn.upload.offset - offset)
    finally:
        with anyio.CancelScope(shield=True):
            await turn.pause()
    return turn.upload
