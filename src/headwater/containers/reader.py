"""A source as one seekable object; apart from the tables, so that engines need no arrays."""

from typing import Protocol


class RangeReader(Protocol):
    """Bytes by position: a source as one seekable object. Blocking; call from a worker thread."""

    @property
    def size(self) -> int: ...

    def read_at(self, start: int, size: int) -> bytes:
        """Return the bytes [*start*, *start*+*size*), fewer only where the source ends."""
        ...
