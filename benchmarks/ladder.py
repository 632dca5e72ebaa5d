"""ladder: CPU of the whole ladder by our real pipeline, against the peers and against one run.

Ours: every segment of every encoded rung by make_segments, one decode per segment, each in its
own codec process. Theirs: one command line per rung, sound and all. "top copied": the source's
pictures are taken as they are (MediaCMS, which never does, is spared its top rung); "top encoded":
by nobody. The quality that goes with it is told by the bench `rates`.
"""

import asyncio
import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import peers
from benchmarks.clips import Clips
from benchmarks.measure import cpu_s, run
from benchmarks.ours import Ours, plan_ours
from benchmarks.report import Row

ABOUT = (
    "CPU seconds, user and system, of the whole ladder of 24 s of 1080p30, all processes and this "
    "one counted. Whoever shares the machine slows all sides: they take turns rung by rung."
)
TOP = 1080
LOWER = (720, 480, 360, 240)


@dataclass(frozen=True, slots=True)
class Taken:
    """CPU seconds: of a peer's rungs by height, 0 its copy of the top; of ours by case."""

    peertube: dict[int, float] = field(default_factory=dict)
    mediacms: dict[int, float] = field(default_factory=dict)
    ours: dict[str, list[float]] = field(default_factory=dict)
    one_run: dict[str, list[float]] = field(default_factory=dict)


def measure(clips: Clips, folder: Path) -> list[Row]:
    source = clips.film()
    taken = asyncio.run(_measure(source, source.read_bytes(), folder))
    return [
        *_rows(taken, "top copied", (0, *LOWER), LOWER),
        *_rows(taken, "top encoded", (TOP, *LOWER), (TOP, *LOWER)),
    ]


async def _measure(source: Path, body: bytes, folder: Path) -> Taken:
    """Take ours before and after each half of theirs, so that all see the same machine."""
    taken = Taken()
    copied = await plan_ours(body, folder / "copied")
    encoded = await plan_ours(body, folder / "encoded", copy_top=False)
    for heights in ((TOP, *LOWER[:1]), LOWER[1:]):
        await _ours(taken, "top encoded", encoded, source, folder, (TOP, *LOWER))
        for height in heights:
            taken.peertube[height] = run(peers.peertube_rung(source, folder, height))[0]
            taken.mediacms[height] = run(peers.mediacms_rung(source, folder, height))[0]
        await _ours(taken, "top copied", copied, source, folder, LOWER)
    taken.peertube[0] = sum(run(command)[0] for command in peers.peertube_copy(source, folder))
    return taken


async def _ours(
    taken: Taken, case: str, ours: Ours, source: Path, folder: Path, heights: Sequence[int]
) -> None:
    began = cpu_s(os.getpid())
    await ours.make(heights)
    taken.ours.setdefault(case, []).append(cpu_s(os.getpid()) - began)
    one_run = run(ours.monolithic(source, folder, heights))[0]
    taken.one_run.setdefault(case, []).append(one_run)


def _rows(taken: Taken, case: str, peertube: Sequence[int], heights: Sequence[int]) -> list[Row]:
    baselines = (
        ("PeerTube", sum(taken.peertube[height] for height in peertube), 0.5),
        ("MediaCMS", sum(taken.mediacms[height] for height in heights), 0.4),
        ("one run, same settings", statistics.mean(taken.one_run[case]), 1.1),
    )
    return [
        Row(
            what=f"{case}: {len(heights)} rungs",
            figure=statistics.mean(taken.ours[case]),
            unit="CPU s",
            baseline=baseline,
            against=against,
            target=target,
        )
        for against, baseline, target in baselines
    ]
