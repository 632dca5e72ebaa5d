"""Rates known first: what is announced before anything is encoded holds for the hardest content."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from headwater.delivery.manifests.hls import target_duration
from headwater.engines.media.port import Media
from headwater.model.ids import TrackId
from headwater.pipeline.make_segment import make_segments
from tests.pipeline.making import Making, blobs_in, start_making
from tests.support.clips import run

pytestmark = pytest.mark.anyio

# What rate control fears: pure noise; stillness that turns into noise; more frames than are kept.
# Small pictures: a cap falls with them, and rows of few macroblocks are the harder to steer.
PICTURES = {
    "noise": "nullsrc=s=426x240:r=30:d=5,noise=alls=100:allf=t",
    "sudden noise": "testsrc2=s=426x240:r=30:d=9,noise=alls=100:allf=t:enable='gt(mod(t,4),3)'",
    "fast noise": "nullsrc=s=256x144:r=60:d=5,noise=alls=100:allf=t",
}
SOUNDS = {
    "white noise": "aevalsrc='random(0)*2-1':s=48000:d=9",
    "clicks": "aevalsrc='gt(mod(t,0.03),0.0299)|gt(mod(t,0.037),0.0369)':s=48000:d=9",
    "gated noise": "aevalsrc='0|(random(0)*2-1)*gt(mod(t,0.5),0.2)':s=44100:d=9",
}


async def sizes_of(making: Making, track: TrackId) -> tuple[list[int], list[float]]:
    """Make every segment of *track*; return bits and seconds of each."""
    plan = making.planned.plan
    sizes = []
    for index in range(plan.segments_of(track) or 0):
        made = await make_segments(making.material, [track], index, media=making.media, urgent=True)
        sizes.append(8 * len(made[track].body))
    for audio in plan.audio:
        for rendition in audio.renditions:
            if rendition.id == track:
                return sizes, [(b - a) / rendition.sample_rate for a, b in pairwise(rendition.cuts)]
    assert plan.video
    return sizes, [(b - a) / plan.video.timescale for a, b in pairwise(plan.video.cuts)]


def highest(sizes: list[int], lengths: list[float], target: int) -> float:
    """Return the peak segment bit rate by its definition (RFC 8216bis §4.4.6.2)."""
    ends, spent = np.cumsum([0.0, *lengths]), np.cumsum([0, *sizes])
    rates = [
        (spent[last] - spent[first]) / (ends[last] - ends[first])
        for first in range(len(sizes))
        for last in range(first + 1, len(sizes) + 1)
        if 0.5 * target <= ends[last] - ends[first] <= 1.5 * target
    ]
    return max(rates)


@pytest.mark.parametrize("content", [*PICTURES, *SOUNDS])
async def test_no_content_passes_what_is_announced(
    content: str, clips: Path, tmp_path: Path, media: Media
) -> None:
    """Every run of segments of every track stays below its BANDWIDTH."""
    clip = clips / f"rates-{content.replace(' ', '-')}.mov"
    codecs = ("-c:v", "mjpeg", "-q:v", "3", "-c:a", "pcm_s16le")
    run("-f", "lavfi", "-i", (PICTURES | SOUNDS)[content], *codecs, "-y", str(clip))
    making = await start_making(clip, blobs=blobs_in(tmp_path), media=media)
    plan = making.planned.plan
    announced = {rung.id: rung.peak_bps for rung in plan.video.rungs} if plan.video else {}
    announced |= {r.id: r.peak_bps for audio in plan.audio for r in audio.renditions}

    for track, peak in announced.items():
        sizes, lengths = await sizes_of(making, track)

        assert highest(sizes, lengths, target_duration(plan)) <= peak, track
