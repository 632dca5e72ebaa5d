"""Nanoseconds of a track's description as ticks of its table."""

from headwater.containers.matroska import ids
from headwater.containers.matroska.ebml import by_id, children, read_unsigned
from headwater.containers.table import TrackTable

NANOSECONDS = 1_000_000_000
LONGEST_NANOSECONDS = 1 << 40  # some 18 minutes, for a delay or one frame


def nearest(nanoseconds: int, scale: int) -> int:
    """Return *nanoseconds* in ticks of *scale* nanoseconds, halves rounded up, as ffmpeg does."""
    return (2 * nanoseconds + scale) // (2 * scale)


def delay_ticks(table: TrackTable) -> int:
    """Return the CodecDelay that *table*'s presentation times have been relieved of."""
    for child in children(memoryview(table.description)):
        delay = read_unsigned(by_id(child.body), ids.CODEC_DELAY)
        return nearest(min(delay, LONGEST_NANOSECONDS), NANOSECONDS // table.timescale)
    return 0
