"""commits: the price of synchronous=FULL, with 1, 8 and 64 writers.

What runs shares one flush between the writers that wait. "NORMAL" may lose the last commits with
the power; "no sharing" flushes for every writer.
"""

import asyncio
import time
from pathlib import Path

from sqlalchemy import insert

from benchmarks.clips import Clips
from benchmarks.report import Row
from headwater.engines.database import group_commit
from headwater.engines.database.schema import notices
from headwater.engines.database.sqlite import SqliteDatabase

ABOUT = "Commits of one row a second."
WRITERS = (1, 8, 64)
SECONDS = 1.0
ROW = {"topic": "bench", "body": b"x" * 200, "created_at": 0.0}


async def commits_per_s(
    folder: Path, *, synchronous: str, writers: int, seconds: float, case: str
) -> float:
    database = SqliteDatabase(folder / f"{case}-{writers}.db")
    await database.migrate()
    async with database.writer() as session:
        await session.execute(insert(notices).values(ROW))
    assert database._write_connection is not None  # noqa: SLF001
    database._write_connection.raw.execute(f"PRAGMA synchronous={synchronous}")  # noqa: SLF001
    stop_at = time.perf_counter() + seconds

    async def write() -> int:
        count = 0
        while time.perf_counter() < stop_at:
            async with database.writer() as session:
                await session.execute(insert(notices).values(ROW))
            count += 1
        return count

    began = time.perf_counter()
    done = sum(await asyncio.gather(*(write() for _ in range(writers))))
    took = time.perf_counter() - began
    await database.close()
    return done / took


def measure(clips: Clips, folder: Path) -> list[Row]:
    _ = clips
    return asyncio.run(_measure(folder))


async def _measure(folder: Path) -> list[Row]:
    rows = []
    for writers in WRITERS:
        rates = {}
        for case, synchronous, group_s in (
            ("full", "FULL", group_commit.GROUP_S),
            ("normal", "NORMAL", group_commit.GROUP_S),
            ("alone", "FULL", -1.0),
        ):
            shared, group_commit.GROUP_S = group_commit.GROUP_S, group_s
            rates[case] = await commits_per_s(
                folder, synchronous=synchronous, writers=writers, seconds=SECONDS, case=case
            )
            group_commit.GROUP_S = shared
        rows += [
            Row(
                what=f"{writers} writers",
                figure=rates["full"],
                unit="commits/s",
                baseline=rates[other],
                against=against,
            )
            for other, against in (("normal", "synchronous=NORMAL"), ("alone", "no sharing"))
        ]
    return rows
