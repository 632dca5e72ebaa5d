"""The ladder: which renditions a video is offered in, and what each may cost.

Rungs are named by the short side of the displayed picture. Nothing is ever scaled up; a source
between two rungs is its own top rung.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

from headwater.model.ids import TrackId
from headwater.model.plan import Rung
from headwater.planning import levels, rates
from headwater.planning.cuts import Cuts

SHORT_SIDES = (240, 360, 480, 720, 1080, 1440, 2160)
TOO_NEAR = 1.15  # a standard rung this near below the source's own size would only repeat it
LONGEST_SIDE = 4096  # what hardware decoders take
CRF = 24.0  # at our settings nearer to the source than x264's own 23 at `medium`
FASTEST = Fraction(121, 2)  # frames per second above which every n-th is kept: 60 and its rounding
SMALL_SHORT_SIDE = 360
SMALL_FASTEST = Fraction(61, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A source's picture as displayed (square pixels, rotation applied) and its rates."""

    width: int
    height: int
    frame_rate: Fraction
    codec: str
    peak_bps: int


def displayed(
    width: int, height: int, *, sample_aspect: tuple[int, int], rotation: int
) -> tuple[int, int]:
    """Return the size in square pixels: the height stays, the width follows; then it is turned."""
    across, down = sample_aspect
    if across > 0 and down > 0 and 1 / 16 <= across / down <= 16:
        width = max(1, round(width * across / down))
    return (height, width) if rotation % 180 == 90 else (width, height)


def short_sides(width: int, height: int) -> list[int]:
    """Return the rungs' short sides, rising."""
    own = min(width, height)
    aspect = max(width, height) / own
    top = min(own, SHORT_SIDES[-1], int(LONGEST_SIDE / aspect))
    while top > 2 and levels.macroblocks(top, round(top * aspect)) > levels.MOST_MACROBLOCKS:
        top -= 2
    top = max(2, top - top % 2)
    return [side for side in SHORT_SIDES if side * TOO_NEAR < top] + [top]


def frame_step(rate: Fraction, short_side: int) -> int:
    """Return n: every n-th frame is kept so that no rung passes 60, no small one 30 per second."""
    step = max(1, math.ceil(rate / FASTEST))
    if short_side <= SMALL_SHORT_SIDE and rate / step > SMALL_FASTEST:
        step *= 2
    return step


def size_of(picture: Picture, short_side: int) -> tuple[int, int]:
    """Return even width and height with *short_side*, as near the picture's shape as they can."""
    own = min(picture.width, picture.height)
    long_side = round(max(picture.width, picture.height) * short_side / own / 2) * 2
    long_side = min(max(2, long_side), LONGEST_SIDE)
    if picture.width >= picture.height:
        return long_side, short_side
    return short_side, long_side


def encoded_rung(picture: Picture, short_side: int, cuts: Cuts, timescale: int) -> Rung:
    """Describe the encode of *picture* at *short_side*, its rates from table, source and cuts."""
    width, height = size_of(picture, short_side)
    step = frame_step(picture.frame_rate, short_side)
    rate = picture.frame_rate / step
    cap = rates.cap_bps(width, height, float(rate))
    share = min(1.0, width * height / (picture.width * picture.height))
    maxrate = rates.source_cap_bps(
        cap, source_peak_bps=picture.peak_bps, codec=picture.codec, share=share
    )
    bufsize = int(maxrate * rates.BUFFER_S)
    frames = -(-cuts.frames // step)
    seconds = cuts.durations_s(timescale)
    peak = rates.encoded_peak_bps(maxrate, bufsize, frames, seconds)
    level = levels.level_of(width, height, frames_per_s=float(rate), maxrate_bps=maxrate)
    return Rung(
        id=TrackId(f"v{short_side}"),
        copy=False,
        width=width,
        height=height,
        frame_step=step,
        frame_rate=(rate.numerator, rate.denominator),
        codecs=levels.high_profile(level),
        level=level,
        crf=CRF,
        maxrate_bps=maxrate,
        bufsize_bits=bufsize,
        average_bps=min(peak, int(maxrate * rates.MEAN_SHARE)),
        peak_bps=peak,
    )
