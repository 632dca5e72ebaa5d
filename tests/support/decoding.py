"""What a decoder makes of a file: the independent truth that tests compare with."""

import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.support.clips import FFMPEG


@dataclass(frozen=True, slots=True)
class Frames:
    """Decoded pictures: presentation times in seconds, exact, and the decoder's complaints."""

    times: list[Fraction]
    complaints: str

    @property
    def steps(self) -> list[Fraction]:
        return [b - a for a, b in zip(self.times, self.times[1:], strict=False)]


def _run(arguments: list[str]) -> tuple[bytes, str]:
    command = [FFMPEG, "-hide_banner", "-nostdin", "-loglevel", "error", *arguments]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    return done.stdout, done.stderr.decode(errors="replace")


def decode_frames(
    path: Path | str, *, track: str = "0:v:0", before: tuple[str, ...] = ()
) -> Frames:
    """Decode every picture of *track* and return when each is shown, after edit lists."""
    output, complaints = _run(
        [
            *before,
            *("-copyts", "-i", str(path), "-map", track, "-fps_mode", "passthrough"),
            *("-enc_time_base", "demux", "-vf", "scale=32:32", "-f", "framecrc", "-"),
        ]
    )
    base = Fraction(1, 1)
    times: list[Fraction] = []
    for line in output.decode().splitlines():
        if line.startswith("#tb 0:"):
            base = Fraction(line.split(":")[1].strip())
        elif not line.startswith("#"):
            times.append(int(line.split(",")[2]) * base)
    return Frames(sorted(times), complaints)


def decode_sound(
    path: Path | str, *, rate: int, channels: int, track: str = "0:a:0"
) -> npt.NDArray[np.float64]:
    """Decode *track* to samples in 16-bit steps, shape (n, channels)."""
    output, _ = _run(
        [
            *("-i", str(path), "-map", track, "-ac", str(channels), "-ar", str(rate)),
            *("-f", "s16le", "-"),
        ]
    )
    return np.frombuffer(output, dtype="<i2").reshape(-1, channels).astype(np.float64)


def decode_brightness(path: Path) -> npt.NDArray[np.float64]:
    """Decode every picture and return the mean luma of each, in order of showing."""
    output, _ = _run(
        [
            *("-i", str(path), "-map", "0:v:0", "-fps_mode", "passthrough"),
            *("-vf", "scale=1:1:flags=area,format=gray", "-f", "rawvideo", "-"),
        ]
    )
    return np.frombuffer(output, dtype=np.uint8).astype(np.float64)
