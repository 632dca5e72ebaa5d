"""Blobs as files of one folder: `blobs/{key}`, written in `drafts/` and linked into place.

Flow      put_absent: draft → fdatasync → link(2) → fsync of the folder; read: preadv(RWF_NOWAIT)
          on the event loop, a thread only for what is not in memory.
"""

import asyncio
import contextlib
import itertools
import os
import stat
import threading
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar, TypeVarTuple

import anyio

from headwater.containers.reader import RangeReader
from headwater.engines.blobs.draft import (
    FOOTER_BYTES,
    Draft,
    Drafts,
    stored_at,
    stored_of,
)
from headwater.engines.blobs.extents import ExtentReader
from headwater.engines.blobs.nowait import CachedReader, open_cached
from headwater.engines.blobs.parts import Part, PartSigner
from headwater.engines.blobs.port import CHUNK_BYTES, BlobKey, PartTicket, Stored, blob_key
from headwater.engines.reach import Reach
from headwater.model.errors import BlobNotFound, Unavailable
from headwater.model.upload import Extent

T = TypeVar("T")
A = TypeVarTuple("A")
READ_BYTES = 256 * 1024  # fits the second-level cache between the kernel's copy and the socket's
LISTED = 500  # names fetched per hop to a thread


class FileBlobs:
    reach = Reach.HOST

    def __init__(self, root: Path, *, secret: bytes, part_base: str = "/api/v1/parts") -> None:
        """Open (or make) the store *root*, removing the drafts of processes that have died.

        *secret* and *part_base* are for part_url: see parts.PartSigner.
        """
        self._root = str(root / "blobs")
        os.makedirs(self._root, exist_ok=True)  # noqa: PTH103
        self._drafts = Drafts(root / "drafts")
        self.parts = PartSigner(secret, part_base)
        self._cached = CachedReader(READ_BYTES)
        # Apart, so that flushes of uploads never keep a reader of a cold page waiting.
        self._writing = ThreadPoolExecutor(8, "blob-write")
        self._reading = ThreadPoolExecutor(8, "blob-read")
        self._synced: set[str] = set()  # folders whose own names are known to be durable
        self._synced_lock = threading.Lock()

    async def put_absent(self, key: BlobKey, body: AsyncIterable[bytes] | bytes) -> Stored:
        path = self._path(key)
        if isinstance(body, bytes):
            return await _to_end(self._writing, self._put, path, body)
        draft = self._drafts.new()
        try:
            rest = await self._write(draft, body)
            return await _to_end(self._writing, self._finish, draft, rest, path)
        except BaseException:
            await _to_end(self._writing, draft.discard)
            raise

    async def _write(self, draft: Draft, body: AsyncIterable[bytes]) -> list[bytes]:
        """Write *body* while it still arrives and return its unwritten end."""
        batch: list[bytes] = []
        batched = 0
        written: asyncio.Future[None] | None = None
        try:
            async for chunk in body:
                batch.append(chunk)
                batched += len(chunk)
                if batched >= CHUNK_BYTES:
                    if written is not None:
                        await asyncio.wait([written])  # unlike `await written`, cancels us alone
                        written.result()
                    written = asyncio.ensure_future(_to_end(self._writing, draft.write, batch))
                    batch, batched = [], 0
            if written is not None:
                await asyncio.wait([written])
                written.result()
        except BaseException:
            if written is not None:
                with anyio.CancelScope(shield=True):  # its scopes cancel a wait until it ends
                    await asyncio.wait([written])
                written.cancelled() or written.exception()
            raise
        return batch

    def _finish(self, draft: Draft, rest: list[bytes], path: str) -> Stored:
        draft.write(rest)
        return draft.publish(path, self._sync_folder)

    def _put(self, path: str, body: bytes) -> Stored:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            there = stored_at(path)
            self._sync_folder(os.path.dirname(path))  # noqa: PTH120
            return there
        draft = self._drafts.new()
        try:
            return self._finish(draft, [body], path)
        finally:
            draft.discard()

    async def stat(self, key: BlobKey) -> Stored:
        descriptor = await self._open(key)
        try:
            return stored_of(descriptor)
        finally:
            os.close(descriptor)

    async def read(
        self, key: BlobKey, start: int = 0, stop: int | None = None
    ) -> AsyncIterator[bytes]:
        descriptor = await self._open(key)
        try:
            size = os.fstat(descriptor).st_size - FOOTER_BYTES
            stop = size if stop is None else min(stop, size)
            while start < stop:
                wanted = min(READ_BYTES, stop - start)
                chunk = self._cached.read(descriptor, start, wanted)
                if not chunk:
                    chunk = await _to_end(self._reading, os.pread, descriptor, wanted, start)
                if not chunk:
                    raise Unavailable(f"the blob {key} was cut short")
                yield chunk
                start += len(chunk)
        finally:
            os.close(descriptor)

    def reader(self, extents: Sequence[Extent]) -> RangeReader:
        return ExtentReader(extents, self._open_blocking)

    async def delete(self, key: BlobKey) -> None:
        await _to_end(self._writing, self._delete, self._path(key))

    async def list(self, prefix: str) -> AsyncIterator[tuple[BlobKey, int]]:
        found = self._walk(prefix)
        while batch := await _to_end(self._reading, _take, found):
            for item in batch:
                yield item

    async def part_url(
        self, key: BlobKey, *, length: int, checksum: str, expires_at: float
    ) -> PartTicket:
        return self.parts.ticket(Part(blob_key(key), length, checksum), expires_at=expires_at)

    async def free_bytes(self) -> int:
        def free() -> int:
            disk = os.statvfs(self._root)
            return disk.f_bavail * disk.f_frsize

        return await _to_end(self._reading, free)

    def close(self) -> None:
        """Finish what is being written; call it when nobody asks any more."""
        self._writing.shutdown()
        self._reading.shutdown()
        self._drafts.close()

    def _path(self, key: str) -> str:
        return f"{self._root}/{blob_key(key)}"

    async def _open(self, key: BlobKey) -> int:
        descriptor = open_cached(self._path(key))
        if descriptor is None:
            loop = asyncio.get_running_loop()
            opening = loop.run_in_executor(self._reading, self._open_blocking, key)
            try:
                return await asyncio.shield(opening)
            except asyncio.CancelledError:
                opening.add_done_callback(_close_opened)
                raise
        return _file(descriptor, key)

    def _open_blocking(self, key: BlobKey) -> int:
        try:
            descriptor = os.open(self._path(key), os.O_RDONLY)
        except (FileNotFoundError, NotADirectoryError):
            raise BlobNotFound(f"no blob {key}") from None
        return _file(descriptor, key)

    def _delete(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            os.unlink(path)  # noqa: PTH108
        folder = os.path.dirname(path)  # noqa: PTH120
        with contextlib.suppress(OSError):  # until one that is not empty, or being filled
            while folder != self._root:
                os.rmdir(folder)  # noqa: PTH106
                with self._synced_lock:
                    self._synced.discard(folder)
                folder = os.path.dirname(folder)  # noqa: PTH120

    def _walk(self, prefix: str) -> Iterator[tuple[BlobKey, int]]:
        top = prefix.rpartition("/")[0]
        if top:
            blob_key(top)  # a prefix leads nowhere else either
        for folder, _, names in os.walk(f"{self._root}/{top}" if top else self._root):
            for name in names:
                path = f"{folder}/{name}"
                key = path[len(self._root) + 1 :]
                if key.startswith(prefix):
                    with contextlib.suppress(FileNotFoundError):
                        yield BlobKey(key), os.stat(path).st_size - FOOTER_BYTES  # noqa: PTH116

    def _sync_folder(self, folder: str) -> None:
        """Make the names in *folder* durable, and once in this process those that lead to it.

        Whoever made a folder may not have synced its name yet, so having found it is not enough.
        """
        _sync(folder)
        with self._synced_lock:
            known = folder in self._synced
            if len(self._synced) > 10_000:  # bounds memory; forgetting only costs a sync
                self._synced.clear()
        above = folder
        while not known and above != self._root:
            above = os.path.dirname(above)  # noqa: PTH120
            _sync(above)
        with self._synced_lock:
            self._synced.add(folder)


def _close_opened(opening: asyncio.Future[int]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        os.close(opening.result())


def _file(descriptor: int, key: BlobKey) -> int:
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BlobNotFound(f"no blob {key}")
    return descriptor


def _sync(folder: str) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:  # what was put has been deleted already, and its folder with it
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _take(found: Iterator[tuple[BlobKey, int]]) -> list[tuple[BlobKey, int]]:
    return list(itertools.islice(found, LISTED))


async def _to_end(threads: ThreadPoolExecutor, work: Callable[[*A], T], *args: *A) -> T:
    """Run *work* in a thread and leave only when it has ended, even if cancelled."""
    running = asyncio.get_running_loop().run_in_executor(threads, work, *args)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        with anyio.CancelScope(shield=True):
            await asyncio.wait([running])
        if not running.cancelled():
            running.exception()
        raise
