"""Blobs as files of one folder: `blobs/{key}`, written in `drafts/` and linked into place.

Flow      put_absent: draft → fdatasync → link(2) → fsync of the folder; read: preadv(RWF_NOWAIT)
          on the event loop, a thread only for what is not in memory.
"""

import asyncio
import contextlib
import itertools
import os
import threading
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio

from headwater.containers.reader import RangeReader
from headwater.engines.blobs.draft import (
    FOOTER_BYTES,
    Draft,
    Drafts,
    stored_at,
)
from headwater.engines.blobs.extents import ExtentReader
from headwater.engines.blobs.opened import Opener, OpenFile, to_end
from headwater.engines.blobs.parts import Part, PartSigner
from headwater.engines.blobs.port import BlobKey, PartTicket, Stored, blob_key
from headwater.engines.blobs.proof import RACERS, prove
from headwater.engines.blobs.shelf import Shelf
from headwater.engines.reach import Reach
from headwater.model.upload import Extent

BATCH_BYTES = 2 << 20  # of a body, per hop to a thread
LISTED = 500  # names fetched per hop to a thread


class FileBlobs:
    reach = Reach.HOST
    part_origin = ""

    def __init__(self, root: Path, *, secret: bytes, part_base: str = "/api/v1/parts") -> None:
        """Open (or make) the store *root*, removing the drafts of processes that have died.

        *secret* and *part_base* are for part_url: see parts.PartSigner.
        """
        self._root = str(root / "blobs")
        os.makedirs(self._root, exist_ok=True)  # noqa: PTH103
        self._drafts = Drafts(root / "drafts")
        self.parts = PartSigner(secret, part_base)
        # Apart, so that flushes of uploads never keep a reader of a cold page waiting.
        self._writing = ThreadPoolExecutor(8, "blob-write")
        self._reading = ThreadPoolExecutor(8, "blob-read")
        self._opener = Opener(self._root, self._reading)
        self._shelf = Shelf(self._opener)
        self._synced: set[str] = set()  # folders whose own names are known to be durable
        self._synced_lock = threading.Lock()

    async def check(self, *, thoroughly: bool = False) -> str:
        await prove(self, racers=RACERS if thoroughly else 2)
        return f"the folder {self._root}"

    async def put_absent(self, key: BlobKey, body: AsyncIterable[bytes] | bytes) -> Stored:
        path = self._opener.path(key)
        if isinstance(body, bytes):
            return await to_end(self._writing, self._put, path, body)
        draft = self._drafts.new()
        try:
            rest = await self._write(draft, body)
            return await to_end(self._writing, draft.publish, rest, path, self._sync_folder)
        except BaseException:
            await to_end(self._writing, draft.discard)
            raise

    async def _write(self, draft: Draft, body: AsyncIterable[bytes]) -> list[bytes]:
        """Write *body* while it still arrives and return its unwritten end."""
        run = asyncio.get_running_loop().run_in_executor
        batch: list[bytes] = []
        batched = 0
        written: asyncio.Future[None] | None = None
        try:
            async for chunk in body:
                batch.append(chunk)
                batched += len(chunk)
                if batched >= BATCH_BYTES:
                    if written is not None:
                        await _ended(written)
                    written = run(self._writing, draft.write, batch)
                    batch, batched = [], 0
            if written is not None:
                await _ended(written)
        except BaseException:
            if written is not None:
                with anyio.CancelScope(shield=True):  # its scopes cancel a wait until it ends
                    await asyncio.wait([written])
                written.cancelled() or written.exception()
            raise
        return batch

    def _put(self, path: str, body: bytes) -> Stored:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            there = stored_at(path)
            self._sync_folder(os.path.dirname(path), is_new=False)  # noqa: PTH120
            return there
        draft = self._drafts.new()
        try:
            return draft.publish([body], path, self._sync_folder)
        finally:
            draft.discard()

    async def stat(self, key: BlobKey) -> Stored:
        opened = await self._opener.open(key)
        opened.close()
        return opened.stored

    async def open(self, key: BlobKey) -> OpenFile:
        return await self._shelf.open(key)

    def reader(self, extents: Sequence[Extent]) -> RangeReader:
        return ExtentReader(extents, self._opener.open_blocking)

    async def delete(self, key: BlobKey) -> None:
        try:
            await to_end(self._writing, self._delete, self._opener.path(key))
        finally:
            self._shelf.forget(key)  # not before: somebody might open it once more meanwhile

    async def list(self, prefix: str) -> AsyncIterator[tuple[BlobKey, int]]:
        found = self._walk(prefix)
        while batch := await to_end(self._reading, _take, found):
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

        return await to_end(self._reading, free)

    def close(self) -> None:
        """Finish what is being written; call it when nobody asks any more."""
        self._shelf.close()
        self._writing.shutdown()
        self._reading.shutdown()
        self._drafts.close()

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

    def _sync_folder(self, folder: str, *, is_new: bool) -> None:
        """Make the names in *folder* durable, and once in this process those that lead to it.

        Whoever made a folder may not have synced its name yet, so having found it is not enough.
        One that *is_new* may be known all the same: another process emptied and removed it.
        """
        _sync(folder)
        with self._synced_lock:
            known = folder in self._synced and not is_new
            if len(self._synced) > 10_000:  # bounds memory; forgetting only costs a sync
                self._synced.clear()
        above = folder
        while not known and above != self._root:
            above = os.path.dirname(above)  # noqa: PTH120
            _sync(above)
        with self._synced_lock:
            self._synced.add(folder)


async def _ended(written: asyncio.Future[None]) -> None:
    if not written.done():
        await asyncio.wait([written])  # unlike `await written`, cancels us alone
    written.result()


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
