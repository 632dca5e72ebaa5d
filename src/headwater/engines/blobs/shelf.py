"""Blobs kept open for a few seconds: what one player reads, the next one reads too.

A file is opened once for all who read it, however many ranges they ask for. Each second a kept one
is looked at again: one that was deleted goes, so that nobody reads long what is gone and its space
is free again.
"""

import asyncio
from collections import OrderedDict

from headwater.engines.blobs.opened import Opener, OpenFile
from headwater.engines.blobs.port import BlobKey

MOST = 128  # a process is commonly given 1024 descriptors, connections included
KEPT_S = 5.0
CHECKED_S = 1.0


class Shelf:
    """For one thread, like the event loop it works on."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._kept: OrderedDict[BlobKey, OpenFile] = OrderedDict()
        self._tidying: asyncio.TimerHandle | None = None

    async def open(self, key: BlobKey) -> OpenFile:
        """Return *key*, opened now or lately; whoever opens closes. Raises BlobNotFound."""
        now = asyncio.get_running_loop().time()
        found = self._kept.get(key)
        if found is None or not self._is_there(key, found, now):
            found = await self._opener.open(key)
            if not found.is_linked():  # deleted while it was opened: its last reader closes it
                return found
            self._keep(key, found, now)
        found.users += 1
        found.used_at = now
        return found

    def forget(self, key: BlobKey) -> None:
        """Close *key* as soon as nobody reads it any more."""
        found = self._kept.pop(key, None)
        if found is not None:
            found.close()

    def close(self) -> None:
        while self._kept:
            self.forget(next(iter(self._kept)))
        if self._tidying is not None:
            self._tidying.cancel()

    def _is_there(self, key: BlobKey, found: OpenFile, now: float) -> bool:
        if now - found.checked_at < CHECKED_S:
            return True
        found.checked_at = now
        if found.is_linked():
            self._kept.move_to_end(key)
            return True
        self.forget(key)
        return False

    def _keep(self, key: BlobKey, opened: OpenFile, now: float) -> None:
        """Take *opened*, which is ours from now on, onto the shelf."""
        self.forget(key)  # somebody may have been faster
        opened.checked_at = now
        self._kept[key] = opened
        if len(self._kept) > MOST:
            self.forget(next(iter(self._kept)))
        if self._tidying is None:
            self._tidying = asyncio.get_running_loop().call_later(KEPT_S, self._tidy)

    def _tidy(self) -> None:
        loop = asyncio.get_running_loop()
        long_ago = loop.time() - KEPT_S
        for key, found in list(self._kept.items()):
            if found.used_at <= long_ago or not found.is_linked():
                self.forget(key)
        self._tidying = loop.call_later(KEPT_S, self._tidy) if self._kept else None
