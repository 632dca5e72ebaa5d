"""What somebody waits for is hurried; what fails is said at once, and rests."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from headwater.engines.database.sqlite import SqliteDatabase
from headwater.engines.media.ffmpeg import FfmpegMedia
from headwater.model.errors import CodecFailed, Unavailable
from headwater.model.ids import GenerationId, TrackId, VideoId
from headwater.model.video import VideoState
from headwater.pipeline import demanded, demands_repository
from headwater.pipeline.demands_repository import Demand
from tests.pipeline.working import process, until, watch, working
from tests.support.clips import FFMPEG, make_clip, run
from tests.support.system import system

pytestmark = pytest.mark.anyio


class Starved(FfmpegMedia):
    """A machine on which the background never comes to run, until it is fed."""

    fed: asyncio.Event
    waiting: asyncio.Event

    async def encode_video(self, *arguments: Any, urgent: bool, **named: Any) -> Any:
        if not urgent:
            self.waiting.set()
            await self.fed.wait()
        return await super().encode_video(*arguments, urgent=urgent, **named)

    async def encode_run(self, *arguments: Any, urgent: bool, **named: Any) -> AsyncIterator[Any]:
        if not urgent:
            self.waiting.set()
            await self.fed.wait()
        async for made in super().encode_run(*arguments, urgent=urgent, **named):
            yield made


class Broken(FfmpegMedia):
    """A codec that dies in every pass over a long stretch without keyframes."""

    passes = 0

    async def encode_run(self, *arguments: Any, **named: Any) -> AsyncIterator[Any]:
        del arguments, named
        self.passes += 1
        raise CodecFailed("The codec process crashed.")
        yield


async def test_a_viewer_does_not_wait_for_the_background(clips: Path, tmp_path: Path) -> None:
    """A segment that the warm-up holds and does not come to make is made beside it, once, and the
    warm-up, fed again, ends as ever.
    """
    media = await Starved.open(FFMPEG)
    media.fed, media.waiting = asyncio.Event(), asyncio.Event()
    async with system(tmp_path) as core, working(core, media, warmth="all"):
        video = await process(core, make_clip("h264_ladder", clips))
        with anyio.fail_after(30):
            await media.waiting.wait()

        stored = await watch(core, video, "v240", 0)

        assert not media.fed.is_set()
        assert stored.size
        media.fed.set()
        ready = await until(core, video.id, VideoState.READY)
        assert ready.damage is None


@pytest.fixture(scope="module")
def long_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a minute with one keyframe."""
    clip = tmp_path_factory.mktemp("long") / "run.mp4"
    run(
        *("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=10:duration=30"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-g", "9999", "-pix_fmt", "yuv420p"),
        *("-x264-params", "scenecut=0", "-y", str(clip)),
    )
    return clip


async def test_nor_for_a_pass_in_the_background(long_run: Path, tmp_path: Path) -> None:
    """Where one keyframe serves half a minute the warm-up holds all of it at once."""
    media = await Starved.open(FFMPEG)
    media.fed, media.waiting = asyncio.Event(), asyncio.Event()
    async with system(tmp_path) as core, working(core, media, warmth="all"):
        video = await process(core, long_run)
        with anyio.fail_after(30):
            await media.waiting.wait()

        stored = await watch(core, video, "v120", 2)

        assert not media.fed.is_set()
        assert stored.size
        media.fed.set()
        await until(core, video.id, VideoState.READY)


async def test_a_pass_that_fails_is_said_at_once_and_rests(
    long_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody hangs on it, and not every player that asks starts another one."""
    monkeypatch.setattr(demanded, "FIRST_REST_S", 3600.0)
    monkeypatch.setattr(demanded, "MOST_REST_S", 3600.0)
    media = await Broken.open(FFMPEG)
    async with system(tmp_path) as core, working(core, media):
        video = await process(core, long_run)
        for index in (2, 2, 3, 4):
            with pytest.raises(Unavailable, match="could not be made"):
                await watch(core, video, "v120", index)

    assert media.passes == 1


async def test_a_demand_asked_for_again_is_fresh_and_keeps_its_place(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "headwater.db")
    await database.migrate()

    async def ask(index: int, at: float) -> None:
        wanted = Demand(
            generation=GenerationId("g"),
            track=TrackId("v720"),
            index=index,
            video=VideoId("v"),
            rank=0,
            asked_at=at,
        )
        async with database.writer() as session:
            await demands_repository.put(session, [wanted])

    await ask(1, 10.0)
    await ask(2, 20.0)
    await ask(3, 20.0)
    await ask(1, 90.0)
    await ask(2, 90.0)
    async with database.writer() as session:
        await demands_repository.forget_before(session, 80.0)
        left = await demands_repository.waiting(session, 10, now=90.0)
    await database.close()

    assert [demand.index for demand in left] == [1, 2]
