"""origin: warmed segments of about 1 MB, ours against nginx sendfile of the very same files.

One core serves, another one asks (wrk). The unit is requests per CPU second of the server's process
tree, which other work on the machine disturbs least; rounds alternate, medians are shown.
"""

import re
import shutil
import statistics
import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.clips import Clips
from benchmarks.measure import cpu_s
from benchmarks.nginx import nginx
from benchmarks.report import Row
from benchmarks.serving import segments, send, server, wait_for

ABOUT = "Requests per CPU second; 8 connections, whole segments and 200 kB ranges."
ROUNDS = 9  # short and many, as other work on the machine comes and goes
SECONDS = 2
CONNECTIONS = 8
RANGE = "Range: bytes=300000-499999"
SERVING, ASKING = "0", "1"


def measure(clips: Clips, folder: Path) -> list[Row]:
    data = folder / "origin"
    with server(data, cores=SERVING, warm="none") as ours:
        with ours.client() as client:
            video = send(client, clips.megabytes(), "Megabytes")
            wait_for(client, video, "ready")
            address = segments(client, video, "v720c")[1]
            body = client.get(address).raise_for_status().content
        blob = next(
            path
            for path in (data / "blobs").rglob("*")
            if path.is_file() and path.read_bytes()[: len(body)] == body
        )
        with nginx(folder / "nginx", blob.parent, cores=SERVING) as theirs:
            pair = [
                (f"{ours.url}{address}", ours.pid),
                (f"{theirs.url}/{blob.name}", theirs.pid),
            ]
            whole = _alternate(pair, [])
            ranged = _alternate(pair, ["-H", RANGE])
    return [
        Row(
            what=f"whole segment, {len(body) / 1e6:.2f} MB",
            figure=whole[0],
            unit="req/cpu-s",
            baseline=whole[1],
            against="nginx sendfile",
            target=0.85,
            at_least=True,
        ),
        Row(
            what="range of 200 kB",
            figure=ranged[0],
            unit="req/cpu-s",
            baseline=ranged[1],
            against="nginx sendfile",
        ),
    ]


def _alternate(pair: Sequence[tuple[str, int]], extra: Sequence[str]) -> list[float]:
    taken: list[list[float]] = [[] for _ in pair]
    for _ in range(ROUNDS):
        for figures, (url, pid) in zip(taken, pair, strict=True):
            figures.append(requests_per_cpu_s(url, pid, extra)[0])
    return [statistics.median(figures) for figures in taken]


def requests_per_cpu_s(url: str, pid: int, extra: Sequence[str] = ()) -> tuple[float, str]:
    """Ask for *url* for a while; return requests per CPU second of *pid* and what wrk said."""
    program = shutil.which("wrk")
    assert program, "wrk is missing: apt install wrk"
    command = [
        *("taskset", "-c", ASKING, program, "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s"),
        *("--latency", *extra, url),
    ]
    before = cpu_s(pid)
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    used = cpu_s(pid) - before
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(f"wrk met errors:\n{said}")
    found = re.search(r"(\d+) requests in", said)
    assert found
    return int(found[1]) / used, said
