"""Two hours: planned at once, made by the piece, and in step at the end as at the beginning."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from headwater.containers import isobmff
from headwater.engines.media.port import Media
from headwater.model.ids import TrackId
from headwater.pipeline.make_segment import make_init, make_segments
from tests.containers.material import MemoryReader
from tests.pipeline.making import Making, blobs_in, start_making
from tests.support.clips import run
from tests.support.decoding import decode_brightness, decode_frames, decode_sound

pytestmark = pytest.mark.anyio

TWO_HOURS_S = 7200
PERIOD_S = 4  # a flash and a beep, together, every so often
BEEP_S = 0.25
SEEDED = 20
IN_STEP_S = 0.020


@pytest.fixture(scope="module")
def flashes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hours of a flash with a beep: H.264 to copy, and Opus in Matroska, to be encoded."""
    folder = tmp_path_factory.mktemp("long")
    once, long = folder / "once.mkv", folder / "long.mkv"
    lit = f"lt(mod(t+1,{PERIOD_S}),{BEEP_S})"  # never where a segment may begin
    run(
        *("-f", "lavfi", "-i", f"color=black:s=64x48:r=25:d={10 * PERIOD_S}"),
        *("-f", "lavfi", "-i", f"aevalsrc='0.5*sin(2*PI*1000*t)*{lit}':s=48000:d={10 * PERIOD_S}"),
        *("-vf", f"geq=lum='if({lit.replace('t+', 'T+')},235,16)':cb=128:cr=128"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-bf", "0"),
        *("-c:a", "libopus", "-b:a", "32k", str(once)),
    )
    run("-stream_loop", "-1", "-i", str(once), "-t", str(TWO_HOURS_S), "-c", "copy", str(long))
    return long


@pytest.fixture
async def making(flashes: Path, tmp_path: Path, media: Media) -> Making:
    return await start_making(flashes, blobs=blobs_in(tmp_path), media=media)


async def write_segment(making: Making, track: TrackId, index: int, path: Path) -> Path:
    """Make init and one segment of *track* into one file."""
    init = await make_init(making.material, track, media=making.media)
    made = await make_segments(making.material, [track], index, media=making.media, urgent=True)
    path.write_bytes(init + made[track].body)
    return path


def shown_at(path: Path) -> list[Fraction]:
    """Return when each picture of a segment is shown, read from its boxes."""
    table = isobmff.read_index(MemoryReader(path.read_bytes())).tracks[0]
    return [Fraction(int(tick), table.timescale) for tick in np.sort(table.pts)]


async def test_first_middle_last_and_seeded_segments_are_whole(
    making: Making, tmp_path: Path
) -> None:
    """Each of them, made alone, has its frames, its own time, and a decoder has no complaint."""
    video = making.planned.plan.video
    assert video is not None
    count = len(video.cuts) - 1
    assert abs(making.planned.plan.duration_s - TWO_HOURS_S) < 1
    chosen = np.random.default_rng(2).choice(range(1, count - 1), SEEDED, replace=False)

    for index in [0, count // 2, count - 1, *chosen.tolist()]:
        for rung in video.rungs:
            path = await write_segment(making, rung.id, index, tmp_path / "segment.mp4")
            decoded = decode_frames(path)

            assert decoded.complaints == ""
            assert len(decoded.times) == -(-video.frames[index] // rung.frame_step)
            assert shown_at(path)[0] == Fraction(video.cuts[index], video.timescale)


async def test_picture_and_sound_are_in_step_at_the_end(making: Making, tmp_path: Path) -> None:
    """In the first and the last minutes a flash and its beep are at most 20 ms apart."""
    plan = making.planned.plan
    assert plan.video is not None
    rung = plan.video.rungs[0]
    sound = plan.audio[0].renditions[0]
    assert not sound.copy

    for index in (1, len(plan.video.cuts) - 4):
        path = await write_segment(making, rung.id, index, tmp_path / "pictures.mp4")
        lit = decode_brightness(path) > 128
        flash = next(
            moment
            for moment, before, now in zip(shown_at(path)[1:], lit, lit[1:], strict=False)
            if now and not before
        )
        heard = await write_segment(making, sound.id, index, tmp_path / "sound.mp4")
        loud = np.abs(decode_sound(heard, rate=48_000, channels=sound.channels)[:, 0]) > 2000
        quiet_before = np.convolve(loud, np.ones(4800), "full")[: len(loud)] - loud
        onset = int(np.flatnonzero(loud & (quiet_before == 0))[0])
        beep = Fraction(sound.cuts[index] + onset, 48_000)

        assert abs(beep - flash) % PERIOD_S <= IN_STEP_S
