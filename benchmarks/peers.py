"""The peers' own command lines (design, 3-peers §1.6 and §2.4), with the same ffmpeg as ours.

Rates are those they ship; *scale* multiplies them where curves of rate and quality are taken.
"""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.clips import QUIET

PEERTUBE_BPS: Mapping[int, int] = {
    1080: 6_220_800,
    720: 3_041_280,
    480: 1_474_560,
    360: 1_036_800,
    240: 522_240,
}
MEDIACMS_KBPS: Mapping[int, int] = {1080: 6750, 720: 3750, 480: 1500, 360: 750, 240: 450}
MEDIACMS_LONG: Mapping[int, int] = {1080: 1920, 720: 1280, 480: 853, 360: 640, 240: 427}
THEIR_CRF = 23.0  # both leave x264's own


def peertube_copy(source: Path, folder: Path) -> list[list[str | Path]]:
    """Take the top rung as it is: the quick path, then HLS of it."""
    quick = folder / "peertube-opt.mp4"
    return [
        [
            *(*QUIET, "-i", source, "-acodec", "copy", "-vcodec", "copy", "-f", "mp4"),
            *("-map_metadata", "-1", "-movflags", "faststart", quick),
        ],
        [
            *(*QUIET, "-i", quick, "-acodec", "copy", "-vcodec", "copy", "-threads", "1"),
            *_hls(folder, "peertube-top"),
        ],
    ]


def peertube_rung(
    source: Path, folder: Path, height: int, *, crf: float = THEIR_CRF, scale: float = 1.0
) -> list[str | Path]:
    """Encode one rung. *crf* is x264's own 23 in theirs; named here only for the curves."""
    rate = int(PEERTUBE_BPS[height] * scale)
    return [
        *(*QUIET, "-i", source, "-acodec", "aac", "-vcodec", "libx264", "-threads", "1"),
        *("-max_muxing_queue_size", "1024", "-map_metadata", "-1", "-pix_fmt", "yuv420p"),
        *("-vf", f"scale=w=-2:h={height}", "-preset", "veryfast", "-crf", str(crf)),
        *("-maxrate:v", str(rate), "-bufsize:v", str(2 * rate), "-b_strategy", "1", "-bf", "16"),
        *("-r", "30", "-g:v", "60", "-channel_layout", "stereo", "-b:a", "128k"),
        *_hls(folder, f"peertube-{height}"),
    ]


def peertube_output(folder: Path, height: int) -> Path:
    return folder / f"peertube-{height}-fragmented.mp4"


def mediacms_rung(
    source: Path, folder: Path, height: int, *, crf: float = THEIR_CRF, scale: float = 1.0
) -> list[str | Path]:
    rate = f"{int(MEDIACMS_KBPS[height] * scale)}k"
    long = MEDIACMS_LONG[height]
    chain = (
        rf"scale=if(lt(iw\,ih)\,{height}\,{long}):if(lt(iw\,ih)\,{long}\,{height})"
        ":force_original_aspect_ratio=decrease:force_divisible_by=2:flags=lanczos,fps=fps=30"
    )
    return [
        *(*QUIET, "-i", source, "-c:v", "libx264", "-filter:v", chain, "-pix_fmt", "yuv420p"),
        *("-crf", str(crf), "-c:a", "aac", "-b:a", "128k", "-ac", "2"),
        *("-maxrate", rate, "-bufsize", rate, "-force_key_frames", "expr:gte(t,n_forced*4)"),
        *("-x264-params", "keyint=240:keyint_min=120", "-preset", "medium", "-profile:v", "main"),
        *("-level", "4.2", "-strict", "-2", mediacms_output(folder, height)),
    ]


def mediacms_output(folder: Path, height: int) -> Path:
    return folder / f"mediacms-{height}.mp4"


def _hls(folder: Path, name: str) -> list[str | Path]:
    return [
        *("-hls_time", "4", "-hls_list_size", "0", "-hls_playlist_type", "vod"),
        *("-hls_segment_filename", folder / f"{name}-fragmented.mp4"),
        *("-hls_segment_type", "fmp4", "-f", "hls", "-hls_flags", "single_file"),
        folder / f"{name}.m3u8",
    ]
