"""How long a large deployment takes to move, and how long its writers wait (Show 6).

`python -m benchmarks.moving FOLDER POSTGRES_URL [VIDEOS] [GB]` fills FOLDER with the rows of so
many videos and so many bytes of blobs, starts a server that is written to, moves rows and blobs
with movers of which three each are killed, and compares everything.
"""

import asyncio
import hashlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self

import msgspec
from sqlalchemy import insert, select

from headwater.engines.blobs.filesystem import FileBlobs
from headwater.engines.blobs.port import BlobKey, chunks_of
from headwater.engines.database.schema import (
    accounts,
    events,
    generations,
    sources,
    streams,
    tracks,
    uploads,
    videos,
)
from headwater.engines.database.sqlite import SqliteDatabase
from headwater.engines.entropy import secret_bytes
from tests.support.server import Server, serving

BATCH = 500
PAUSE_S = 0.3
BORN = {"created_at": 0.0}
TRACKS = 6
BLOB_BYTES = 4 << 20
KILLS_S = (4.0, 9.0, 15.0)


def rows_of(number: int, owner: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield the rows of one video that was uploaded, planned and warmed."""
    name = f"m{number:09}"
    yield (
        videos,
        {
            "id": name,
            "owner": owner,
            "title": f"A walk, {number}",
            "description": "",
            "visibility": "public",
            "state": "ready",
            "created_at": number / 7,
        },
    )
    yield (
        uploads,
        {"id": name, "owner": owner, "video": name, "created_at": 0.0, "expires_at": 4e9},
    )
    yield sources, {"video": name, "size": 0, "extents": msgspec.msgpack.encode([])}
    yield (
        generations,
        {"id": name, "video": name, "plan": b"p" * 600, "index_sizes": b"\x80", "encoder": "-"}
        | BORN,
    )
    yield streams, {"name": name, "video": name, "generation": name, "created_at": 0.0}
    for track in range(TRACKS):
        bits = {"generation": name, "track": f"v{track}", "segments": 200, "present": b"\xff" * 25}
        yield tracks, bits
    yield events, {"topic": "video.uploaded", "body": name.encode(), "created_at": 0.0}


async def fill(folder: Path, count: int, gigabytes: float) -> None:
    database = SqliteDatabase(folder / "headwater.sqlite3")
    async with database.reader() as session:
        found = await session.row(select(accounts.c.id))
        assert found is not None
    for first in range(0, count, BATCH):
        batches: dict[Any, list[dict[str, Any]]] = {}
        for number in range(first, min(first + BATCH, count)):
            for table, values in rows_of(number, found["id"]):
                batches.setdefault(table, []).append(values)
        async with database.writer() as session:
            for table, rows in batches.items():
                await session.execute(insert(table).values(rows))
    await database.close()
    blobs = FileBlobs(folder / "blobs", secret=b"")
    for number in range(int(gigabytes * 1e9 / BLOB_BYTES)):
        await blobs.put_absent(BlobKey(f"bench/{number}"), secret_bytes() * (BLOB_BYTES // 32))
    blobs.close()


class Load:
    """Edits all the time; *slowest_s* is the longest that one took."""

    def __init__(self, server: Server) -> None:
        self.edits, self.slowest_s = 0, 0.0
        self._server, self._over = server, Event()
        self._thread = Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        with self._server.client() as client:
            while not self._over.wait(PAUSE_S):  # more is refused as too much for one person
                started = time.monotonic()
                answer = client.patch(
                    f"/api/v1/videos/m{self.edits % 1000:09}", json={"title": f"{self.edits}"}
                )
                answer.raise_for_status()
                self.slowest_s = max(self.slowest_s, time.monotonic() - started)
                self.edits += 1


def move(data: Path, what: str, to: str) -> str:
    words = [str(Path(sys.executable).with_name("headwater")), "move", what, to]
    for kill_s in (*KILLS_S, None):
        started = time.monotonic()
        with subprocess.Popen([*words, "--data", str(data)], stdout=subprocess.PIPE) as mover:
            try:
                said, _ = mover.communicate(timeout=kill_s)
            except subprocess.TimeoutExpired:
                mover.kill()
                print(f"  killed after {kill_s} s")
                continue
        assert mover.returncode == 0
        print(f"  the last run: {time.monotonic() - started:.1f} s")
        return said.decode()
    raise AssertionError("unreachable")


async def digest(folder: Path) -> str:
    blobs, whole = FileBlobs(folder, secret=b""), hashlib.sha256()
    for key in sorted([key async for key, _ in blobs.list("bench/")]):
        whole.update(key.encode())
        async for chunk in chunks_of(blobs, key):
            whole.update(chunk)
    blobs.close()
    return whole.hexdigest()


def main(folder: Path, url: str, count: int = 100_000, gigabytes: float = 5.0) -> None:
    data = folder / "data"
    with serving(data) as server:
        server.stop()
        asyncio.run(fill(data, count, gigabytes))
        before = asyncio.run(digest(data / "blobs"))
        server.start()
        for what, to in (("database", url), ("blobs", f"file:{folder / 'larger'}")):
            print(what)
            with Load(server) as load:
                print(move(data, what, to))
            print(f"  {load.edits} edits meanwhile, the slowest took {load.slowest_s:.2f} s")
    assert asyncio.run(digest(folder / "larger")) == before
    print("every byte of the blobs is what it was")


if __name__ == "__main__":
    given = sys.argv[1:]
    main(Path(given[0]), given[1], *map(int, given[2:3]), *map(float, given[3:4]))
