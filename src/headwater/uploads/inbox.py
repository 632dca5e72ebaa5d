"""The body of a request, read ahead of whoever stores it by a bounded number of bytes.

A server hands over small chunks; the store gets two megabytes of them at a time, because each
hand-over between tasks and threads costs, and unjoined, because a copy costs more than both.
"""

import asyncio
from collections.abc import AsyncIterable

import anyio

BLOCK_BYTES = 2 << 20  # each costs a hand-over or two: 8 % less CPU than with half of it


class Inbox:
    """Filled by one task and emptied by another; holds a block and a chunk at most."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._size = 0
        self._ready = asyncio.Event()
        self._taken = asyncio.Event()
        self._ended = False
        self.error: Exception | None = None

    @property
    def is_over(self) -> bool:
        """The body has ended and everything of it was taken."""
        return self._ended and not self._size

    async def fill(self, body: AsyncIterable[bytes]) -> None:
        """Read *body* to its end. What it raises is kept in *error*: bytes before it are good."""
        try:
            async for chunk in body:
                if not chunk:
                    continue
                self._chunks.append(chunk)
                self._size += len(chunk)
                while self._size >= BLOCK_BYTES:
                    self._ready.set()
                    self._taken.clear()
                    await self._taken.wait()
        except Exception as error:  # noqa: BLE001 — whatever ended it, what came before is kept
            self.error = error
        finally:
            self._ended = True
            self._ready.set()

    async def take(self, *, wait_s: float) -> list[bytes]:
        """Return the chunks of about a block, or after *wait_s* those there are, or none."""
        if not self._ready.is_set():
            with anyio.move_on_after(wait_s):
                await self._ready.wait()
        block, self._chunks, self._size = self._chunks, [], 0
        if not self._ended:
            self._ready.clear()
        self._taken.set()
        return block
