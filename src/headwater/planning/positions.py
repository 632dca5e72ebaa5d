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
    told: Positions = (samples.pts - placed.shift).astype(np.float64) * (rate / samples.timescale)
    if samples.timescale >= source_rate or len(told) < 2:
        return told
    lengths = _packet_samples(placed, source_rate)
    if lengths is None:
        return told
    grid = np.concatenate(([0], np.cumsum(lengths)[:-1])) * (rate / source_rate)
    off = told - grid
    runs = np.concatenate(([0], np.flatnonzero(np.abs(np.diff(off)) > HOLE_S * rate) + 1))
    offsets = np.repeat(
        [float(np.median(part)) for part in np.split(off, runs[1:])],
        np.diff(np.append(runs, len(off))),
    )
    fits = np.abs(off - offsets) <= SLACK_S * rate
    placed_on: Positions = np.where(fits, grid + offsets, told)
    return placed_on


def _packet_samples(placed: Placed, source_rate: int) -> Int64s | None:
    """Return how many samples each packet holds, None where that is not known."""
    table = placed.table
    steps = np.diff(placed.samples.pts)
    if table.codec == "vorbis":
        return _vorbis_samples(table.config, steps * (source_rate / placed.samples.timescale))
    length = 0
    if table.codec == "aac":
        config = aac.parse(table.config)
        length = 1024 * (source_rate // config.core_rate) if config and config.core_rate else 0
    elif table.codec == "flac":
        length = _flac_block(table.config)
    elif table.codec == "opus":
        step = float(np.mean(steps[steps < 4 * np.median(steps)])) / placed.samples.timescale
        length = round(step * 48_000 / OPUS_STEP) * OPUS_STEP * source_rate // 48_000
    elif table.codec in PACKET_SAMPLES:
        halved = table.codec == "mp3" and source_rate < LOW_RATE
        length = PACKET_SAMPLES[table.codec] // (2 if halved else 1)
    return np.full(len(placed.samples.pts), length) if length else None


def _vorbis_samples(config: bytes, steps: Positions) -> Int64s | None:
    """Take each step for the nearest of the three there can be (Vorbis I §4.3.8)."""
    header = config.find(b"\x01vorbis")
    if header < 0 or len(config) < header + 29:
        return None
    short, long = 1 << (config[header + 28] & 15), 1 << (config[header + 28] >> 4)
    lengths = np.array([short // 2, (short + long) // 4, long // 2])
    nearest = lengths[np.abs(steps[:, None] - lengths).argmin(axis=1)]
    return np.append(nearest, long // 2)


def _flac_block(config: bytes) -> int:
    """Return the block size of a FLAC stream, 0 where it varies (STREAMINFO, RFC 9639 §8.2)."""
    info = config[config.find(b"fLaC") + 8 :]
    return int.from_bytes(info[:2], "big") if info[:2] == info[2:4] else 0
