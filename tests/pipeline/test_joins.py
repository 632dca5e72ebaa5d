"""Every kind of source: the frames of a rung are the source's, with its very own steps in time.

The truth is a decoder's reading of the whole source; what is compared with it is init and segments,
made one by one and laid end to end.
"""

from pathlib import Path

import pytest

from headwater.engines.media.port import Media
from tests.pipeline.making import blobs_in, start_making
from tests.support.clips import RECIPES, make_clip
from tests.support.decoding import decode_frames

pytestmark = pytest.mark.anyio

WITH_PICTURES = [name for name in RECIPES if not name.startswith("audio_")]
COPIED = {"h264_moov_last", "h264_moov_first", "h264_fragmented", "h264_mkv", "h264_ts", "h264_vfr"}


@pytest.mark.parametrize("name", WITH_PICTURES)
async def test_frames_in_are_frames_out(
    name: str, clips: Path, tmp_path: Path, media: Media
) -> None:
    """In each rung: every frame of the plan's frame set, each a source step after the last."""
    clip = make_clip(name, clips)
    making = await start_making(clip, blobs=blobs_in(tmp_path), media=media)
    video = making.planned.plan.video
    assert video is not None
    source = decode_frames(clip)
    assert any(rung.copy for rung in video.rungs) or name not in COPIED

    for rung in video.rungs:
        made = decode_frames(await making.write_track(rung.id, tmp_path / f"{rung.id}.mp4"))

        assert made.complaints == ""
        if rung.frame_step == 1:
            assert len(made.times) == len(source.times)
            assert made.steps == source.steps
        else:
            kept = [-(-frames // rung.frame_step) for frames in video.frames]
            assert len(made.times) == sum(kept)
