"""Waiting for a condition, with a deadline."""

import asyncio
import time
from collections.abc import Awaitable, Callable

POLL_S = 0.05


def until(condition: Callable[[], bool], *, within_s: float) -> None:
    """Return once *condition* holds; fail if it does not in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(POLL_S)


async def eventually(
    condition: Callable[[], bool | Awaitable[bool]], *, within_s: float = 15.0
) -> None:
    """Return once *condition* holds; meanwhile everything else goes on."""
    async with asyncio.timeout(within_s):
        while True:
            holds = condition()
            if holds if isinstance(holds, bool) else await holds:
                return
            await asyncio.sleep(POLL_S / 10)
