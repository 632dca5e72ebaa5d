"""pages: what people and clients ask for all the time, idle and while the warm-up takes all cores.

Requests per CPU second beside a bare Starlette route in the same run; latencies at 4 connections.
The first server warms nothing; the second, on the same data, warms films while it answers.
"""

import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.clips import Clips
from benchmarks.measure import cpu_s
from benchmarks.report import ROOT, Row
from benchmarks.serving import send, server, wait_for
from headwater.roles import free_port

ABOUT = "Not signed in, 4 connections; codecs of the warm-up run at idle priority."
ROUNDS = 3
FILMS = 4  # a minute of 1080p each: warmed for longer than the rounds take
SECONDS = 3
LATENCY = re.compile(r"(50|99)%\s+([\d.]+)(us|ms|s)")
MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}
Figures = tuple[float, float, float]  # requests per CPU second (0: not asked), p50 and p99 in ms


def measure(clips: Clips, folder: Path) -> list[Row]:
    data = folder / "data"
    with server(data, warm="none") as ours, ours.client() as client:
        video = send(client, clips.megabytes(), "Megabytes")
        wait_for(client, video, "ready")
        paths = {
            "home": "/",
            "watch": f"/watch/{video}",
            "GET /api/v1/videos/{id}": f"/api/v1/videos/{video}",
        }
        idle: dict[str, list[Figures]] = {name: [] for name in ("bare", *paths)}
        with _bare() as (bare, bare_pid):
            for _ in range(ROUNDS):
                idle["bare"].append(_ask(bare, bare_pid))
                for name, path in paths.items():
                    idle[name].append(_ask(ours.url + path, ours.pid))
    with server(data) as ours, ours.client() as client:
        films = [send(client, clips.minute(), f"Film {number}") for number in range(FILMS)]
        for film in films:
            wait_for(client, film, "playable")
        busy: dict[str, list[Figures]] = {name: [] for name in paths}
        for _ in range(ROUNDS):
            for name, path in paths.items():
                busy[name].append(_ask(ours.url + path, ours.pid))
        if wait_for(client, films[-1], "playable", "ready")["state"] == "ready":
            raise RuntimeError("The warm-up was over before the pages were; raise FILMS.")
    return _rows(idle, busy)


def _rows(idle: dict[str, list[Figures]], busy: dict[str, list[Figures]]) -> list[Row]:
    bare = _medians(idle["bare"])
    rows = []
    for name, figures in busy.items():
        calm, loaded = _medians(idle[name]), _medians(figures)
        rows += [
            Row(
                what=f"{name}: requests",
                figure=calm[0],
                unit="req/cpu-s",
                baseline=bare[0],
                against="bare route",
                note=f"p50 {calm[1]:.2f} ms, bare {bare[1]:.2f} ms",
            ),
            Row(
                what=f"{name}: p99 idle",
                figure=calm[2],
                unit="ms",
                baseline=bare[2],
                against="bare route",
            ),
            Row(
                what=f"{name}: p99 while warming",
                figure=loaded[2],
                unit="ms",
                baseline=calm[2],
                against="idle",
                target=2.0,
                note=f"p50 {loaded[1]:.2f} ms",
            ),
        ]
    return rows


def _medians(figures: list[Figures]) -> list[float]:
    return [statistics.median(column) for column in zip(*figures, strict=True)]


def _ask(url: str, pid: int) -> Figures:
    program = shutil.which("wrk")
    assert program, "wrk is missing: apt install wrk"
    before = cpu_s(pid)
    said = subprocess.run(
        [program, "-t1", "-c4", f"-d{SECONDS}s", "--latency", url],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    used = cpu_s(pid) - before
    if "Non-2xx" in said:
        raise RuntimeError(f"{url} was refused:\n{said}")
    found = re.search(r"(\d+) requests in", said)
    assert found
    at = {share: float(value) * MS[unit] for share, value, unit in LATENCY.findall(said)}
    return int(found[1]) / used, at["50"], at["99"]


@contextmanager
def _bare() -> Iterator[tuple[str, int]]:
    port = free_port("127.0.0.1")
    command = [sys.executable, "-m", "benchmarks.bare", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}/"
        deadline = time.monotonic() + 20
        while True:
            try:
                httpx.get(url)
                break
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        yield url, process.pid
    finally:
        process.terminate()
        process.wait()
