"""Long files, written front to back past the page cache where the file system can.

A copy through the cache takes a page for every 4 KB: 0.25 ms for a megabyte while old pages are at
hand, 2 ms where the machine below first has to find them, and what viewers read falls out of memory
for bytes that are read once. Written directly a megabyte costs 0.16 ms, whatever memory is like.
"""

import fcntl
import mmap
import os
import threading
from collections.abc import Callable, Iterable

SECTOR_BYTES = 4096  # addresses, offsets and sizes of direct writes are multiples of it
BUFFER_BYTES = 3 << 20  # one per writing thread; a batch of chunks goes out in one piece
_DIRECT = getattr(os, "O_DIRECT", 0)  # Linux
_threads = threading.local()


class AlignedFile:
    """Blocking; *seen* is shown every byte in order, in large pieces, before it is written."""

    def __init__(self, descriptor: int, seen: Callable[[memoryview], object]) -> None:
        """Write to *descriptor*, an empty file, which stays the caller's to close."""
        self._descriptor, self._seen = descriptor, seen
        self._rest = b""  # less than a sector
        self._is_direct = _set_direct(descriptor, wanted=True)

    def write(self, chunks: Iterable[bytes]) -> None:
        """Write all of *chunks* but what does not fill a sector yet."""
        buffer = _buffer()
        filled = len(self._rest)
        buffer[:filled] = self._rest
        for chunk in chunks:
            taken = 0
            while taken < len(chunk):
                size = min(len(chunk) - taken, BUFFER_BYTES - filled)
                buffer[filled : filled + size] = chunk[taken : taken + size]
                taken, filled = taken + size, filled + size
                if filled == BUFFER_BYTES:
                    self._put(buffer)
                    filled = 0
        whole = filled - filled % SECTOR_BYTES
        self._put(buffer[:whole])
        self._rest = bytes(buffer[whole:filled])

    def end(self) -> None:
        """Write the last bytes; from then on the descriptor takes any size again."""
        rest, self._rest = self._rest, b""
        if self._is_direct:
            self._is_direct = _set_direct(self._descriptor, wanted=False)
        self._put(memoryview(rest))

    def _put(self, piece: memoryview) -> None:
        self._seen(piece)
        while piece:
            try:
                piece = piece[os.write(self._descriptor, piece) :]
            except OSError:
                if not self._is_direct:
                    raise
                # Refused for its shape, or after a nearly full disk took a part of a sector: what
                # is wrong besides, the write after it says.
                self._is_direct = _set_direct(self._descriptor, wanted=False)


def _buffer() -> memoryview:
    """Return this thread's buffer, page by page aligned."""
    try:
        buffer: memoryview = _threads.buffer
    except AttributeError:
        buffer = _threads.buffer = memoryview(mmap.mmap(-1, BUFFER_BYTES))
    return buffer


def _set_direct(descriptor: int, *, wanted: bool) -> bool:
    """Say whether writes to *descriptor* go past the cache from now on."""
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL) & ~_DIRECT
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | _DIRECT if wanted else flags)
    except OSError:  # this file system has no such way
        return False
    return wanted and _DIRECT != 0
