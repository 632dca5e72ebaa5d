"""moving: how long a large installation takes to move, and how long those who write then wait.

The rows of 100 000 videos to PostgreSQL, then 5 GB of blobs to a bucket, under a server that is
edited and watched, by movers of which three each are killed. Rows are counted and blobs are hashed
from outside, before and after; a player holds every byte against what it was before.
"""

import asyncio
import hashlib
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self

import msgspec
from sqlalchemy import insert, select

from benchmarks.clips import Clips
from benchmarks.report import Row
from benchmarks.serving import send, wait_for
from headwater.engines.blobs.filesystem import FileBlobs
from headwater.engines.blobs.port import BlobKey
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
from tests.drills.player import Player
from tests.support import ceph, postgres
from tests.support.clips import make_clip
from tests.support.server import Server, serving

ABOUT = "Under a server that is edited and watched; killed movers are in the seconds."
VIDEOS, BLOBS_GB = 100_000, 5.0
BATCH = 500
PAUSE_S = 0.3
BORN = {"created_at": 0.0}
TRACKS = 6
BLOB_BYTES = 4 << 20
KILLS_S = (2.0, 4.0, 6.0)
COUNTED = (videos, uploads, sources, generations, streams, tracks)


def measure(
    clips: Clips, folder: Path, *, count: int = VIDEOS, gigabytes: float = BLOBS_GB
) -> list[Row]:
    data = folder / "data"
    with (
        postgres.server(conf="fsync = on\n") as database,
        postgres.database(database) as url,
        ceph.cluster() as store,
        serving(data) as server,
    ):
        name = ceph.bucket(store.endpoint())
        server.stop()
        made = asyncio.run(fill(data, count, gigabytes))
        server.start()
        with server.client() as client:
            video = send(client, make_clip("h264_moov_last", clips.folder), "watched")
            wait_for(client, video, "ready")
        with Load(server, video) as rows_load:
            rows_said, rows_s = move(data, "database", url)
        rows = [counts_in_file(data / "headwater.sqlite3"), counts_in_postgres(database, url)]
        assert rows[0] == rows[1], rows
        with Load(server, video) as blobs_load:
            blobs_said, blobs_s = move(data, "blobs", ceph.url(store.endpoint(), name))
        assert hashes_in_bucket(ceph.client(store.endpoint()), name) == made
        Player(server, video).watch()
    moved = int(found(r"Moved (\d+) rows", rows_said))
    pause_ms = float(found(r"writers waited (\d+) ms", rows_said))
    assert "nobody waited" in blobs_said
    return [
        Row(
            what=f"rows of {count:,} videos",
            figure=moved / rows_s / 1000,
            unit="thousand/s",
            note=f"{moved:,} rows in {rows_s:.0f} s, with three movers killed",
        ),
        Row(what="rows: writers waited", figure=pause_ms / 1000, unit="s", target=5.0),
        Row(what="rows: slowest edit", figure=rows_load.slowest_s, unit="s", note=rows_load.note),
        Row(
            what=f"{gigabytes:g} GB of blobs to a bucket",
            figure=gigabytes * 1000 / blobs_s,
            unit="MB/s",
            note=f"{blobs_s:.0f} s, with three movers killed; nobody waited",
        ),
        Row(
            what="blobs: slowest edit", figure=blobs_load.slowest_s, unit="s", note=blobs_load.note
        ),
    ]


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


async def fill(folder: Path, count: int, gigabytes: float) -> dict[str, str]:
    """Return the SHA-256 of each blob by its name."""
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
    made = {}
    for number in range(int(gigabytes * 1e9 / BLOB_BYTES)):
        body = secret_bytes() * (BLOB_BYTES // 32)
        made[str(number)] = hashlib.sha256(body).hexdigest()
        await blobs.put_absent(BlobKey(f"bench/{number}"), body)
    blobs.close()
    return made


class Load:
    """Edits and watches all the time; *slowest_s* is the longest that an edit took."""

    def __init__(self, server: Server, watched: str) -> None:
        self.slowest_s = 0.0
        self._edits = self._watched = 0
        self._server, self._over = server, Event()
        self._player = Player(server, watched)
        self._player.watch()
        self._faults: list[BaseException] = []
        self._threads = [Thread(target=self._go, args=(turn,)) for turn in (self._edit, self._see)]

    @property
    def note(self) -> str:
        return f"{self._edits} edits; a video was watched {self._watched} times"

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        if self._faults:
            raise self._faults[0]

    def _go(self, turn: Any) -> None:
        try:
            while not self._over.wait(PAUSE_S):  # more is refused as too much for one person
                turn()
        except BaseException as error:  # noqa: BLE001 (raised when the block ends)
            self._faults.append(error)

    def _edit(self) -> None:
        at, title = f"/api/v1/videos/m{self._edits % 1000:09}", str(self._edits)
        with self._server.client() as client:
            started = time.monotonic()
            client.patch(at, json={"title": title}).raise_for_status()
            self.slowest_s = max(self.slowest_s, time.monotonic() - started)
        self._edits += 1

    def _see(self) -> None:
        self._player.watch()
        self._watched += 1


def move(data: Path, what: str, to: str) -> tuple[str, float]:
    """Move, and return what the last mover said and the seconds that all of them took."""
    words = [str(Path(sys.executable).with_name("headwater")), "move", what, to]
    began = time.monotonic()
    for kill_s in (*KILLS_S, None):
        with subprocess.Popen([*words, "--data", str(data)], stdout=subprocess.PIPE) as mover:
            try:
                said, _ = mover.communicate(timeout=kill_s)
            except subprocess.TimeoutExpired:
                mover.kill()
                continue
        assert mover.returncode == 0
        assert kill_s is None, f"it was done before a mover was {kill_s} s old"
        return said.decode(), time.monotonic() - began
    raise AssertionError("unreachable")


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match, text
    return match[1]


def counts_in_file(path: Path) -> dict[str, int]:
    with closing(sqlite3.connect(path)) as file:
        return {
            table.name: file.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0]
            for table in COUNTED
        }


def counts_in_postgres(server: postgres.Postgres, url: str) -> dict[str, int]:
    database = url.rpartition("/")[2]
    return {
        table.name: int(server.sql(f"SELECT count(*) FROM {table.name}", database))
        for table in COUNTED
    }


def hashes_in_bucket(store: Any, name: str) -> dict[str, str]:
    pages = store.get_paginator("list_objects_v2").paginate(Bucket=name)
    keys = [one["Key"] for page in pages for one in page.get("Contents", ())]
    return {
        key.rpartition("/")[2]: hashlib.sha256(
            store.get_object(Bucket=name, Key=key)["Body"].read()
        ).hexdigest()
        for key in keys
        if "bench/" in key
    }
