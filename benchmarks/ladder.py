"""ladder: CPU of the whole ladder by our real pipeline, against the peers and against one run.

Ours: every segment of every encoded rung by make_segments, one decode per segment, each in its
own codec process. Theirs: one command line per rung, sound and all. "top copied": the source's
pictures are taken as they are (MediaCMS, which never does, is spared its top rung); "top encoded":
by nobody.
CPU seconds of all processes, for ours this one included; rounds alternate, medians are shown.
"""

import asyncio
import os
import statistics
from collections.abc import Sequence
from pathlib import Path

from benchmarks import peers
from benchmarks.clips import Clips
from benchmarks.measure import cpu_s, run
from benchmarks.ours import Ours, plan_ours
from benchmarks.report import Row

ABOUT = "CPU seconds of the whole ladder of 12 s of 1080p30, all processes counted."
ROUNDS = 2
LOWER = (720, 480, 360, 240)


def measure(clips: Clips, folder: Path) -> list[Row]:
    source = clips.scene()
    return asyncio.run(_measure(source, source.read_bytes(), folder))


async def _measure(source: Path, body: bytes, folder: Path) -> list[Row]:
    copied = await plan_ours(body, folder / "copied")
    encoded = await plan_ours(body, folder / "encoded", copy_top=False)
    rows = await _cpu("top copied", copied, source, folder, LOWER)
    return rows + await _cpu("top encoded", encoded, source, folder, (1080, *LOWER))


async def _cpu(
    case: str, ours: Ours, source: Path, folder: Path, heights: Sequence[int]
) -> list[Row]:
    top = [] if 1080 in heights else peers.peertube_copy(source, folder)
    peertube_source = folder / "peertube-opt.mp4" if top else source
    peertube = [*top, *(peers.peertube_rung(peertube_source, folder, h) for h in heights)]
    mediacms = [peers.mediacms_rung(source, folder, height) for height in heights]
    taken: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        began = cpu_s(os.getpid())
        await ours.make(heights)
        taken.setdefault("ours", []).append(cpu_s(os.getpid()) - began)
        for name, commands in (
            ("peertube", peertube),
            ("mediacms", mediacms),
            ("one run", [ours.monolithic(source, folder, heights)]),
        ):
            taken.setdefault(name, []).append(sum(run(command)[0] for command in commands))
    here = statistics.median(taken["ours"])
    return [
        Row(
            what=f"{case}: {len(heights)} rungs",
            figure=here,
            unit="CPU s",
            baseline=statistics.median(taken[name]),
            against=against,
            target=target,
        )
        for name, against, target in (
            ("peertube", "PeerTube", 0.5),
            ("mediacms", "MediaCMS", 0.4),
            ("one run", "one run, same settings", 1.1),
        )
    ]
