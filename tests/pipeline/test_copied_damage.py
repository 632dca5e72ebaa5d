"""Pictures that are only copied are looked at all the same: their owner hears of damage."""

from pathlib import Path

import pytest

from headwater.containers import isobmff
from headwater.engines.media.ffmpeg import FfmpegMedia
from headwater.engines.media.port import Media, Window
from headwater.model.errors import CodecFailed
from headwater.model.video import VideoState
from headwater.pipeline.make_segment import make_segments
from tests.containers.material import FileReader
from tests.pipeline.making import blobs_in, start_making
from tests.pipeline.working import process, until, working
from tests.support.clips import FFMPEG, run
from tests.support.system import system

pytestmark = pytest.mark.anyio

SECONDS = 8
NAL_HEAD = 40  # bytes that say what a picture is; what follows is the picture


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video so small that its own pictures are all that is offered."""
    clip = tmp_path_factory.mktemp("small") / "small.mp4"
    run(
        *("-f", "lavfi", "-i", f"testsrc2=size=320x240:rate=30:duration={SECONDS}"),
        *("-c:v", "libx264", "-preset", "veryfast", "-crf", "35", "-bf", "0", "-g", "60"),
        *("-x264-params", "open-gop=0:scenecut=0", "-pix_fmt", "yuv420p", "-y", str(clip)),
    )
    return clip


def damage(path: Path, target: Path, *pictures: int) -> Path:
    """Write *path* with noise in the middle of those *pictures*, their headers left as they are."""
    body = bytearray(path.read_bytes())
    table = next(t for t in isobmff.read_index(FileReader(path)).tracks if t.kind == "video")
    for picture in pictures:
        start = int(table.offsets[picture]) + NAL_HEAD
        stop = int(table.offsets[picture] + table.sizes[picture])
        body[start:stop] = bytes((at * 131 + 89) % 251 for at in range(stop - start))
    target.write_bytes(body)
    return target


async def test_the_damaged_segment_is_found(small: Path, tmp_path: Path, media: Media) -> None:
    for path, expected in ((small, []), (damage(small, tmp_path / "a.mp4", 120), [1])):
        making = await start_making(path, blobs=blobs_in(tmp_path / path.stem), media=media)
        plan = making.planned.plan
        assert plan.video is not None
        (copied,) = plan.video.rungs
        assert copied.copy
        assert plan.video.cuts[1:] == [4 * plan.video.timescale, SECONDS * plan.video.timescale]

        made = [
            await make_segments(making.material, [copied.id], index, media=media, urgent=False)
            for index in range(len(plan.video.cuts) - 1)
        ]

        assert [k for k, one in enumerate(made) if one[copied.id].damaged] == expected


class Dying(FfmpegMedia):
    """A codec that dies whenever it only looks."""

    async def decode(self, window: Window, *, urgent: bool) -> list[str]:
        del window, urgent
        raise CodecFailed("The codec process crashed.")


async def test_a_copy_needs_no_codec(small: Path, tmp_path: Path) -> None:
    """One that dies over it keeps it from nobody."""
    media = await Dying.open(FFMPEG)
    async with system(tmp_path) as core, working(core, media, warmth="all"):
        video = await process(core, small)
        ready = await until(core, video.id, VideoState.READY)

    assert ready.damage is None


@pytest.mark.parametrize("picture", [0, 120], ids=["at its start", "later"])
async def test_its_owner_hears_of_it(small: Path, tmp_path: Path, picture: int) -> None:
    """Wherever it is: the first segment is made by planning, the others by the warm-up."""
    clip = damage(small, tmp_path / "damaged.mp4", picture)
    media = await FfmpegMedia.open(FFMPEG)
    async with system(tmp_path / "data") as core, working(core, media, warmth="all"):
        video = await process(core, clip)
        ready = await until(core, video.id, VideoState.READY)

    assert "damaged" in (ready.damage or "")
