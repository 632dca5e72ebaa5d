"""Nanoseconds of a track's description as ticks of its table."""

from headwater.containers.matroska import ids
from headwater.containers.matroska.ebml import by_id, children
from headwater.containers.table import TrackTable

NANOSECONDS = 1_000_000_000


def nearest(nanoseconds: int, scale: int) -> int:
    """Return *nanoseconds* in ticks of *scale* nanoseconds, halves rounded up, as ffmpeg does."""
    return (2 * nanoseconds + scale) // (2 * scale)


def delay_ticks(table: TrackTable) -> int:
    """Return the CodecDelay that *table*'s presentation times have been relieved of."""
    for child in children(memoryview(table.description)):
        delay = int.from_bytes(by_id(child.body).get(ids.CODEC_DELAY, b""), "big")
        return nearest(delay, NANOSECONDS // table.timescale)
    return 0
