"""A source as one object: many blob files end to end, read by position."""

import os
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import accumulate

from headwater.engines.blobs.port import BlobKey
from headwater.model.errors import Unavailable
from headwater.model.upload import Extent

DESCRIPTORS = 16  # kept open per reader; a window touches one extent or two


class ExtentReader:
    """Blocking; many threads may share one. *open_file* raises BlobNotFound for what is gone."""

    def __init__(self, extents: Sequence[Extent], open_file: Callable[[BlobKey], int]) -> None:
        self._extents = extents
        self._starts = [0, *accumulate(extent.size for extent in extents)]
        self._open_file = open_file
        self._open: OrderedDict[int, int] = OrderedDict()
        self._lock = threading.Lock()  # a descriptor is never closed under a read

    @property
    def size(self) -> int:
        return self._starts[-1]

    def read_at(self, start: int, size: int) -> bytes:
        """Return the bytes [*start*, *start*+*size*), fewer only where the source ends."""
        stop = min(start + size, self.size)
        pieces = []
        with self._lock:
            number = bisect_right(self._starts, start) - 1
            while start < stop:
                first = self._starts[number]
                wanted = min(stop, self._starts[number + 1]) - start
                pieces.append(self._read_extent(number, start - first, wanted))
                start += wanted
                number += 1
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _read_extent(self, number: int, start: int, size: int) -> bytes:
        if not size:
            return b""
        descriptor = self._descriptor(number)
        piece = os.pread(descriptor, size, start)
        while len(piece) < size:  # Linux reads at most 2 GiB at a time
            more = os.pread(descriptor, size - len(piece), start + len(piece))
            if not more:
                raise Unavailable(f"the blob {self._extents[number].key} is shorter than recorded")
            piece += more
        return piece

    def _descriptor(self, number: int) -> int:
        descriptor = self._open.pop(number, None)
        if descriptor is None:
            descriptor = self._open_file(BlobKey(self._extents[number].key))
            if len(self._open) >= DESCRIPTORS:
                os.close(self._open.popitem(last=False)[1])
        self._open[number] = descriptor
        return descriptor

    def close(self) -> None:
        with self._lock:
            while self._open:
                os.close(self._open.popitem()[1])

    def __del__(self) -> None:
        self.close()
