"""Notices inside one process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from headwater.engines.notices.listeners import Listeners, check_size
from headwater.engines.reach import Reach


class MemoryNotices:
    reach = Reach.PROCESS

    def __init__(self) -> None:
        self._listeners = Listeners()

    async def publish(self, topic: str, body: bytes = b"") -> None:
        check_size(topic, body)
        self._listeners.tell(topic, body)

    @asynccontextmanager
    async def listen(self, *topics: str) -> AsyncIterator[AsyncIterator[tuple[str, bytes]]]:
        with self._listeners.added(topics) as listener:
            yield listener

    async def close(self) -> None:
        self._listeners.close()
