"""What is open keeps bytes on the disk: nothing stays open for a video that is gone, or unwatched.

Counted by the descriptors of this process that lie below the store.
"""

from pathlib import Path

import anyio
import pytest

from headwater.compose.core import Core
from headwater.engines.media.ffmpeg import FfmpegMedia
from headwater.model.video import VideoState
from headwater.pipeline import materials, worker
from tests.pipeline.working import process, until, watch, working
from tests.support.clips import FFMPEG, make_clip
from tests.support.system import actor_of, system

pytestmark = pytest.mark.anyio

WITHIN_S = 20.0


def open_blobs(core: Core, *names: str) -> list[str]:
    """Return the files below the store, named like one of *names*, that this process holds open."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            path = str(descriptor.readlink())
        except FileNotFoundError:  # the one that lists them
            continue
        if path.startswith(str(core.settings.data)) and any(name in path for name in names):
            found.append(path)
    return found


async def until_closed(core: Core, *names: str) -> None:
    with anyio.fail_after(WITHIN_S):
        while True:
            if not open_blobs(core, *names):
                return
            await anyio.sleep(0.02)


async def test_a_deleted_video_is_let_go(clips: Path, tmp_path: Path) -> None:
    media = await FfmpegMedia.open(FFMPEG)
    async with system(tmp_path) as core, working(core, media):
        video = await process(core, make_clip("h264_ladder", clips))
        await until(core, video.id, VideoState.READY)  # from here on nobody makes anything for it
        await watch(core, video, "v240", 1)
        names = (f"uploads/{video.id}/", f"/{video.generation}/index/")
        assert open_blobs(core, *names)

        await core.runner.run("videos.delete", await actor_of(core), video_id=video.id)

        await until_closed(core, *names)


async def test_what_nobody_watches_is_let_go(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And opened again for who does."""
    monkeypatch.setattr(materials, "IDLE_S", 0.5)
    monkeypatch.setattr(worker, "HEARTBEAT_S", 0.05)
    media = await FfmpegMedia.open(FFMPEG)
    async with system(tmp_path) as core, working(core, media):
        video = await process(core, make_clip("h264_ladder", clips))
        await watch(core, video, "v240", 0)

        await until_closed(core, f"uploads/{video.id}/", f"/{video.generation}/index/")

        assert (await watch(core, video, "v360", 0)).size
