"""Clips of every kind people upload, made by the codec of the package when a test first asks.

All are a few seconds of a moving pattern and a rising tone, small enough for a test; each recipe is
the arguments after the inputs. Nothing here is downloaded or kept in the repository.
"""

import hashlib
import os
import subprocess
from pathlib import Path

import imageio_ffmpeg

FFMPEG: str = imageio_ffmpeg.get_ffmpeg_exe()
SECONDS = 9


def _sources(*, size: str = "320x240", rate: str = "30", seconds: float = SECONDS) -> list[str]:
    return [
        *("-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}:duration={seconds}"),
        *("-f", "lavfi", "-i", f"aevalsrc=0.3*sin(2*PI*(220+40*t)*t):s=48000:d={seconds}"),
    ]


H264 = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "60", "-pix_fmt", "yuv420p"]
CLOSED = ["-x264-params", "open-gop=0:scenecut=0"]
AAC = ["-c:a", "aac", "-b:a", "96k"]
MPEG2 = ["-c:v", "mpeg2video", "-q:v", "4", "-g", "15", "-bf", "2"]
VP9 = ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "60"]
HEVC = ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "keyint=60:log-level=error"]
PQ = "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"
VFR = "select='not(eq(mod(n,7),3))*not(between(n,60,75))'"

# name → (extension, arguments of the sources, arguments after them)
RECIPES: dict[str, tuple[str, dict[str, object], list[str]]] = {
    "h264_moov_last": ("mp4", {}, [*H264, *CLOSED, *AAC]),
    "h264_moov_first": ("mp4", {}, [*H264, *CLOSED, *AAC, "-movflags", "+faststart"]),
    "h264_fragmented": (
        "mp4",
        {},
        [*H264, *CLOSED, *AAC, "-movflags", "+frag_keyframe+empty_moov+default_base_moof"],
    ),
    "h264_open_gop": ("mp4", {}, [*H264, "-bf", "3", "-x264-params", "open-gop=1", *AAC]),
    "h264_one_keyframe": ("mp4", {}, [*H264, "-g", "9999", *CLOSED, *AAC]),
    "h264_start_offset": ("mp4", {}, [*H264, *CLOSED, *AAC, "-output_ts_offset", "3.3"]),
    "h264_vfr": ("mp4", {}, ["-vf", VFR, "-fps_mode", "vfr", *H264, *CLOSED, *AAC]),
    "h264_23976": ("mp4", {"rate": "24000/1001"}, [*H264, "-g", "48", *CLOSED, *AAC]),
    "h264_10fps": ("mp4", {"rate": "10"}, [*H264, "-g", "20", *CLOSED, *AAC]),
    "h264_120fps": ("mp4", {"rate": "120"}, [*H264, "-g", "240", *CLOSED, *AAC]),
    "h264_rotated": ("mp4", {}, [*H264, *CLOSED, *AAC]),
    "h264_anamorphic": ("mp4", {}, ["-vf", "setsar=4/3", *H264, *CLOSED, *AAC]),
    "h264_444": ("mp4", {}, [*H264, "-pix_fmt", "yuv444p", *CLOSED, *AAC]),
    "h264_10bit": ("mp4", {}, [*H264, "-pix_fmt", "yuv420p10le", *CLOSED, *AAC]),
    "h264_interlaced": ("ts", {}, ["-vf", "tinterlace=4", *H264, "-flags", "+ilme+ildct", *AAC]),
    "h264_ladder": ("mp4", {"size": "854x480", "seconds": 6}, [*H264, *CLOSED, *AAC]),
    "h264_mkv": ("mkv", {}, [*H264, *CLOSED, *AAC]),
    "h264_ts": ("ts", {}, [*H264, *CLOSED, *AAC]),
    "h264_ts_offset": ("ts", {}, [*H264, *CLOSED, *AAC, "-output_ts_offset", "500"]),
    "h264_flv": ("flv", {}, [*H264, *CLOSED, *AAC]),
    "hevc_mp4": ("mp4", {}, [*HEVC, "-tag:v", "hvc1", *AAC]),
    "hevc_hdr": (
        "mp4",
        {},
        [*HEVC[:-1], f"keyint=60:log-level=error:{PQ}", "-pix_fmt", "yuv420p10le", *AAC],
    ),
    "vp8_webm": ("webm", {}, ["-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libvorbis"]),
    "vp9_webm": ("webm", {}, [*VP9, "-c:a", "libopus"]),
    "vp9_odd_size": ("webm", {"size": "321x243"}, [*VP9, "-c:a", "libopus"]),
    "av1_mp4": ("mp4", {"seconds": 5}, ["-c:v", "libsvtav1", "-preset", "12", "-g", "60", *AAC]),
    "mpeg2_ps": ("mpg", {}, [*MPEG2, "-c:a", "mp2"]),
    "mpeg2_ts": ("ts", {}, [*MPEG2, "-c:a", "ac3"]),
    "mpeg4_avi": ("avi", {}, ["-c:v", "mpeg4", "-q:v", "4", "-g", "60", "-c:a", "libmp3lame"]),
    "mjpeg_mov": ("mov", {}, ["-c:v", "mjpeg", "-q:v", "4", "-c:a", "pcm_s16le"]),
    "prores_mov": ("mov", {"seconds": 5}, ["-c:v", "prores_ks", "-c:a", "pcm_s16le"]),
    "no_audio": ("mp4", {}, [*H264, *CLOSED, "-an"]),
    "mono": ("mp4", {}, [*H264, *CLOSED, *AAC, "-ac", "1"]),
    "surround_51": ("mp4", {}, [*H264, *CLOSED, "-c:a", "ac3", "-ac", "6"]),
    "surround_71": ("mkv", {}, [*H264, *CLOSED, "-c:a", "flac", "-ac", "8"]),
    "one_frame": ("mp4", {}, [*H264, *CLOSED, "-an", "-frames:v", "1"]),
    "audio_m4a": ("m4a", {}, ["-vn", *AAC]),
    "audio_mp3": ("mp3", {}, ["-vn", "-c:a", "libmp3lame"]),
    "audio_flac": ("flac", {}, ["-vn", "-c:a", "flac"]),
    "audio_ogg": ("ogg", {}, ["-vn", "-c:a", "libvorbis"]),
    "audio_wav": ("wav", {}, ["-vn", "-c:a", "pcm_s16le"]),
    "languages": (
        "mp4",
        {},
        [
            *("-map", "0:v", "-map", "1:a", "-map", "1:a", *H264, *CLOSED, *AAC),
            *("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu"),
        ],
    ),
}


def run(*arguments: str) -> bytes:
    """Run the package's ffmpeg and return its standard output; its errors fail the test."""
    command = [FFMPEG, "-hide_banner", "-nostdin", "-loglevel", "error", *arguments]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-2000:]
    return done.stdout


def make_clip(name: str, folder: Path) -> Path:
    """Make clip *name* in *folder*, once, whoever else is making it at the same time."""
    extension, source, arguments = RECIPES[name]
    recipe = hashlib.sha256(repr(RECIPES[name]).encode()).hexdigest()[:8]
    path = folder / f"{name}-{recipe}.{extension}"
    if path.exists():
        return path
    draft = folder / f"{name}.{os.getpid()}.{extension}"
    run(*_sources(**source), *arguments, "-y", str(draft))  # type: ignore[arg-type]
    if name == "h264_rotated":
        upright = draft.rename(folder / f"{name}.{os.getpid()}.upright.{extension}")
        run("-display_rotation:v:0", "90", "-i", str(upright), "-c", "copy", "-y", str(draft))
        upright.unlink()
    draft.rename(path)
    return path
