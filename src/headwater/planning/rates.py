"""Rates known before anything is encoded: frame rates, caps, and what a playlist may announce."""

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from headwater.containers.table import Int64s

Float64s = npt.NDArray[np.float64]

STANDARD_RATES = tuple(
    Fraction(rate)
    for rate in (
        *("24000/1001", "24", "25", "30000/1001", "30", "48000/1001", "48", "50"),
        *("60000/1001", "60", "100", "120000/1001", "120", "240"),
        *("10", "12", "12.5", "15000/1001", "15", "20", "8", "5"),
    )
)
NEAR = 0.0004  # 23.976 and 24 differ by 0.001

# Caps of H.264 at 16:9 and 30 frames per second: (pixels, bits per second).
CAPS = (
    (426 * 240, 450_000),
    (640 * 360, 900_000),
    (854 * 480, 1_600_000),
    (1280 * 720, 3_600_000),
    (1920 * 1080, 6_500_000),
    (2560 * 1440, 11_000_000),
    (3840 * 2160, 20_000_000),
)
FRAME_RATE_POWER = 0.6  # twice the frames need 1.5 times the bits
MEAN_SHARE = 0.6  # of the cap, in the mean over videos under CRF
BUFFER_S = 1.0
BUFFER_FILLED = 0.9  # x264's vbv-init: what a segment may spend at once
SLACK = 1.03  # x264 may miss its buffer by a little
BOXES_BYTES = 160  # styp-less moof and mdat headers of a segment
SAMPLE_BYTES = 16  # what a segment says of each sample

# How many bits H.264 at our preset needs for what the source's codec said in one.
EFFICIENCY = {"h264": 1.25, "hevc": 1.8, "vp9": 1.8, "av1": 2.2, "vvc": 2.5, "vp8": 1.25}
LOW_SHARE = 0.2  # of the cap: a source's rate never takes a rung below this


def frame_rate(times: Int64s, end: int, timescale: int) -> tuple[int, int]:
    """Return the mean rate of frames at *times*, as a standard rate if it is near one."""
    if len(times) > 1:
        rate = Fraction((len(times) - 1) * timescale, int(times[-1] - times[0]))
    else:
        rate = Fraction(timescale, max(1, end - int(times[0])))
    nearest = min(STANDARD_RATES, key=lambda known: abs(known - rate))
    if abs(nearest - rate) <= rate * Fraction(NEAR):
        rate = nearest
    rate = min(max(rate.limit_denominator(1001), Fraction(1, 1000)), Fraction(1000))
    return rate.numerator, rate.denominator


def cap_bps(width: int, height: int, frames_per_s: float) -> int:
    """Return the ladder's cap for frames of this size and rate: the table, interpolated."""
    pixels = np.log([size for size, _ in CAPS])
    rates = np.log([rate for _, rate in CAPS])
    here = float(np.log(max(width * height, 64)))
    if here < pixels[0]:
        rate = rates[0] + (here - pixels[0]) * 0.8
    else:
        rate = np.interp(here, pixels, rates)
    faster = min(max(frames_per_s, 5.0) / 30, 4.0) ** FRAME_RATE_POWER
    return int(np.exp(rate) * faster)


def source_cap_bps(cap: int, *, source_peak_bps: int, codec: str, share: float) -> int:
    """Return *cap* lowered to what the source has to give a rung of *share* of its pixels."""
    told = source_peak_bps * EFFICIENCY.get(codec, 1.0) * share**0.75
    return int(min(cap, max(told, cap * LOW_SHARE)))


def peak_bps(bits: Int64s, durations_s: Float64s) -> int:
    """Return the highest rate of any run of neighbouring segments between half and one and a half
    target durations long (RFC 8216bis §4.4.6.2, BANDWIDTH); of all together if they are shorter.
    """
    target = max(1.0, float(np.floor(durations_s.max() + 0.5)))
    ends = np.concatenate(([0.0], np.cumsum(durations_s)))
    spent = np.concatenate(([0], np.cumsum(bits)))
    firsts = np.arange(len(bits))
    highest = 0.0
    lasts = np.searchsorted(ends, ends[:-1] + 0.5 * target - 1e-9)
    for _ in range(len(bits)):
        kept = lasts < len(ends)
        firsts, lasts = firsts[kept], lasts[kept]
        length = ends[lasts] - ends[firsts]
        within = length <= np.maximum(1.5 * target, durations_s[firsts]) + 1e-9
        firsts, lasts, length = firsts[within], lasts[within], length[within]
        if not len(firsts):
            break
        highest = max(highest, float(((spent[lasts] - spent[firsts]) / length).max()))
        lasts = lasts + 1
    return int(np.ceil(max(highest, spent[-1] / ends[-1] if highest == 0 else 0)))


def encoded_peak_bps(
    maxrate_bps: int,
    bufsize_bits: int,
    frames: Int64s,
    durations_s: Float64s,
) -> int:
    """Return the most that rate control can spend: every segment starts with a filled buffer."""
    spent = maxrate_bps * durations_s + BUFFER_FILLED * bufsize_bits
    return peak_bps(with_boxes(spent * SLACK, frames), durations_s)


def with_boxes(bits: Float64s | Int64s, frames: Int64s) -> Int64s:
    """Add what the container says around *frames* samples per segment."""
    total: Int64s = np.ceil(bits + 8 * (BOXES_BYTES + SAMPLE_BYTES * frames)).astype(np.int64)
    return total
