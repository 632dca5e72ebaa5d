"""upload: tus in parts of 8 MB against a plain nginx PUT of the same bytes, both durable.

Ours answers a part when its bytes and its rows are on the disk; nginx does not flush, so each of
its PUTs is followed by an fsync of the file and its folder, whose time counts.
"""

import os
import statistics
import time
from pathlib import Path

import httpx

from benchmarks.clips import Clips
from benchmarks.measure import cpu_s
from benchmarks.nginx import nginx
from benchmarks.report import Row
from benchmarks.serving import server

ABOUT = "Bytes per CPU second of the server and per second; one client, one connection."
PART_BYTES = 8_000_000
PARTS = 24  # a round of nginx is then a tenth of a second of CPU, which is told in hundredths
ROUNDS = 7
TUS = {"Tus-Resumable": "1.0.0"}


def measure(clips: Clips, folder: Path) -> list[Row]:
    _ = clips
    part = os.urandom(PART_BYTES)
    taken: dict[str, list[tuple[float, float]]] = {"ours": [], "nginx": []}
    with (
        server(folder / "data", warm="none", log_level="warning") as ours,
        nginx(folder / "nginx", folder) as theirs,
        ours.client() as client,
        httpx.Client(base_url=theirs.url, timeout=60) as plain,
    ):
        for number in range(ROUNDS):
            began = cpu_s(ours.pid), time.monotonic()
            _send_tus(client, part)
            taken["ours"].append((cpu_s(ours.pid) - began[0], time.monotonic() - began[1]))
            began = cpu_s(theirs.pid), time.monotonic()
            flushing_s = _put(plain, part, theirs.put_folder, str(number))
            taken["nginx"].append(
                (cpu_s(theirs.pid) + flushing_s - began[0], time.monotonic() - began[1])
            )
    total = PART_BYTES * PARTS / 1e6
    mine, other = (
        [statistics.median(column) for column in zip(*taken[side], strict=True)]
        for side in ("ours", "nginx")
    )
    return [
        Row(
            what=what,
            figure=total / mine[column],
            unit=unit,
            baseline=total / other[column],
            against="nginx PUT + fsync",
            target=0.5,
            at_least=True,
        )
        for column, (what, unit) in enumerate(
            (("per CPU second", "MB/cpu-s"), ("per second", "MB/s"))
        )
    ]


def _send_tus(client: httpx.Client, part: bytes) -> None:
    length = str(PART_BYTES * PARTS + 1)  # never complete, so that no video is planned meanwhile
    made = client.post("/api/v1/uploads/", headers={**TUS, "Upload-Length": length})
    where = made.raise_for_status().headers["location"]
    for number in range(PARTS):
        headers = {
            **TUS,
            "Upload-Offset": str(number * PART_BYTES),
            "Content-Type": "application/offset+octet-stream",
        }
        client.patch(where, content=part, headers=headers).raise_for_status()


def _put(plain: httpx.Client, part: bytes, folder: Path, name: str) -> float:
    """Put the parts, each flushed before the next, and return the CPU seconds of the flushes."""
    flushing_s = 0.0
    for number in range(PARTS):
        plain.put(f"/put/{name}-{number}", content=part).raise_for_status()
        before = time.process_time()
        _flush(folder / f"{name}-{number}")
        flushing_s += time.process_time() - before
    return flushing_s


def _flush(path: Path) -> None:
    for one in (path, path.parent):
        descriptor = os.open(one, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
