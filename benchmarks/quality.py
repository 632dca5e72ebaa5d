"""Quality of an encode against its source: VMAF at the source's size, and BD-rate of two curves."""

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.clips import FFMPEG
from benchmarks.measure import run

Point = tuple[float, float]  # bits per second, quality
COLOURS = "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"
COPIED = ("-map", "0:v", "-c", "copy", "-f", "null", "-")
Floats = npt.NDArray[np.float64]
EVERY = 6  # VMAF of every so many frames; its features cost more than any encode here


def vmaf(paths: Sequence[Path], source: Path) -> list[float]:
    """Return the mean VMAF of each of *paths*, scaled to 1920×1080 in the same way for everybody.

    *source* is decoded once for all of them.
    """
    same = f"{COLOURS},settb=1/30,setpts=N"  # else ffmpeg converts one of two tags into the other
    shown = "".join(f"[r{number}]" for number in range(len(paths)))
    graph = f"[{len(paths)}:v]{same},split={len(paths)}{shown}"
    for number in range(len(paths)):
        graph += (
            f";[{number}:v]scale=1920:1080:flags=bicubic,{same}[d{number}];[d{number}][r{number}]"
            f"libvmaf=n_subsample={EVERY}:n_threads=1:shortest=1[v{number}]"
        )
    inputs = [part for path in (*paths, source) for part in ("-i", path)]
    outputs = [
        part for number in range(len(paths)) for part in ("-map", f"[v{number}]", "-f", "null", "-")
    ]
    _, said = run([FFMPEG, "-nostdin", *inputs, "-filter_complex", graph, *outputs])
    found = re.findall(r"Parsed_libvmaf_(\d+) @ \w+\] VMAF score: ([\d.]+)", said)
    assert len(found) == len(paths), said[-500:]
    return [float(score) for _, score in sorted(found, key=lambda one: int(one[0]))]


def video_bits(path: Path) -> int:
    """Return the bits of the coded pictures in *path*, container and sound left out."""
    _, said = run([FFMPEG, "-nostdin", "-i", path, *COPIED])
    found = re.search(r"video:(\d+)KiB", said)
    assert found, said[-500:]
    return int(found[1]) * 1024 * 8


def bd_rate(here: Sequence[Point], there: Sequence[Point]) -> float:
    """Return by how much *here* needs more (> 0) or fewer bits than *there* at equal quality.

    Mean over the qualities both reach, logarithmic rates interpolated by monotone cubics.
    Source: Bjøntegaard, VCEG-M33; the piecewise form of JCTVC-L1100.
    """
    lowest = max(min(quality for _, quality in curve) for curve in (here, there))
    highest = min(max(quality for _, quality in curve) for curve in (here, there))
    if lowest >= highest:
        return math.nan
    at = np.linspace(lowest, highest, 200)
    return math.expm1(float((_log_rate(here, at) - _log_rate(there, at)).mean()))


def _log_rate(curve: Sequence[Point], at: Floats) -> Floats:
    points = sorted(curve, key=lambda point: point[1])
    x = np.array([quality for _, quality in points])
    y = np.log([bits for bits, _ in points])
    step = np.diff(x)
    slope = np.diff(y) / step
    tangent = np.concatenate(([slope[0]], np.zeros(len(x) - 2), [slope[-1]]))
    for i in range(1, len(x) - 1):
        if slope[i - 1] * slope[i] > 0:
            left, right = 2 * step[i] + step[i - 1], step[i] + 2 * step[i - 1]
            tangent[i] = (left + right) / (left / slope[i - 1] + right / slope[i])
    k = np.clip(np.searchsorted(x, at) - 1, 0, len(x) - 2)
    t = (at - x[k]) / step[k]
    found: Floats = (
        (1 + 2 * t) * (1 - t) ** 2 * y[k]
        + t * (1 - t) ** 2 * step[k] * tangent[k]
        + t * t * (3 - 2 * t) * y[k + 1]
        + t * t * (t - 1) * step[k] * tangent[k + 1]
    )
    return found
