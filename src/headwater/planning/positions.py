"""Positions: where, to the sample, each packet of a sound track begins.

Containers with coarse clocks (Matroska: milliseconds) round every packet's time; pieces encoded
apart would then meet a fraction of a millisecond off, which is heard as a click. Packets of one
length lie on a grid: it is found again, and only a real hole breaks it.
"""

import numpy as np
import numpy.typing as npt

from headwater.containers import aac
from headwater.containers.table import Int64s
from headwater.planning.timeline import Placed

Positions = npt.NDArray[np.float64]

PACKET_SAMPLES = {"mp2": 1152, "mp3": 1152, "ac3": 1536, "eac3": 1536, "dts": 512, "alac": 4096}
OPUS_STEP = 120  # 2.5 ms at 48 kHz, the shortest frame (RFC 6716 §2.1.4)
LOW_RATE = 32_000  # below, MP3 frames are half as long (ISO/IEC 13818-3)
HOLE_S = 0.01  # what steps further off the grid than this is a hole (the encoder has the same)
SLACK_S = 0.002  # how far rounding may move a packet from its place


def positions(placed: Placed, *, source_rate: int, rate: int) -> Positions:
    """Return the presentation time of each row's first sample, in samples of *rate*."""
    samples = placed.samples
    told = (samples.pts - placed.shift) * (rate / samples.timescale)
    if samples.timescale >= source_rate or len(told) < 2:
        return told
    length = _packet_samples(placed, source_rate)
    if not length:
        return told
    grid = np.arange(len(told)) * (length * rate / source_rate)
    off = told - grid
    runs = np.concatenate(([0], np.flatnonzero(np.abs(np.diff(off)) > HOLE_S * rate) + 1))
    offsets = np.repeat(
        [float(np.median(part)) for part in np.split(off, runs[1:])],
        np.diff(np.append(runs, len(off))),
    )
    fits = np.abs(off - offsets) <= SLACK_S * rate
    return np.where(fits, grid + offsets, told)


def _packet_samples(placed: Placed, source_rate: int) -> int:
    """Return how many samples each packet holds, 0 where that differs or is not known."""
    table = placed.table
    if table.codec == "aac":
        config = aac.parse(table.config)
        return 1024 * (source_rate // config.core_rate) if config and config.core_rate else 0
    if table.codec == "flac":
        block = table.config.find(b"fLaC") + 4
        smallest, largest = _flac_blocks(table.config[block + 4 :])
        return smallest if smallest == largest else 0
    steps: Int64s = np.diff(placed.samples.pts[placed.samples.sound])
    if table.codec == "opus" and len(steps):
        step = float(np.mean(steps[steps < 4 * np.median(steps)])) / placed.samples.timescale
        return round(step * 48_000 / OPUS_STEP) * OPUS_STEP * source_rate // 48_000
    length = PACKET_SAMPLES.get(table.codec, 0)
    return length // 2 if table.codec == "mp3" and source_rate < LOW_RATE else length


def _flac_blocks(stream_info: bytes) -> tuple[int, int]:
    """Return the least and the greatest block size of a STREAMINFO (RFC 9639 §8.2)."""
    if len(stream_info) < 4:
        return 0, 1
    return int.from_bytes(stream_info[:2], "big"), int.from_bytes(stream_info[2:4], "big")
