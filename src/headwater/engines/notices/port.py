"""Notices: small news for whoever listens now (progress, "segment is there", purge).

A publisher that dies takes with it what had not left; a listener that lost something is told.

Flow      pipeline and runner publish → waiting requests, event streams and caches listen.
Adapters  memory.MemoryNotices (one process), table.TableNotices (as far as the database reaches),
          redis.RedisNotices (a fleet); compose picks by HEADWATER_NOTICES.
Promises  tests/contracts/test_notices.py.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from headwater.engines.reach import Reach

NOTICE_BYTES = 8192
MISSED = ""  # the topic, with an empty body, that tells a listener it lost news


class Notices(Protocol):
    @property
    def reach(self) -> Reach: ...

    async def publish(self, topic: str, body: bytes = b"") -> None:
        """Tell every listener of *topic*, in order per publisher; nobody listening is fine."""
        ...

    def listen(self, *topics: str) -> AbstractAsyncContextManager[AsyncIterator[tuple[str, bytes]]]:
        """Listen from the moment the block is entered; a topic ending in "*" matches by prefix.

        A listener that is slow loses the oldest news (bounded queue), never blocks the publisher.
        It then hears MISSED, as everybody does after having been cut off for longer than news are
        kept: whoever follows something looks at it anew, and drops what it remembers of it.
        """
        ...

    async def close(self) -> None: ...
