"""Long blobs: bytes first, in parts, as an object of their own; then a name that leads there.

A multipart upload could be published under the key at once, but not every store that keeps
`If-None-Match` on a PUT keeps it there (Ceph 16 answers 200 to the second). So the name is a PUT
of no bytes, whose headers tell where they are: who comes first with that has won, and the loser
deletes the bytes it brought.

    blobs/KEY           → at: long/KEY/WRITER, size, hash
    long/KEY/WRITER     the bytes

A writer killed between the two leaves bytes without a name. They are listed under their key, so
whoever tidies finds them as any other blob, and deleting the key deletes them.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import msgspec

from headwater.engines.blobs.port import BlobKey, Stored
from headwater.engines.blobs.s3_calls import Said
from headwater.engines.blobs.s3_objects import AT, ETAG, SIZE
from headwater.engines.entropy import ordered_id
from headwater.model.errors import StorageFull, Unavailable

if TYPE_CHECKING:
    from headwater.engines.blobs.s3 import S3Blobs

LONG = "long"
KIND = "application/octet-stream"
PART_BYTES = 16 << 20  # 10 000 of them are 156 GB; one size, as the hash depends on it


class LongBlobs:
    def __init__(self, store: "S3Blobs") -> None:
        self._store = store

    async def put(self, key: BlobKey, held: Sequence[bytes], rest: AsyncIterator[bytes]) -> Stored:
        """Put *held* and then *rest* as *key*; in memory are two parts at most."""
        store = self._store
        at = store.place.path(LONG, key, ordered_id())
        bytes_ = await _Upload(store, at).put(held, rest)
        said = {AT: at, SIZE: str(bytes_.size), ETAG: bytes_.etag}
        # If this is cut short, nobody knows whether the name is there or still comes: the bytes
        # stay, and are tidied with whatever else is found under the key.
        found, won = await store.create(store.path(key), b"", said)
        if not won:
            await store.drop(at)
        return msgspec.structs.replace(found.stored, won=won)

    async def behind(self, key: BlobKey) -> list[str]:
        """Return the objects that hold, or held, bytes of *key*."""
        prefix = f"{key}/"
        base = self._store.place.path(LONG)
        return [f"{base}/{name}" async for name, _ in self._store.listing(LONG, prefix)]

    async def list(self, prefix: str) -> AsyncIterator[tuple[BlobKey, int]]:
        async for name, size in self._store.listing(LONG, prefix):
            key = name.rpartition("/")[0]
            if key.startswith(prefix):
                yield BlobKey(key), size


@dataclass(frozen=True, slots=True)
class _Bytes:
    size: int
    etag: str


class _Upload:
    """One multipart upload of *path*: a part on its way while the next one comes."""

    def __init__(self, store: "S3Blobs", path: str) -> None:
        self._store, self._calls = store, store.calls
        self._place = {"Bucket": store.place.bucket, "Key": path}
        self._parts: list[dict[str, Any]] = []
        self._size = 0
        self._sending: asyncio.Task[None] | None = None

    async def put(self, held: Sequence[bytes], rest: AsyncIterator[bytes]) -> _Bytes:
        """Return what is stored; if *rest* raises, nothing is."""
        control = self._store.control
        made = await self._calls.run(
            lambda: control.create_multipart_upload(**self._place, ContentType=KIND)
        )
        self._place["UploadId"] = made["UploadId"]
        try:
            await self._send_all(held, rest)
            return await self._complete()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._abort()
            raise

    async def _send_all(self, held: Sequence[bytes], rest: AsyncIterator[bytes]) -> None:
        pending = bytearray(b"".join(held))
        async for chunk in rest:
            while len(pending) >= PART_BYTES:
                await self._send(bytes(pending[:PART_BYTES]))
                del pending[:PART_BYTES]
            pending += chunk
        for start in range(0, len(pending), PART_BYTES):
            await self._send(bytes(pending[start : start + PART_BYTES]))
        await self._sent()

    async def _send(self, part: bytes) -> None:
        await self._sent()
        self._sending = asyncio.create_task(self._put(part, len(self._parts) + 1))

    async def _sent(self) -> None:
        if self._sending is not None:
            await self._sending
            self._sending = None

    async def _put(self, part: bytes, number: int) -> None:
        control = self._store.control
        done = await self._calls.run(
            lambda: control.upload_part(**self._place, PartNumber=number, Body=part)
        )
        self._parts.append({"PartNumber": number, "ETag": done["ETag"]})
        self._size += len(part)

    async def _complete(self) -> _Bytes:
        control = self._store.control
        with contextlib.suppress(Said):  # no such upload: done by a try whose answer was lost
            await self._calls.run(
                lambda: control.complete_multipart_upload(
                    **self._place, MultipartUpload={"Parts": self._parts}
                )
            )
        found = await self._store.look(self._place["Key"])
        if found is None or found.stored.size != self._size:
            raise Unavailable("the blob store lost parts of a long blob", retry_after_s=2)
        return _Bytes(found.stored.size, found.etag)

    async def _abort(self) -> None:
        """Give the parts up; what cannot be now, the bucket's rule does within days."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait([self._sending])
        control = self._store.control
        with contextlib.suppress(Said, Unavailable, StorageFull):
            await self._calls.run(lambda: control.abort_multipart_upload(**self._place))
