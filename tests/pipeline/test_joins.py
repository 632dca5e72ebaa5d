"""Every kind of source: the frames of a rung are the source's, with its very own steps in time.

The truth is a decoder's reading of the whole source; what is compared with it is init and segments,
made one by one and laid end to end.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from headwater.engines.blobs.filesystem import FileBlobs
from headwater.engines.media.ffmpeg import FfmpegMedia
from headwater.engines.media.port import Media
from tests.pipeline.making import start_making
from tests.support.clips import FFMPEG, RECIPES, make_clip
from tests.support.decoding import decode_frames

pytestmark = pytest.mark.anyio

WITH_PICTURES = [name for name in RECIPES if not name.startswith("audio_")]


@pytest.fixture
async def media() -> AsyncIterator[Media]:
    yield await FfmpegMedia.open(FFMPEG)


@pytest.mark.parametrize("name", WITH_PICTURES)
async def test_frames_in_are_frames_out(
    name: str, clips: Path, tmp_path: Path, media: Media
) -> None:
    """In each rung: every frame of the plan's frame set, each a source step after the last."""
    clip = make_clip(name, clips)
    making = await start_making(clip, blobs=FileBlobs(tmp_path / "blobs", secret=b"s" * 32), media=media)
    video = making.planned.plan.video
    assert video is not None
    source = decode_frames(clip)

    for rung in video.rungs:
        joined = await making.write_track(rung.id, tmp_path / f"{rung.id}.mp4")
        made = decode_frames(joined)

        assert made.complaints == ""
        assert len(made.times) == -(-len(source.times) // rung.frame_step)
