"""What the tests of containers share: readers, tiny clips, and ffmpeg's own view of a file."""

import os
import subprocess
import zlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from headwater.containers.table import TrackTable
from tests.support.clips import FFMPEG, run

PICTURES = ["-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=3"]
SOUND = ["-f", "lavfi", "-i", "aevalsrc=0.3*sin(2*PI*(220+40*t)*t):s=48000:d=3"]
H264 = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "25", "-pix_fmt", "yuv420p"]
PLAIN = ["-c:v", "mpeg4", "-q:v", "6", "-g", "25"]
AAC = ["-c:a", "aac", "-b:a", "64k"]
FRAGMENTS = "+frag_keyframe+empty_moov"
HEVC = ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "keyint=25:log-level=error"]

# name.extension → arguments after the two inputs
ISOBMFF = {
    "moov_last.mp4": [*H264, *AAC],
    "moov_first.mp4": [*H264, *AAC, "-movflags", "+faststart"],
    "fragmented.mp4": [*H264, *AAC, "-movflags", FRAGMENTS + "+default_base_moof"],
    "fragmented_offsets.mp4": [*H264, *AAC, "-movflags", FRAGMENTS],
    "fragmented_negative.mp4": [*H264, "-an", "-movflags", FRAGMENTS + "+negative_cts_offsets"],
    "fragmented_implicit.mp4": [*H264, *AAC, "-movflags", FRAGMENTS + "+omit_tfhd_offset"],
    "fragmented_short.mp4": [*H264, *AAC, "-movflags", "+empty_moov", "-frag_duration", "100000"],
    "negative.mp4": [*H264, *AAC, "-movflags", "+negative_cts_offsets"],
    "hybrid.mp4": [*H264, *AAC, "-movflags", "+frag_keyframe"],
    "hevc.mp4": [*HEVC, "-tag:v", "hvc1", "-c:a", "alac"],
    "vp9.mp4": ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"],
    "raw_sound.mov": ["-c:v", "mjpeg", "-c:a", "pcm_s16le"],
    "deep_sound.mov": [*PLAIN, "-c:a", "pcm_s24be"],
    "prores.mov": ["-c:v", "prores_ks", "-c:a", "pcm_f32le", "-t", "1"],
    "ima.mov": [*PLAIN, "-c:a", "adpcm_ima_qt", "-ac", "1"],
    "ac3.mp4": ["-c:v", "mpeg2video", "-c:a", "ac3", "-ac", "6"],
    "mp3.mp4": [*PLAIN, "-c:a", "libmp3lame"],
    "flac.mp4": [*PLAIN, "-c:a", "flac"],
    "phone.3gp": ["-c:v", "h263", "-s", "176x144", *AAC],
    "sound.m4a": ["-vn", *AAC],
    "late.mp4": [*H264, *AAC, "-output_ts_offset", "2.5"],
}
MATROSKA = {
    "h264.mkv": [*H264, *AAC, "-metadata:s:a", "language=deu", "-metadata:s:a", "title=Ton"],
    "vp8.webm": ["-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libvorbis"],
    "vp9.webm": ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-g", "25", "-c:a", "libopus"],
    "live.webm": ["-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus", "-live", "1"],
    "old.mkv": ["-c:v", "mpeg4", "-bf", "2", "-c:a", "libmp3lame"],
    "flac.mkv": [*PLAIN, "-c:a", "flac"],
    "raw_sound.mkv": [*PLAIN, "-c:a", "pcm_s24le"],
    "ac3.mkv": ["-c:v", "mpeg2video", "-g", "25", "-c:a", "ac3"],
}
CLIPS = {**ISOBMFF, **MATROSKA}


class FileReader:
    """A RangeReader over a file that counts what it is asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size = path.stat().st_size
        self.reads: list[tuple[int, int]] = []

    def read_at(self, start: int, size: int) -> bytes:
        self.reads.append((start, size))
        with self._path.open("rb") as file:
            file.seek(start)
            return file.read(size)


class MemoryReader:
    """A RangeReader over bytes; *size* may promise more than there is to play a long file."""

    def __init__(self, data: bytes, size: int | None = None) -> None:
        self._data = data
        self.size = len(data) if size is None else size

    def read_at(self, start: int, size: int) -> bytes:
        return self._data[start : start + size]


@dataclass(frozen=True, slots=True)
class Packet:
    """One sample as ffmpeg's own demuxer sees it, times in ticks of the track."""

    dts: int
    pts: int
    size: int
    checksum: int
    sync: bool


def make(name: str, folder: Path) -> Path:
    """Make clip *name* of CLIPS in *folder*, once."""
    path = folder / name
    if not path.exists():
        draft = folder / f"draft_{os.getpid()}_{name}"
        run(*PICTURES, *SOUND, *CLIPS[name], "-y", str(draft))
        draft.rename(path)
    return path


def packets(source: Path | bytes, track: str, *, before: tuple[str, ...] = ()) -> list[Packet]:
    """Return every packet of *track* ("0:v:0") without touching its times."""
    lines = _run(source, before, ["-map", track, "-c", "copy", "-f", "framecrc", "-"])
    return [_packet(line) for line in lines]


def frames(source: Path | bytes, track: str, *, before: tuple[str, ...] = ()) -> list[str]:
    """Return the checksum of every decoded picture or sound frame of *track*, in order."""
    lines = _run(source, before, ["-map", track, "-fps_mode", "passthrough", "-f", "framecrc", "-"])
    return [line.split(",")[5].strip() for line in lines]


def _run(source: Path | bytes, before: tuple[str, ...], after: list[str]) -> list[str]:
    name = "pipe:0" if isinstance(source, bytes) else str(source)
    command = [FFMPEG, "-v", "error", *before, "-copyts", "-i", name, "-copyts"]
    done = subprocess.run(
        [*command, *after],
        input=source if isinstance(source, bytes) else b"",
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-1000:]
    assert not done.stderr, done.stderr.decode(errors="replace")[-1000:]
    return [line for line in done.stdout.decode().splitlines() if not line.startswith("#")]


def _packet(line: str) -> Packet:
    _, dts, pts, _, size, checksum, *rest = (part.strip() for part in line.split(","))
    flags = next((int(part.removeprefix("F="), 0) for part in rest if part.startswith("F=")), 1)
    return Packet(int(dts), int(pts), int(size), int(checksum, 16), bool(flags & 1))


def checksum(data: bytes) -> int:
    """Return Adler-32 the way framecrc counts it, from 0."""
    return zlib.adler32(data, 0)


def payload(reader: FileReader | MemoryReader, table: TrackTable) -> list[bytes]:
    return [
        reader.read_at(offset, size)
        for offset, size in zip(table.offsets.tolist(), table.sizes.tolist(), strict=True)
    ]


def as_packets(reader: FileReader, table: TrackTable) -> list[Packet]:
    """Return our own table in the shape of ffmpeg's."""
    return [
        Packet(dts, pts, len(data), checksum(data), sync)
        for dts, pts, data, sync in zip(
            table.dts.tolist(),
            table.pts.tolist(),
            payload(reader, table),
            table.sync.tolist(),
            strict=True,
        )
    ]


def track_name(table: TrackTable, tables: tuple[TrackTable, ...]) -> str:
    same = [other.number for other in tables if other.kind == table.kind]
    return f"0:{table.kind[0]}:{same.index(table.number)}"


def groups_of_pictures(table: TrackTable) -> list[tuple[int, int]]:
    """Return [keyframe, next keyframe) in rows."""
    edges = [*np.nonzero(table.sync)[0].tolist(), len(table.sizes)]
    return list(pairwise(edges))
