"""Speeds: how fast a rung can be made, told from how fast this machine made others.

Work is counted in pixels: those a rung encodes, and a share for those that are decoded and scaled
on the way to it. A pace is pixels of work done in a second of the clock.
"""

from collections.abc import Mapping, Sequence

from headwater.model.ids import TrackId
from headwater.model.plan import Plan, Rung, VideoPlan

DECODING = 0.28  # of a pixel's encode: 7.1 of 27.6 CPU-s for 720p to 240p of 1080p (design, §1)
SCALING = 0.05


def work_of(video: VideoPlan, rungs: Sequence[Rung]) -> float:
    """Return the work in one second of *video*, decoded once for all of *rungs*."""
    encoded = [rung for rung in rungs if not rung.copy]
    if not encoded:
        return 0.0
    seconds = (video.cuts[-1] - video.cuts[0]) / video.timescale
    rate = sum(video.frames) / max(seconds, 1e-3)
    lowest = min(rung.width * rung.height for rung in encoded)
    passed = [rung for rung in video.rungs if not rung.copy and rung.width * rung.height >= lowest]
    work = DECODING * video.width * video.height * rate
    work += sum(SCALING * rung.width * rung.height * rate for rung in passed)
    return work + sum(rung.width * rung.height * rate / rung.frame_step for rung in encoded)


def speeds(plan: Plan, pace: float | None) -> dict[TrackId, float]:
    """Return how many seconds of each rung a second makes; what needs no making is left out.

    Empty while nothing is known of the machine.
    """
    if plan.video is None or not pace:
        return {}
    return {
        rung.id: round(pace / work_of(plan.video, [rung]), 2)
        for rung in plan.video.rungs
        if not rung.copy
    }


def warm_up_s(
    plan: Plan, missing: Mapping[TrackId, int], *, pace: float | None, at_once: int
) -> float | None:
    """Return how long *at_once* codecs of *pace* work on the *missing* segments of each track.

    Segments that several rungs lack are decoded once. None while nothing is known of the machine.
    """
    if plan.video is None or not pace:
        return None
    segments = len(plan.video.cuts) - 1
    mean_s = (plan.video.cuts[-1] - plan.video.cuts[0]) / plan.video.timescale / segments
    rungs = [rung for rung in plan.video.rungs if missing.get(rung.id, 0) and not rung.copy]
    work, done = 0.0, 0
    for count in sorted({missing[rung.id] for rung in rungs}):
        lacking = [rung for rung in rungs if missing[rung.id] >= count]
        work += (count - done) * mean_s * work_of(plan.video, lacking)
        done = count
    return work / (pace * at_once)
