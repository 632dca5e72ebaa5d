"""Whole files to break: five seconds, two keyframes and more, large enough for a rung below."""

import os
from pathlib import Path

from tests.support.clips import AAC, CLOSED, H264, HEVC, MPEG2, VP9, run

PICTURES = ("-f", "lavfi", "-i", "testsrc2=size=384x288:rate=15:duration=5")
SOUND = ("-f", "lavfi", "-i", "aevalsrc=0.3*sin(2*PI*(220+40*t)*t):s=48000:d=5")
GOP = ("-g", "30")

SOURCES: dict[str, list[str]] = {
    "h264.mp4": [*H264, *GOP, *CLOSED, *AAC],
    "small.mp4": [*H264, *GOP, *CLOSED, *AAC, "-vf", "scale=192:144", "-t", "3"],
    "fragments.mp4": [
        *(*H264, *GOP, *CLOSED, *AAC),
        *("-movflags", "+frag_keyframe+empty_moov+default_base_moof"),
    ],
    "hevc.mkv": [*HEVC[:-1], "keyint=30:log-level=error", "-c:a", "libopus"],
    "vp9.webm": [*VP9[:-2], *GOP, "-c:a", "libvorbis"],
    "mpeg4.avi": ["-c:v", "mpeg4", "-q:v", "6", *GOP, "-c:a", "libmp3lame"],
    "h264.ts": [*H264, *GOP, *CLOSED, *AAC],
    "mpeg2.mpg": [*MPEG2, "-c:a", "mp2"],
    "h264.flv": [*H264, *GOP, *CLOSED, *AAC],
    "mjpeg.mov": ["-c:v", "mjpeg", "-q:v", "12", "-c:a", "pcm_s16le"],
    "theora.ogg": ["-c:v", "libtheora", "-q:v", "4", "-c:a", "libvorbis"],
    "wmv.wmv": ["-c:v", "wmv2", "-q:v", "6", "-c:a", "wmav2"],
    "sound.flac": ["-vn", "-c:a", "flac"],
    "sound.mp3": ["-vn", "-c:a", "libmp3lame"],
}


def make_source(name: str, folder: Path) -> bytes:
    """Make source *name* in *folder*, once, and return its bytes."""
    path = folder / f"hostile-{name}"
    if not path.exists():
        draft = folder / f"hostile-{os.getpid()}-{name}"
        run(*PICTURES, *SOUND, *SOURCES[name], "-y", str(draft))
        draft.rename(path)
    return path.read_bytes()
