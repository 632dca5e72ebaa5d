"""Our server as a process of its own, on cores of its own, with videos in it."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.server import Server, serving

READY_S = 900.0
BLOCK_BYTES = 1 << 20


@contextmanager
def server(data: Path, *, cores: str | None = None, **settings: str) -> Iterator[Server]:
    """Serve *data* while the block runs; *cores* as taskset names them."""
    before = os.sched_getaffinity(0)
    if cores is not None:
        os.sched_setaffinity(0, {int(core) for core in cores.split(",")})  # what starts inherits it
    try:
        with serving(data, owner=True, **settings) as running:
            os.sched_setaffinity(0, before)
            yield running
    finally:
        os.sched_setaffinity(0, before)


def send(client: httpx.Client, path: Path, title: str) -> str:
    """Upload *path* in one request and return the video's id."""
    with path.open("rb") as file:
        answer = client.post(
            "/api/v1/videos",
            params={"title": title},
            content=iter(lambda: file.read(BLOCK_BYTES), b""),
            headers={"Content-Length": str(path.stat().st_size)},
            timeout=600,
        )
    answer.raise_for_status()
    made: str = answer.json()["id"]
    return made


def wait_for(
    client: httpx.Client, video: str, *states: str, every_s: float = 0.05
) -> dict[str, Any]:
    """Ask until *video* is in one of *states*; each time costs the server some milliseconds."""
    deadline = time.monotonic() + READY_S
    while True:
        seen: dict[str, Any] = client.get(f"/api/v1/videos/{video}").raise_for_status().json()
        if seen["state"] in states:
            return seen
        if seen["state"] == "failed" or time.monotonic() > deadline:
            raise RuntimeError(f"The video never got there: {seen}")
        time.sleep(every_s)


def segments(client: httpx.Client, video: str, track: str) -> list[str]:
    """Return the addresses of *track*'s segments, in order."""
    master = client.get(f"/streams/{video}/master.m3u8").raise_for_status().text
    playlist = next(
        part.strip('"')
        for line in master.replace("URI=", "\n").splitlines()
        if f"/{track}/" in (part := line.partition(",")[0]) and "playlist.m3u8" in line
    )
    url = httpx.URL(f"{client.base_url}/streams/{video}/master.m3u8").join(playlist)
    lines = client.get(url).raise_for_status().text.splitlines()
    return [url.join(line).path for line in lines if line and not line.startswith("#")]
