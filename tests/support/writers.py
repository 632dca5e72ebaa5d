"""Some that write all the time, and know what they were told was kept."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import insert

from headwater.engines.database.port import Database
from headwater.engines.database.schema import preferences
from headwater.model.errors import Unavailable

TASKS = 4


class Writers:
    """Some that write all the time; *kept* is what was acknowledged, *last* when."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.kept: set[str] = set()
        self.refused = 0
        self.slowest_s = 0.0
        self.acknowledged = asyncio.Event()

    async def write(self, part: int) -> None:
        loop, i = asyncio.get_running_loop(), 0
        while True:
            i, started = i + 1, loop.time()
            try:
                async with self._database.writer() as session:
                    await session.execute(insert(preferences).values(name=f"{part}-{i}", value=b""))
            except Unavailable:
                self.refused += 1
            else:
                self.kept.add(f"{part}-{i}")
                self.acknowledged.set()
            self.slowest_s = max(self.slowest_s, loop.time() - started)
            await asyncio.sleep(0.01)

    async def until_more(self, count: int = 1) -> None:
        for _ in range(count):
            self.acknowledged.clear()
            await self.acknowledged.wait()


@asynccontextmanager
async def writing(database: Database) -> AsyncIterator[Writers]:
    writers = Writers(database)
    tasks = [asyncio.ensure_future(writers.write(part)) for part in range(TASKS)]
    try:
        await writers.until_more(20)
        yield writers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    assert not [task for task in tasks if not task.cancelled()]
