"""rates: bits at equal quality, rung by rung, against both peers (BD-rate over four rates).

Everybody re-encodes every rung of the same footage; CRF and caps move together. Ours has closed
GOPs of about 4 s, MediaCMS keyframes at 4 s, PeerTube at 2 s.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import anyio

from benchmarks import peers
from benchmarks.clips import Clips
from benchmarks.measure import run
from benchmarks.ours import Ours, plan_ours
from benchmarks.quality import Point, bd_rate, video_bits, vmaf
from benchmarks.report import Row

ABOUT = (
    "BD-rate: bits at equal VMAF, below 0 fewer than theirs. VMAF at 1920×1080, every rung scaled "
    "up in the same way. The note compares the settings as shipped."
)
RUNGS = (1080, 720, 480, 360, 240)
STEPS = (-3.0, 0.0, 3.0, 6.0)  # added to CRF; the caps follow, 6 being half the rate


def measure(clips: Clips, folder: Path) -> list[Row]:
    source = clips.glimpse()
    return asyncio.run(_measure(source, source.read_bytes(), folder))


async def _measure(source: Path, body: bytes, folder: Path) -> list[Row]:
    return await _curves(await plan_ours(body, folder, copy_top=False), source, folder)


async def _curves(ours: Ours, source: Path, folder: Path) -> list[Row]:
    """Encode every rung at every rate on all sides, and compare the curves."""
    curves: dict[tuple[str, int], list[Point]] = {}
    for step in STEPS:
        made = await ours.at_rate(step).make(RUNGS)
        for height in RUNGS:
            own = folder / f"ours-{height}.mp4"
            await anyio.Path(own).write_bytes(made[height])
            tuned = {"crf": peers.THEIR_CRF + step, "scale": 2 ** (-step / 6)}
            run(peers.peertube_rung(source, folder, height, **tuned))
            run(peers.mediacms_rung(source, folder, height, **tuned))
            made_by = {
                "ours": own,
                "PeerTube": peers.peertube_output(folder, height),
                "MediaCMS": peers.mediacms_output(folder, height),
            }
            scores = vmaf(list(made_by.values()), source)
            for (side, path), score in zip(made_by.items(), scores, strict=True):
                curves.setdefault((side, height), []).append((float(video_bits(path)), score))
    seconds = (ours.video.cuts[-1] - ours.video.cuts[0]) / ours.video.timescale
    return [
        _bd_row(curves, side, height, seconds)
        for side in ("PeerTube", "MediaCMS")
        for height in RUNGS
    ]


def _bd_row(
    curves: dict[tuple[str, int], list[Point]], side: str, height: int, seconds: float
) -> Row:
    here, there = curves["ours", height], curves[side, height]
    shown = STEPS.index(0.0)

    def told(curve: Sequence[Point]) -> str:
        bits, quality = curve[shown]
        return f"{bits / seconds / 1000:.0f} kbit/s VMAF {quality:.1f}"

    return Row(
        what=f"{height}p: bits at equal VMAF, {side}",
        figure=100 * bd_rate(here, there),
        unit="%",
        target=0,
        note=f"{told(here)} against {told(there)}",
    )
