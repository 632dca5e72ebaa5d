"""scale: two workers against one on the same ten minutes of 1080p, each on a core of its own.

From its last byte until all of it is ready, with the api and the scheduler beside the workers; and
the CPU that workers and their encoders used for each segment.
"""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.clips import Clips
from benchmarks.measure import cpu_s
from benchmarks.report import Row
from benchmarks.serving import send, wait_for
from tests.support.server import EMAIL, PASSWORD, Server

ABOUT = "Seconds from the last byte to ready, and CPU seconds for each segment of each rung."
SECONDS = 600
ASKED_S = 0.5  # more often, and the asking takes a core's hundredths from the workers
OWNER = {"owner_email": EMAIL, "owner_password": PASSWORD}


def measure(clips: Clips, folder: Path, *, seconds: int = SECONDS) -> list[Row]:
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        raise RuntimeError("Two workers on a core each need two cores.")
    film = clips.long_film(seconds)
    one_s, one_cpu_s = _until_ready(film, folder / "one", cores[:1])
    two_s, two_cpu_s = _until_ready(film, folder / "two", cores)
    return [
        Row(
            what=f"ready, {seconds} s of 1080p: one worker's time in that of two",
            figure=one_s / two_s,
            unit="×",
            target=1.7,
            at_least=True,
            note=f"{one_s:.1f} s, {two_s:.1f} s",
        ),
        Row(
            what="CPU for each segment, two workers",
            figure=two_cpu_s,
            unit="cpu-s",
            baseline=one_cpu_s,
            against="one worker",
            target=1.03,
        ),
    ]


def _until_ready(film: Path, folder: Path, cores: list[int]) -> tuple[float, float]:
    """Return the seconds until *film* is ready, and the workers' CPU seconds for each segment."""
    folder.mkdir(parents=True)
    with _fleet(folder / "data", cores) as (api, workers):
        before = sum(cpu_s(worker.pid) for worker in workers)
        with api.client() as client:
            video = send(client, film, "scale")
            began = time.monotonic()
            wait_for(client, video, "ready", every_s=ASKED_S)
            took_s = time.monotonic() - began
        used_s = sum(cpu_s(worker.pid) for worker in workers) - before
    made = len([path for path in (folder / "data" / "blobs").rglob("*") if path.name.isdecimal()])
    return took_s, used_s / made


@contextmanager
def _fleet(data: Path, cores: list[int]) -> Iterator[tuple[Server, list[Server]]]:
    """Run an api, a scheduler and a worker on each of *cores*, all on *data*."""
    settings = OWNER | {"notices": "table:", "encoders": "1", "log_level": "warning"}
    with ExitStack() as stack:
        api = Server(data, settings, role="api")
        workers = [Server(data, settings, role="worker", name=f"worker-{core}") for core in cores]
        for server in (api, Server(data, settings, role="scheduler"), *workers):
            stack.callback(server.stop)
            server.start()
        for worker, core in zip(workers, cores, strict=True):
            pin(worker.pid, core)
        yield api, workers


def pin(pid: int, core: int) -> None:
    """Keep every thread of *pid*, and what it starts from now on, on *core*."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {core})
