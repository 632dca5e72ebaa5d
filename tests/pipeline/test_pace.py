"""While a video is made ready it says how fast, and for how long yet; then how fast it was."""

from pathlib import Path

import anyio
import pytest

from headwater.engines.media.ffmpeg import FfmpegMedia
from headwater.library.changes import VideoNews, read_news
from headwater.model.video import VideoState
from headwater.pipeline import warm
from headwater.planning.document import decode_plan
from tests.pipeline.working import WITHIN_S, process, until, working
from tests.support.clips import FFMPEG, make_clip
from tests.support.system import client, system

pytestmark = pytest.mark.anyio


async def test_the_making_is_told(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm, "TURN", 1)
    media = await FfmpegMedia.open(FFMPEG)
    told: list[VideoNews] = []
    async with system(tmp_path) as core, core.notices.listen("video:*") as news:
        async with working(core, media, warmth="all"):
            video = await process(core, make_clip("h264_ladder", clips))
            ready = await until(core, video.id, VideoState.READY)
            with anyio.fail_after(WITHIN_S):
                async for _, body in news:
                    told.append(read_news(body))
                    if told[-1].state is VideoState.READY:
                        break
        async with client(core) as web:
            shown = (await web.get(f"/api/v1/videos/{video.id}")).json()
        opened = await core.ask("pipeline.open_generation", generation=video.generation)

    plan = decode_plan(opened.generation.plan)
    assert plan.video is not None
    encoded = {rung.id for rung in plan.video.rungs if not rung.copy}
    (making,) = [one for one in told if 0 < one.progress < 1]
    assert making.ready_in_s is not None
    assert 0 < making.ready_in_s < WITHIN_S
    assert set(making.speeds) == encoded
    assert all(speed > 0 for speed in making.speeds.values())
    assert (ready.ready_in_s, set(ready.speeds)) == (None, encoded)
    assert shown["speeds"] == ready.speeds
    assert shown["ready_in_s"] is None
