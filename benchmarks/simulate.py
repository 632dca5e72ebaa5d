"""simulate: what more workers bring, from one to a thousand, with engines of their own machines.

Measured here, one at a time: the CPU it takes to make all rungs of one index, what a write of a
lease or a record holds the only writer for, and how many bytes go each way. Simulated: a
library of ten-minute videos, workers with one encoder each, one database (one writer at a time, see
decisions/0016) and one store on a line of 10 Gbit/s; and one video alone, which has no more
segments than it has.
"""

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle as again
from itertools import islice
from pathlib import Path

from benchmarks.clips import Clips
from benchmarks.measure import children_cpu_s
from benchmarks.ours import plan_ours
from benchmarks.report import Row
from benchmarks.simulation import OWN, Outcome, Step, Task, simulate
from headwater.compose.core import Core, open_core
from headwater.model.ids import GenerationId, TrackId
from headwater.settings import load
from tests.support import postgres

ABOUT = "Speed-up over one worker; the note says what is busiest."
WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
VIDEOS, SEGMENTS = 100, 150  # ten minutes in segments of four seconds
STORE_BYTES_PER_S = 10e9 / 8
STORE_PLACES = 8  # transfers that share the line at once, each with its part of it
# Of one index: leases of what is copied and of what is encoded, the records of both, and a share of
# the job's own two writes in a turn of four.
WRITES = 4.5
WRITES_MEASURED = 400
HOLDER = "bench"


@dataclass(frozen=True, slots=True)
class Measured:
    """CPU seconds of each index made, which are seconds on a core of one's own, bytes it reads and
    writes, and seconds of the writer for a write.
    """

    made_s: list[float]
    read_bytes: float
    written_bytes: float
    write_s: float


def measure(clips: Clips, folder: Path) -> list[Row]:
    body = clips.film().read_bytes()
    with postgres.server(conf="fsync = on\n") as server, postgres.database(server) as url:
        measured = asyncio.run(_measure(body, folder, url))
    tasks = tasks_of(measured, VIDEOS * SEGMENTS)
    library = {workers: run(tasks, workers) for workers in WORKERS}
    alone = {workers: run(tasks[:SEGMENTS], workers) for workers in WORKERS}
    rows = [
        Row(what="one index, all rungs", figure=statistics.fmean(measured.made_s), unit="cpu-s"),
        Row(what="the writer, for one write", figure=measured.write_s * 1000, unit="ms"),
    ]
    rows += [_row(f"{workers} workers, a library", library, workers) for workers in WORKERS[1:]]
    rows += [_row(f"{workers} workers, one video", alone, workers) for workers in (2, 64, 1000)]
    return rows


def _row(what: str, outcomes: dict[int, Outcome], workers: int) -> Row:
    outcome = outcomes[workers]
    busy = ", ".join(f"{name} {share:.0%}" for name, share in sorted(outcome.busy.items()))
    return Row(
        what=what,
        figure=outcomes[1].ended_s / outcome.ended_s,
        unit="×",
        target=1.9 if workers == 2 else None,
        at_least=True,
        note=f"first: {outcome.bottleneck} ({busy})",
    )


def tasks_of(measured: Measured, count: int) -> list[Task]:
    """Return *count* indices to make, each as long as one of those that were measured."""
    read_s, written_s = (
        size * STORE_PLACES / STORE_BYTES_PER_S
        for size in (measured.read_bytes, measured.written_bytes)
    )
    write = Step("writer", measured.write_s * WRITES / 2)
    return [
        Task(
            0.0, [write, Step("store", read_s), Step(OWN, made_s), Step("store", written_s), write]
        )
        for made_s in islice(again(measured.made_s), count)
    ]


def run(tasks: Sequence[Task], workers: int) -> Outcome:
    return simulate(tasks, workers=workers, places={"writer": 1, "store": STORE_PLACES})


async def _measure(body: bytes, folder: Path, url: str) -> Measured:
    ours = await plan_ours(body, folder / "made")
    heights = [rung.height for rung in ours.video.rungs if not rung.copy]
    segments = len(ours.video.cuts) - 1
    made_s, written = [], 0
    for index in range(segments):
        began_s = time.process_time()
        with children_cpu_s() as codec_s:
            written += sum(len(part) for part in await ours.make_index(heights, index))
        made_s.append(codec_s[0] + time.process_time() - began_s)
    async with open_core(load(data=folder / "rows", database=url, notices="table:")) as core:
        write_s = await _write_s(core)
    return Measured(made_s, len(body) / segments, written / segments, write_s)


async def _write_s(core: Core) -> float:
    """Return how long one lease keeps every other writer out, its commit with it."""
    generation = GenerationId("bench")
    took_s = []
    for index in range(WRITES_MEASURED):
        began = time.perf_counter()
        await core.ask(
            "pipeline.take_leases",
            generation=generation,
            wanted=[(TrackId(track), index) for track in ("240", "360", "480", "720", "audio")],
            holder=HOLDER,
            yields=True,
        )
        took_s.append(time.perf_counter() - began)
    return statistics.median(took_s)
