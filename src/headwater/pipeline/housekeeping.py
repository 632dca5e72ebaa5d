"""Housekeeping: what has to happen now and then, as operations, by one process of a deployment."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
import structlog

from headwater.model.errors import HeadwaterError
from headwater.pipeline.ask import Ask

log = structlog.get_logger(__name__)

Chores = Mapping[str, float]  # operation → seconds between two runs of it


async def keep_house(ask: Ask, chores: Chores, *, turn: Callable[[], Awaitable[None]]) -> None:
    """Run each of *chores* again and again; *turn* waits while another process does.

    One that fails is tried the next time; whoever takes over begins at once.
    """

    async def keep(name: str, every_s: float) -> None:
        while True:
            await turn()
            try:
                done: Any = await ask(name)
                if done:
                    log.info("housekeeping", chore=name, done=done)
            except HeadwaterError as error:
                log.warning("housekeeping", chore=name, error=str(error), code=error.code)
            await anyio.sleep(every_s)

    async with anyio.create_task_group() as group:
        for name, every_s in chores.items():
            group.start_soon(keep, name, every_s)
