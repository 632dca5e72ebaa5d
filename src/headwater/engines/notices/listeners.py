"""Who listens in this process, and to what: what every adapter of notices needs."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from headwater.engines.notices.port import NOTICE_BYTES
from headwater.model.errors import InvalidInput

QUEUED = 1000  # news kept for a slow listener; older ones are lost to it


def check_size(topic: str, body: bytes) -> None:
    if len(body) > NOTICE_BYTES:
        raise InvalidInput(f"a notice of {topic} has {len(body)} bytes; {NOTICE_BYTES} are allowed")


class Listener:
    """An iterator over the news for one listener; it ends when notices are closed."""

    def __init__(self, since: int) -> None:
        self.since = since  # numbered news up to here came before it listened
        self._news: deque[tuple[str, bytes]] = deque(maxlen=QUEUED)
        self._there = asyncio.Event()
        self._closed = False

    def put(self, topic: str, body: bytes) -> None:
        self._news.append((topic, body))
        self._there.set()

    def close(self) -> None:
        self._closed = True
        self._there.set()

    def __aiter__(self) -> "Listener":
        return self

    async def __anext__(self) -> tuple[str, bytes]:
        while not self._news:
            if self._closed:
                raise StopAsyncIteration
            self._there.clear()
            await self._there.wait()
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

    def tell(self, topic: str, body: bytes, number: int = 1) -> None:
        """Give the news to each matching listener once."""
        found = dict(self._by_topic.get(topic, {}))
        for prefix, listeners in self._by_prefix.items():
            if topic.startswith(prefix):
                found |= listeners
        for listener in found:
            if number > listener.since:
                listener.put(topic, body)

    def close(self) -> None:
        for index in (self._by_topic, self._by_prefix):
            for listeners in index.values():
                for listener in listeners:
                    listener.close()
