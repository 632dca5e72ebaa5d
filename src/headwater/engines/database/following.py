"""A database whose rows may move while processes use it: every block begins where they are now.

Flow      reader() and writer() begin on the database in use → Moved before anything was asked →
          the address is read from it and opened → the block begins there.
Promises  a block runs where it began; one that begins after the move sees all that was committed.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Protocol

from headwater.engines.database.port import Database, Session
from headwater.engines.reach import Reach
from headwater.model.errors import Moved
from headwater.model.freshness import LATEST, Freshness


class Movable(Database, Protocol):
    async def moved_to(self) -> str | None:
        """Return the address that the rows have moved to, None while they are here."""
        ...


class FollowingDatabase:
    def __init__(self, first: Movable, arrive: Callable[[str], Awaitable[Database]]) -> None:
        """Use *first* until its rows move; *arrive* opens the database at the address they left."""
        self.has_moved = False
        self._first, self._arrive = first, arrive
        self._now: Database = first
        self._following = asyncio.Lock()

    @property
    def reach(self) -> Reach:
        return self._now.reach

    def reader(self, need: Freshness = LATEST) -> AbstractAsyncContextManager[Session]:
        return _Block(self, lambda database: database.reader(need))

    def writer(self) -> AbstractAsyncContextManager[Session]:
        return _Block(self, lambda database: database.writer())

    async def migrate(self) -> None:
        await self._look()
        await self._now.migrate()

    async def check(self) -> str:
        await self._look()
        return await self._now.check()

    async def backup_to(self, path: str) -> None:
        await self._look()
        await self._now.backup_to(path)

    async def restore_from(self, path: str) -> None:
        await self._look()
        await self._now.restore_from(path)

    async def close(self) -> None:
        if self.has_moved:
            await self._now.close()
        await self._first.close()

    async def begin(
        self, block_of: "BlockOf"
    ) -> tuple[AbstractAsyncContextManager[Session], Session]:
        """Begin a block where the rows are now."""
        block = block_of(self._now)
        try:
            return block, await block.__aenter__()
        except Moved:
            await self._look()
        block = block_of(self._now)
        return block, await block.__aenter__()

    async def _look(self) -> None:
        """Follow the rows if they have moved."""
        async with self._following:
            if self.has_moved or (address := await self._first.moved_to()) is None:
                return
            self._now = await self._arrive(address)
            self.has_moved = True


BlockOf = Callable[[Database], AbstractAsyncContextManager[Session]]


class _Block:
    __slots__ = ("_block", "_block_of", "_database")

    def __init__(self, database: FollowingDatabase, block_of: BlockOf) -> None:
        self._database, self._block_of = database, block_of

    async def __aenter__(self) -> Session:
        self._block, session = await self._database.begin(self._block_of)
        return session

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return await self._block.__aexit__(kind, error, traceback)
