"""Blob files held open for reading: from memory on the event loop, what is cold by a thread."""

import asyncio
import contextlib
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

import anyio

from headwater.engines.blobs.draft import FOOTER_BYTES, stored_by, stored_of
from headwater.engines.blobs.nowait import keep_freed_memory, open_cached, read_cached
from headwater.engines.blobs.port import CHUNK_BYTES, BlobKey, Stored, blob_key
from headwater.model.errors import BlobNotFound, Unavailable

T = TypeVar("T")
A = TypeVarTuple("A")


class Opener:
    """Opens the blobs of the folder *root*; for one thread, whose event loop never waits here."""

    def __init__(self, root: str, threads: ThreadPoolExecutor) -> None:
        self._root, self._threads = root, threads
        keep_freed_memory()

    async def open(self, key: BlobKey) -> "OpenFile":
        """Open *key* to read it. Raises BlobNotFound."""
        opened = self._open_now(self.path(key))
        if opened is not None:
            return opened
        found = await self._open_in_thread(key)
        if found is None:
            raise BlobNotFound(f"no blob {key}")
        return OpenFile(*found, self._threads)

    def path(self, key: str) -> str:
        return f"{self._root}/{blob_key(key)}"

    def open_blocking(self, key: BlobKey) -> int:
        """Return a descriptor to read *key*. Raises BlobNotFound."""
        try:
            descriptor = os.open(self.path(key), os.O_RDONLY)
        except (FileNotFoundError, NotADirectoryError):
            raise BlobNotFound(f"no blob {key}") from None
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise BlobNotFound(f"no blob {key}")
        return descriptor

    def _open_now(self, path: str) -> "OpenFile | None":
        """Open *path* from what is in memory; None if it is not, or no blob."""
        descriptor = open_cached(path)
        if descriptor is None:
            return None
        stored = None
        try:
            size = os.fstat(descriptor).st_size - FOOTER_BYTES
            with contextlib.suppress(IsADirectoryError):
                footer = read_cached(descriptor, max(size, 0), FOOTER_BYTES)
                if footer and len(footer) == FOOTER_BYTES:  # else the rest of it is not in memory
                    stored = stored_by(size, footer)
        finally:
            if stored is None:
                os.close(descriptor)
        return OpenFile(descriptor, stored, self._threads) if stored else None

    async def _open_in_thread(self, key: BlobKey) -> tuple[int, Stored] | None:
        loop = asyncio.get_running_loop()
        opening = loop.run_in_executor(self._threads, self._open_and_stat, key)
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_opened)
            raise

    def _open_and_stat(self, key: BlobKey) -> tuple[int, Stored] | None:
        """Open *key*; None if it is not there.

        An error that crosses threads in a future keeps all that its traceback saw, until the
        collector comes by: the files of a deleted source, for one who looks what is missing.
        """
        try:
            descriptor = self.open_blocking(key)
        except BlobNotFound:
            return None
        try:
            return descriptor, stored_of(descriptor)
        except BaseException:
            os.close(descriptor)
            raise


class OpenFile:
    """A blob's file; see port.OpenBlob. The last of *users* to close it closes it."""

    __slots__ = ("_descriptor", "_threads", "checked_at", "stored", "used_at", "users")

    def __init__(self, descriptor: int, stored: Stored, threads: ThreadPoolExecutor) -> None:
        self._descriptor, self.stored, self._threads = descriptor, stored, threads
        self.users = 1
        self.used_at = self.checked_at = 0.0  # by whoever keeps it open

    async def read(self, start: int, stop: int) -> bytes:
        wanted = min(CHUNK_BYTES, stop - start)
        chunk = read_cached(self._descriptor, start, wanted)
        if not chunk:
            chunk = await to_end(self._threads, os.pread, self._descriptor, wanted, start)
        if not chunk:
            raise Unavailable("a blob was cut short while it was read")
        return chunk

    def is_linked(self) -> bool:
        """Say whether the file still has a name."""
        return os.fstat(self._descriptor).st_nlink > 0

    def close(self) -> None:
        self.users -= 1
        if not self.users:
            os.close(self._descriptor)


async def to_end(threads: ThreadPoolExecutor, work: Callable[[*A], T], *args: *A) -> T:
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


def _close_opened(opening: "asyncio.Future[tuple[int, Stored] | None]") -> None:
    if not opening.cancelled() and opening.exception() is None and (found := opening.result()):
        os.close(found[0])
