"""Headers out of a long file: big reads while they follow each other, small ones after leaps."""

from headwater.containers.table import RangeReader

SMALLEST_READ = 4096
LARGEST_READ = 1 << 20


class Cursor:
    """A buffer over *reader*. *data* holds the bytes from *start* on."""

    def __init__(self, reader: RangeReader) -> None:
        self.size = reader.size
        self.data = b""
        self.start = 0
        self._reader = reader
        self._read = SMALLEST_READ

    def seek(self, at: int, length: int) -> int:
        """Make [*at*, *at* + *length*) present, as far as the file goes; return its place."""
        place = at - self.start
        if place >= 0 and place + length <= len(self.data):
            return place
        if place >= 0 and self.start + len(self.data) >= self.size:
            return place  # there is no more
        leapt = place > len(self.data) or place < 0
        self._read = SMALLEST_READ if leapt else min(self._read * 4, LARGEST_READ)
        self.data = self._reader.read_at(at, max(self._read, length))
        self.start = at
        return 0

    def whole(self, at: int, length: int) -> bytes:
        """Return [*at*, *at* + *length*), less where the file ends."""
        place = self.seek(at, length)
        return self.data[place : place + length]
