"""The price of synchronous=FULL: commits a second with 1, 8 and 64 writers.

"full" is what runs; "normal" may lose the last commits with the power; "alone" is FULL with a flush
for every writer, that is, without sharing. Run: python -m benchmarks.sqlite_commit [SECONDS]
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import insert

from headwater.engines.database import group_commit
from headwater.engines.database.schema import notices
from headwater.engines.database.sqlite import SqliteDatabase

WRITERS = (1, 8, 64)
ROW = {"topic": "bench", "body": b"x" * 200, "created_at": 0.0}


async def commits_per_s(folder: Path, *, synchronous: str, writers: int, seconds: float) -> float:
    database = SqliteDatabase(folder / f"{synchronous}-{writers}.db")
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


async def main(seconds: float) -> None:
    print(" writers    full/s  normal/s   alone/s  full:normal  full:alone")
    with tempfile.TemporaryDirectory() as name:
        for writers in WRITERS:
            rates = {}
            for case, synchronous, group_s in (
                ("full", "FULL", group_commit.GROUP_S),
                ("normal", "NORMAL", group_commit.GROUP_S),
                ("alone", "FULL", -1.0),
            ):
                shared, group_commit.GROUP_S = group_commit.GROUP_S, group_s
                folder = Path(name) / case
                folder.mkdir(exist_ok=True)
                rates[case] = await commits_per_s(
                    folder, synchronous=synchronous, writers=writers, seconds=seconds
                )
                group_commit.GROUP_S = shared
            print(
                f"{writers:>8} {rates['full']:>9.0f} {rates['normal']:>9.0f} {rates['alone']:>9.0f}"
                f" {rates['full'] / rates['normal']:>12.2f} {rates['full'] / rates['alone']:>11.2f}"
            )


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0))
