"""Copying a blob from one store to another: every byte is held against its hash on the way.

What a store calls a hash is its own choice; which one it is, its form tells. So the bytes are
hashed in every form that either store uses, and the copy fails before its end if they are not
those that were once stored: nothing wrong is ever kept under the key.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator

from xxhash import xxh3_128

from headwater.engines.blobs.port import BlobKey, Blobs, Stored, chunks_of
from headwater.engines.reach import Reach
from headwater.model.errors import BlobNotFound, ChecksumMismatch

MD5 = "md5:"  # of the whole, as one PUT has it; with "-N": of the MD5s of N parts
PART_BYTES = 16 << 20  # of a bucket's long blobs
AT_ONCE = 8  # blobs on their way: a store far away answers late, and eight as soon as one


class Hashes:
    """The hashes of bytes that come one after the other."""

    def __init__(self, *, with_md5: bool) -> None:
        self._xxh3 = xxh3_128()
        self._whole = hashlib.md5(usedforsecurity=False) if with_md5 else None
        self._part = hashlib.md5(usedforsecurity=False)
        self._parts: list[bytes] = []
        self._in_part = 0
        self.size = 0

    def update(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self._xxh3.update(chunk)
        if self._whole is None:
            return
        self._whole.update(chunk)
        for piece in self._pieces(chunk):
            self._part.update(piece)
            self._in_part += len(piece)
            if self._in_part == PART_BYTES:
                self._end_part()

    def are_of(self, stored: Stored) -> bool:
        """Say whether *stored* tells of these bytes."""
        return stored.size == self.size and stored.etag == self._in_form(stored.etag)

    def _pieces(self, chunk: bytes) -> Iterator[bytes]:
        start = 0
        while start < len(chunk):
            size = min(len(chunk) - start, PART_BYTES - self._in_part)
            yield chunk[start : start + size]
            start += size

    def _end_part(self) -> None:
        self._parts.append(self._part.digest())
        self._part, self._in_part = hashlib.md5(usedforsecurity=False), 0

    def _in_form(self, etag: str) -> str:
        if not etag.startswith(MD5) or self._whole is None:
            return self._xxh3.hexdigest()
        if "-" not in etag:
            return MD5 + self._whole.hexdigest()
        parts = self._parts + ([self._part.digest()] if self._in_part else [])
        joined = hashlib.md5(b"".join(parts), usedforsecurity=False).hexdigest()
        return f"{MD5}{joined}-{len(parts)}"


async def copy(key: BlobKey, *, source: Blobs, target: Blobs) -> Stored:
    """Copy one blob unless it is there, and return what *target* has.

    Raises:
        BlobNotFound: *source* has no such blob.
        ChecksumMismatch: the bytes are not those that were once stored; nothing was.
    """
    original = await source.stat(key)
    try:
        stored = await target.stat(key)
    except BlobNotFound:
        return await _copy_bytes(key, original, source=source, target=target)
    is_alike = stored.etag.startswith(MD5) == original.etag.startswith(MD5)
    if stored.size != original.size or (
        is_alike and "-" not in stored.etag + original.etag and stored.etag != original.etag
    ):
        raise damaged(key)
    return stored


async def some_at_once(keys: Iterable[BlobKey], work: Callable[[BlobKey], Awaitable[None]]) -> None:
    """Do *work* for every key, some at a time; the first that fails ends it and is raised."""
    running: set[asyncio.Future[None]] = set()
    try:
        for key in keys:
            running.add(asyncio.ensure_future(work(key)))
            if len(running) == AT_ONCE:
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
                    running.remove(task)
        await asyncio.gather(*running)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def damaged(key: BlobKey) -> ChecksumMismatch:
    return ChecksumMismatch(f"The blob {key} is damaged: its bytes no longer match its hash.")


async def _copy_bytes(key: BlobKey, original: Stored, *, source: Blobs, target: Blobs) -> Stored:
    hashes = Hashes(with_md5=Reach.FLEET in {source.reach, target.reach})

    async def checked() -> AsyncIterator[bytes]:
        if original.size:
            async for chunk in chunks_of(source, key):
                hashes.update(chunk)
                yield chunk
        if not hashes.are_of(original):
            raise damaged(key)

    stored = await target.put_absent(key, checked())
    if not hashes.are_of(stored):
        raise damaged(key)
    return stored
