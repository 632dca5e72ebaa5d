"""Lives: which processes that share a folder still live, and whether they may share it at all.

Both are told by locks on files.

The lock ends with its process, however that ends, and nobody else can hold it: unlike a process
number it is neither reused nor different in another container.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from headwater.model.errors import Conflict


class Lives:
    """The life of this process under *name*, and those of others in the same *folder*."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self.name = folder, name
        draft = folder / f".{name}"  # nobody sees the file before it is locked
        self._lock = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        draft.rename(folder / name)

    def ended(self) -> list[str]:
        """Return the names of those that have ended. Blocks for some microseconds."""
        names = [path.name for path in self._folder.iterdir() if not path.name.startswith(".")]
        return [name for name in names if name != self.name and self._is_free(name)]

    def forget(self, name: str) -> None:
        """Remember no longer that *name* ever lived: what it left behind is cleared away."""
        (self._folder / name).unlink(missing_ok=True)

    def close(self) -> None:
        """End this life; whoever looks next clears away after it."""
        os.close(self._lock)

    def _is_free(self, name: str) -> bool:
        with contextlib.suppress(FileNotFoundError, BlockingIOError):
            descriptor = os.open(self._folder / name, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return True
            finally:
                os.close(descriptor)
        return False


@contextlib.contextmanager
def holding(folder: Path, *, alone: bool) -> Iterator[None]:
    """Hold *folder* while the block runs, *alone* or together with others who share it.

    Raises Conflict: somebody else holds it, and one of the two wants to be alone.
    """
    descriptor = os.open(folder / "held", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"Another process works on {folder}.") from None
        yield
    finally:
        os.close(descriptor)
