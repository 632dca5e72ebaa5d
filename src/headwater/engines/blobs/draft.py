"""Drafts: a blob while it is written, in a folder that says whether its process still lives.

A process holds a lock on its own folder below `drafts/`; the lock ends with the process, however
that ends, so whoever opens the store next removes exactly what nobody will finish.

A blob's file is its bytes, then a footer: a mark and the XXH3 of the bytes. In the file, bytes
and hash cannot part; an extended attribute is lost by plain copies, a second file by itself.
"""

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from xxhash import xxh3_128

from headwater.engines.blobs.aligned import AlignedFile
from headwater.engines.blobs.port import Stored
from headwater.engines.entropy import ordered_id
from headwater.model.errors import InvalidInput, StorageFull, Unavailable

MARK = b"hwblob3\n"
FOOTER_BYTES = len(MARK) + xxh3_128().digest_size
FOLDER = "no blob key may be a folder of another"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def full_as_ours() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull("the disk under the blobs is full", retry_after_s=30) from error
        raise


def stored_of(descriptor: int) -> Stored:
    """Return size and etag of an open blob file."""
    size = os.fstat(descriptor).st_size - FOOTER_BYTES
    return stored_by(size, os.pread(descriptor, FOOTER_BYTES, max(size, 0)))


def stored_by(size: int, footer: bytes) -> Stored:
    """Return *size* and the etag that *footer*, what follows so many bytes in the file, tells."""
    if size < 0 or len(footer) != FOOTER_BYTES or not footer.startswith(MARK):
        raise Unavailable("a blob is damaged: its file does not end as we wrote it")
    return Stored(size, footer[len(MARK) :].hex())


class SyncFolder(Protocol):
    def __call__(self, folder: str, *, is_new: bool) -> None:
        """Make the names in *folder* durable, and of one that *is_new* those that lead to it."""
        ...


class Drafts:
    """The folder of this process's drafts."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._sweep(folder)
        self._folder, self._lock = self._own(folder)

    @staticmethod
    def _sweep(folder: Path) -> None:
        for found in folder.iterdir():
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                descriptor = os.open(found, os.O_RDONLY | os.O_DIRECTORY)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(found, ignore_errors=True)
                except BlockingIOError:
                    pass  # its process lives
                finally:
                    os.close(descriptor)

    @staticmethod
    def _own(folder: Path) -> tuple[str, int]:
        while True:
            mine = folder / ordered_id()
            mine.mkdir()
            with contextlib.suppress(FileNotFoundError, BlockingIOError):
                descriptor = os.open(mine, os.O_RDONLY | os.O_DIRECTORY)
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if mine.exists():  # else a sweeper was faster than the lock: take another
                    return str(mine), descriptor
                os.close(descriptor)

    def new(self) -> "Draft":
        return Draft(f"{self._folder}/{ordered_id()}")

    def close(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        os.close(self._lock)


class Draft:
    """One blob in the making. Every method blocks; end with publish() or discard()."""

    _descriptor = -1
    _long: AlignedFile | None = None
    _made_folder = False

    def __init__(self, path: str) -> None:
        self._path = path
        self._hash = xxh3_128()
        self._size = 0

    def write(self, chunks: Sequence[bytes]) -> None:
        """Write *chunks* of a blob that more will come of: worth going past the page cache."""
        with full_as_ours():
            if self._long is None:
                self._long = AlignedFile(self._open(), self._hash.update)
            self._long.write(chunks)
            self._size += sum(map(len, chunks))

    def publish(self, rest: Sequence[bytes], path: str, sync_folder: SyncFolder) -> Stored:
        """Write *rest*, the end, and make the draft the blob at *path* unless there is one.

        Durable when this returns. Bytes first, then the name, then the folder: a name never leads
        to half a blob, not even after power loss. Who comes second also syncs the folder, as the
        first may not have yet.
        """
        with full_as_ours():
            if self._long is not None:
                self.write(rest)
                self._long.end()
            else:  # so short, or held whole in memory: likely to be read soon
                self._open()
                body = rest[0] if len(rest) == 1 else b"".join(rest)
                self._hash.update(body)
                self._size = len(body)
                _write_all(self._descriptor, body)
            digest = self._hash.digest()
            _write_all(self._descriptor, MARK + digest)
            os.fdatasync(self._descriptor)
            winner = None if self._link(path) else self._winner(path)
            sync_folder(os.path.dirname(path), is_new=self._made_folder)  # noqa: PTH120 (hot)
        self.discard()
        return winner or Stored(self._size, digest.hex(), won=True)

    def discard(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            os.unlink(self._path)  # noqa: PTH108
            self._descriptor = -1

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, 0o640)
        return self._descriptor

    def _winner(self, path: str) -> Stored | None:
        """Return what is at *path*; None if it went away just now and ours took its place."""
        while True:
            try:
                return stored_at(path)
            except FileNotFoundError:
                if self._link(path):
                    return None

    def _link(self, path: str) -> bool:
        """Give the draft its name and return True, or False if something has it."""
        while True:
            try:
                os.link(self._path, path)
            except FileExistsError:
                return False
            except FileNotFoundError:  # a first blob there, or the folder was emptied just now
                self._made_folder = True
                _make_folder(os.path.dirname(path))  # noqa: PTH120
            except NotADirectoryError:
                raise InvalidInput(FOLDER) from None
            else:
                return True


def _write_all(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    while written < len(data):  # a nearly full disk takes some and refuses at the next
        written += os.write(descriptor, memoryview(data)[written:])


def _make_folder(path: str) -> None:
    try:
        os.makedirs(path, exist_ok=True)  # noqa: PTH103
    except (FileExistsError, NotADirectoryError):
        raise InvalidInput(FOLDER) from None
    except FileNotFoundError:
        pass  # emptied by another at this moment; link() will say so again


def stored_at(path: str) -> Stored:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return stored_of(descriptor)
    except IsADirectoryError:
        raise InvalidInput(FOLDER) from None
    finally:
        os.close(descriptor)
