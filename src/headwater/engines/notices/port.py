"""Notices: small news for whoever listens now (progress, "segment is there", purge). May be lost.

Flow      pipeline and runner publish → waiting requests, event streams and caches listen.
Adapters  memory.MemoryNotices (one process), table.TableNotices (one host).
Promises  tests/contracts/test_notices.py.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from headwater.engines.reach import Reach

NOTICE_BYTES = 8192


class Notices(Protocol):
    @property
    def reach(self) -> Reach: ...

    async def publish(self, topic: str, body: bytes = b"") -> None:
        """Tell every listener of *topic*, in order per publisher; nobody listening is fine."""
        ...

    def listen(self, *topics: str) -> AbstractAsyncContextManager[AsyncIterator[tuple[str, bytes]]]:
        """Listen from the moment the block is entered; a topic ending in "*" matches by prefix.

        A listener that is slow loses the oldest news (bounded queue), never blocks the publisher.
        """
        ...

    async def close(self) -> None: ...
