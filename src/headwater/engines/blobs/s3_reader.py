"""A source as one object over a store far away: few round trips for many small reads.

Reading an index asks for a few bytes here and there, cutting a window for a run of megabytes. Each
costs a round trip of a millisecond to fifty. So what is fetched is a block at least; for reads that
go on near where a fetch ended it is twice as much each time; and the last megabytes are kept. The
index of a 50 s file of 74 MB takes 2 round trips as MP4, and 15 as Matroska, which is walked block
by block.
"""

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import obstore

from headwater.engines.blobs.port import BlobKey
from headwater.engines.blobs.s3_calls import Answer, Said, not_found
from headwater.engines.blobs.s3_objects import HEAD, Located, located_of
from headwater.model.errors import Unavailable
from headwater.model.upload import Extent

if TYPE_CHECKING:
    from headwater.engines.blobs.s3 import S3Blobs

BLOCK_BYTES = 256 << 10
AHEAD_BYTES = 8 << 20  # the most that is fetched before anybody asks for it
KEPT_BYTES = 24 << 20  # per reader; planning reads one video after the other


@dataclass(frozen=True, slots=True)
class _Span:
    """Bytes of the source from *start* on."""

    start: int
    data: bytes

    @property
    def stop(self) -> int:
        return self.start + len(self.data)


class ObjectReader:
    """Blocking; many threads may share one. Fetches of two threads go on side by side."""

    def __init__(self, extents: Sequence[Extent], store: "S3Blobs") -> None:
        self._extents, self._store = extents, store
        self._starts = [0, *accumulate(extent.size for extent in extents)]
        self._located: dict[int, Located] = {}
        self._spans: OrderedDict[int, _Span] = OrderedDict()  # by start; the last used at the end
        self._ahead = BLOCK_BYTES
        self._lock = threading.Lock()
        self.round_trips = 0

    @property
    def size(self) -> int:
        return self._starts[-1]

    def read_at(self, start: int, size: int) -> bytes:
        """Return the bytes [*start*, *start*+*size*), fewer only where the source ends."""
        stop = min(start + size, self.size)
        pieces: list[bytes] = []
        while start < stop:
            span = self._kept(start) or self._fetch(start, stop)
            piece = span.data[start - span.start : stop - span.start]
            pieces.append(piece)
            start += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _kept(self, start: int) -> _Span | None:
        with self._lock:
            for span in reversed(self._spans.values()):
                if span.start <= start < span.stop:
                    self._spans.move_to_end(span.start)
                    return span
        return None

    def _fetch(self, start: int, stop: int) -> _Span:
        """Fetch from *start* on, to *stop* at least if one extent has it, and keep it."""
        number = bisect_right(self._starts, start) - 1
        begins, ends = self._starts[number], self._starts[number + 1]
        with self._lock:
            spans = self._spans.values()
            goes_on = any(span.stop <= start <= span.stop + BLOCK_BYTES for span in spans)
            self._ahead = min(self._ahead * 2, AHEAD_BYTES) if goes_on else BLOCK_BYTES
            wanted = max(stop - start, self._ahead)
        until = min(start + wanted, ends)
        data = self._get(number, start - begins, until - begins)
        if len(data) != until - start:
            key = self._extents[number].key
            raise Unavailable(f"the blob {key} is shorter than recorded")
        span = _Span(start, data)
        self._keep(span)
        return span

    def _keep(self, span: _Span) -> None:
        with self._lock:
            self._spans[span.start] = span
            self._spans.move_to_end(span.start)
            while len(self._spans) > 1 and sum(map(_size, self._spans.values())) > KEPT_BYTES:
                self._spans.popitem(last=False)

    def _get(self, number: int, start: int, stop: int) -> bytes:
        """Return a range of one extent, all ranges of one and the same object."""
        key = BlobKey(self._extents[number].key)
        try:
            try:
                return self._ask(key, number, start, stop)
            except Said as said:
                if said.answer is not Answer.EMPTY_RANGE or number in self._located:
                    raise
                self._located[number] = self._locate(key)  # it is the name of a long blob
                return self._ask(key, number, start, stop)
        except Said as said:
            if said.answer in {Answer.ABSENT, Answer.TAKEN}:
                raise not_found(key) from None
            raise Unavailable(f"the blob {key} is shorter than recorded") from said

    def _ask(self, key: BlobKey, number: int, start: int, stop: int) -> bytes:
        located = self._located.get(number)
        path = located.path if located else self._store.path(key)
        options: Any = {"range": (start, stop)}
        if located:
            options["if_match"] = located.etag

        def get() -> tuple[Located, bytes]:
            found = obstore.get(self._store.reading, path, options=options)
            return located_of(path, found.meta, found.attributes), found.bytes().to_bytes()

        found, data = self._store.calls.ask_blocking(get)
        self.round_trips += 1
        self._located.setdefault(number, found)
        return data

    def _locate(self, key: BlobKey) -> Located:
        def look() -> Located:
            path = self._store.path(key)
            found = obstore.get(self._store.reading, path, options=HEAD)
            return located_of(path, found.meta, found.attributes)

        self.round_trips += 1
        return self._store.calls.ask_blocking(look)


def _size(span: _Span) -> int:
    return len(span.data)
