"""H.264 levels (Rec. ITU-T H.264 table A-1) and the codec strings that name them (RFC 6381)."""

import math

# level × 10, macroblocks per second, macroblocks per frame, decoded picture buffer in macroblocks,
# bits per second × 1000 (of Baseline; High has 1.25 of it)
TABLE = (
    (10, 1_485, 99, 396, 64),
    (11, 3_000, 396, 900, 192),
    (12, 6_000, 396, 2_376, 384),
    (13, 11_880, 396, 2_376, 768),
    (20, 11_880, 396, 2_376, 2_000),
    (21, 19_800, 792, 4_752, 4_000),
    (22, 20_250, 1_620, 8_100, 4_000),
    (30, 40_500, 1_620, 8_100, 10_000),
    (31, 108_000, 3_600, 18_000, 14_000),
    (32, 216_000, 5_120, 20_480, 20_000),
    (40, 245_760, 8_192, 32_768, 20_000),
    (41, 245_760, 8_192, 32_768, 50_000),
    (42, 522_240, 8_704, 34_816, 50_000),
    (50, 589_824, 22_080, 110_400, 135_000),
    (51, 983_040, 36_864, 184_320, 240_000),
    (52, 2_073_600, 36_864, 184_320, 240_000),
)
HIGHEST = 52
MOST_MACROBLOCKS = 36_864  # of a frame at the highest level
HIGH_FACTOR = 1.25  # table A-2: cpbBrVclFactor of High over that of Baseline
REFERENCES = 4  # frames that an encode may hold


def macroblocks(width: int, height: int) -> int:
    return math.ceil(width / 16) * math.ceil(height / 16)


def level_of(width: int, height: int, *, frames_per_s: float, maxrate_bps: int) -> int:
    """Return the lowest level, times ten, that allows this size, frame rate and bit rate."""
    size = macroblocks(width, height)
    side = max(math.ceil(width / 16), math.ceil(height / 16))
    for level, per_s, frame, buffer, kbps in TABLE:
        if (
            size <= frame
            and size * REFERENCES <= buffer
            and side * side <= 8 * frame
            and size * frames_per_s <= per_s
            and maxrate_bps <= kbps * 1000 * HIGH_FACTOR
        ):
            return level
    return HIGHEST


def high_profile(level: int) -> str:
    """Return the codec string of High profile at *level*."""
    return f"avc1.6400{level:02X}"


def of_config(avcc: bytes) -> str:
    """Return the codec string that an avcC says of itself: profile, constraints, level."""
    return f"avc1.{avcc[1:4].hex().upper()}"
