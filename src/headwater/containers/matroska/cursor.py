"""Headers out of a long file: big reads while they follow each other, small ones after leaps."""

from headwater.containers.table import RangeReader

SMALLEST_READ = 4096
NEAR = 8192  # to read over so much costs less than another read
SEVERAL_BLOCKS = 1 << 16
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
        leap = place - len(self.data)
        if place < 0 or leap > NEAR:
            self._read = SMALLEST_READ
        else:
            self._read = min(self._read * 4, LARGEST_READ if leap <= 0 else SEVERAL_BLOCKS)
        self.data = self._reader.read_at(at, max(self._read, length))
        self.start = at
        return 0

    def whole(self, at: int, length: int) -> bytes:
        """Return [*at*, *at* + *length*), less where the file ends."""
        place = self.seek(at, length)
        return self.data[place : place + length]
