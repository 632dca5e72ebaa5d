"""Sound made piece by piece has no seam: around a join it is as near the source as elsewhere.

Compared with one continuous encode of the same track, by the same encoder at the same rate.
"""

import resource
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from headwater.containers import isobmff
from headwater.engines.media.port import Media
from headwater.pipeline.make_segment import make_segments
from tests.containers.material import MemoryReader
from tests.pipeline.making import blobs_in, start_making
from tests.support.clips import make_clip, run
from tests.support.decoding import decode_sound

pytestmark = pytest.mark.anyio

Sound = npt.NDArray[np.float64]
ENCODED = ["vp8_webm", "vp9_webm", "mpeg4_avi", "mjpeg_mov", "audio_mp3"]
AROUND = 2048  # samples on either side of a join
PROBE = slice(24_000, 28_096)  # where two recordings are laid on top of each other
MOST_SHIFT = 4096
HEARABLE = 4.0  # 16-bit steps of error that any encode has


def shift_between(sound: Sound, source: Sound) -> int:
    """Return how many samples later *sound* says the same as *source*."""
    probe = source[PROBE]
    errors = [
        float(np.mean((sound[PROBE.start + shift : PROBE.stop + shift] - probe) ** 2))
        for shift in range(-MOST_SHIFT, MOST_SHIFT)
    ]
    return int(np.argmin(errors)) - MOST_SHIFT


def rms(values: Sound) -> float:
    return float(np.sqrt(np.mean(values**2)))


@pytest.mark.parametrize("name", ENCODED)
async def test_a_join_is_not_heard(name: str, clips: Path, tmp_path: Path, media: Media) -> None:
    """The error around each join is at most that of a continuous encode, or too small to hear."""
    clip = make_clip(name, clips)
    making = await start_making(clip, blobs=blobs_in(tmp_path), media=media)
    rendition = making.planned.plan.audio[0].renditions[0]
    assert not rendition.copy
    assert len(rendition.cuts) > 2, "a test of joins needs one"
    rate, channels = rendition.sample_rate, rendition.channels
    made = decode_sound(
        await making.write_track(rendition.id, tmp_path / "made.mp4"), rate=rate, channels=channels
    )[:, 0]
    whole = tmp_path / "whole.m4a"
    run(
        *("-i", str(clip), "-map", "0:a:0", "-ac", str(channels), "-ar", str(rate), "-c:a", "aac"),
        *("-b:a", str(rendition.bitrate_bps), str(whole)),
    )
    source = decode_sound(clip, rate=rate, channels=channels)[:, 0]
    continuous = decode_sound(whole, rate=rate, channels=channels)[:, 0]
    later, also_later = shift_between(made, source), shift_between(continuous, source)

    for cut in rendition.cuts[1:-1]:
        at = cut - rendition.cuts[0] - later
        join = slice(at - AROUND, at + AROUND)
        error = rms(made[join.start + later : join.stop + later] - source[join])
        usual = rms(continuous[join.start + also_later : join.stop + also_later] - source[join])
        assert error <= max(usual, HEARABLE)


def sound_frames(path: Path) -> list[bytes]:
    """Return every coded frame of the file's first sound track."""
    body = path.read_bytes()
    reader = MemoryReader(body)
    table = next(t for t in isobmff.read_index(reader).tracks if t.kind == "audio")
    return [
        body[offset : offset + size]
        for offset, size in zip(table.offsets.tolist(), table.sizes.tolist(), strict=True)
    ]


async def test_copied_sound_is_the_source(clips: Path, tmp_path: Path, media: Media) -> None:
    """Frame for frame the upload's own, but for priming before time 0, which is not stored."""
    clip = make_clip("h264_moov_last", clips)
    making = await start_making(clip, blobs=blobs_in(tmp_path), media=media)
    rendition = making.planned.plan.audio[0].renditions[0]
    assert rendition.copy
    made = sound_frames(await making.write_track(rendition.id, tmp_path / "made.mp4"))

    assert made == sound_frames(clip)[-len(made) :]
    assert len(made) * 1024 == rendition.cuts[-1] - rendition.cuts[0]


@pytest.mark.parametrize(("name", "channels"), [("surround_51", 6), ("surround_71", 6)])
async def test_surround_is_also_offered_in_stereo(
    name: str, channels: int, clips: Path, tmp_path: Path, media: Media
) -> None:
    """Stereo first, for whoever has two loudspeakers; both last as long as the source."""
    making = await start_making(make_clip(name, clips), blobs=blobs_in(tmp_path), media=media)
    renditions = making.planned.plan.audio[0].renditions
    assert [rendition.channels for rendition in renditions] == [2, channels]

    for rendition in renditions:
        made = await making.write_track(rendition.id, tmp_path / f"{rendition.id}.mp4")
        heard = decode_sound(made, rate=48_000, channels=rendition.channels)
        assert len(heard) == rendition.cuts[-1] - rendition.cuts[0]


async def test_silence_is_encoded_once(tmp_path: Path, media: Media) -> None:
    """However long it lasts: no codec runs for what is like a piece of silence made before."""
    clip = tmp_path / "silent.mkv"
    run(
        *("-f", "lavfi", "-i", "testsrc2=size=64x64:rate=5:duration=60"),
        *("-f", "lavfi", "-i", "sine=duration=1:sample_rate=48000"),
        *("-c:v", "libx264", "-g", "10", "-c:a", "libopus", "-y", str(clip)),
    )
    making = await start_making(clip, blobs=blobs_in(tmp_path), media=media)
    rendition = making.planned.plan.audio[0].renditions[0]
    silent = [k for k, (lo, hi) in enumerate(rendition.windows) if lo == hi]
    assert len(silent) > 10
    makings = making.material, [rendition.id]
    first = [await make_segments(*makings, k, media=media, urgent=False) for k in silent]

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    again = [await make_segments(*makings, k, media=media, urgent=False) for k in silent]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)

    assert again == first
    assert not any(made[rendition.id].damaged for made in again)
    assert (after.ru_utime, after.ru_stime) == (before.ru_utime, before.ru_stime)
    whole = decode_sound(
        await making.write_track(rendition.id, tmp_path / "made.mp4"), rate=48_000, channels=1
    )
    assert len(whole) == pytest.approx(rendition.cuts[-1] - rendition.cuts[0], abs=2048)
    assert not whole[3 * 48_000 :].any()
