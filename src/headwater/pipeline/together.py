"""Several awaits at once, failing as one plain error instead of a group of them."""

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import anyio

Item = TypeVar("Item")


async def each(items: Iterable[Item], do: Callable[[Item], Awaitable[None]]) -> None:
    """Run *do* for every item at the same time; the first error cancels the rest and is raised."""
    first: list[BaseException] = []

    async def guarded(item: Item) -> None:
        try:
            await do(item)
        except Exception as error:
            first.append(error)
            raise

    try:
        async with anyio.create_task_group() as group:
            for item in items:
                group.start_soon(guarded, item)
    except BaseExceptionGroup:
        if first:
            raise first[0] from None
        raise
