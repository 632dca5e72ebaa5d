"""Who listens in this process, and to what: what every adapter of notices needs."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from headwater.engines.notices.port import MISSED, NOTICE_BYTES
from headwater.model.errors import InvalidInput

QUEUED = 1000  # news kept for a slow listener; it misses those before


def check_size(topic: str, body: bytes) -> None:
    if len(body) > NOTICE_BYTES:
        raise InvalidInput(f"a notice of {topic} has {len(body)} bytes; {NOTICE_BYTES} are allowed")


class Listener:
    """An iterator over the news for one listener; it ends when notices are closed."""

    def __init__(self, since: int) -> None:
        self.since = since  # numbered news up to here came before it listened
        self._news: deque[tuple[str, bytes]] = deque(maxlen=QUEUED)
        self._there = asyncio.Event()
        self._missed = False
        self._closed = False

    def put(self, topic: str, body: bytes) -> None:
        if len(self._news) == QUEUED:
            self._missed = True
        self._news.append((topic, body))
        self._there.set()

    def missed(self) -> None:
        """Say so before the next news: what it follows may be otherwise than it was told."""
        self._missed = True
        self._there.set()

    def close(self) -> None:
        self._closed = True
        self._there.set()

    def __aiter__(self) -> "Listener":
        return self

    async def __anext__(self) -> tuple[str, bytes]:
        while not self._news and not self._missed:
            if self._closed:
                raise StopAsyncIteration
            self._there.clear()
            await self._there.wait()
        if self._missed:
            self._missed = False
            return MISSED, b""
        return self._news.popleft()


class Listeners:
    def __init__(self) -> None:
        self._by_topic: dict[str, dict[Listener, None]] = {}
        self._by_prefix: dict[str, dict[Listener, None]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_topic or self._by_prefix)

    @contextmanager
    def added(self, topics: tuple[str, ...], since: int = 0) -> Iterator[Listener]:
        listener = Listener(since)
        places = [
            (self._by_prefix, topic[:-1]) if topic.endswith("*") else (self._by_topic, topic)
            for topic in topics
        ]
        for index, name in places:
            index.setdefault(name, {})[listener] = None
        try:
            yield listener
        finally:
            for index, name in places:
                index[name].pop(listener, None)
                if not index[name]:
                    del index[name]

    def tell(self, topic: str, body: bytes, number: int | None = None) -> None:
        """Give the news to each matching listener once; numbered ones to who came before them."""
        found = dict(self._by_topic.get(topic, {}))
        for prefix, listeners in self._by_prefix.items():
            if topic.startswith(prefix):
                found |= listeners
        for listener in found:
            if number is None or number > listener.since:
                listener.put(topic, body)

    def missed(self) -> None:
        """Tell every listener that there was news it will never hear."""
        for listener in self._all():
            listener.missed()

    def close(self) -> None:
        for listener in self._all():
            listener.close()

    def _all(self) -> Iterator[Listener]:
        for index in (self._by_topic, self._by_prefix):
            for listeners in index.values():
                yield from listeners
