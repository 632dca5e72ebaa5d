"""Two workers and one video: both make it, and nothing of it twice."""

from collections import Counter
from pathlib import Path

import anyio
import pytest
from sqlalchemy import select

from headwater.compose.core import Core
from headwater.engines.database.schema import leases
from headwater.engines.media.port import Media
from headwater.model.actor import SYSTEM
from headwater.model.video import VideoState
from headwater.observe.metrics import PIECES_MADE
from tests.pipeline.working import process, until, working
from tests.support.clips import CLOSED, H264, run

pytestmark = pytest.mark.anyio
SECONDS = 24


@pytest.fixture
def long_clip(tmp_path: Path) -> Path:
    """Six segments or so that cannot be copied."""
    path = tmp_path / "long.mp4"
    picture = f"testsrc2=size=320x240:rate=15:duration={SECONDS}"
    run("-f", "lavfi", "-i", picture, *H264, "-pix_fmt", "yuv444p", *CLOSED, str(path))
    return path


async def holders(core: Core) -> set[str]:
    """Return who makes segments right now."""
    async with core.engines.reader(SYSTEM) as work:
        rows = await work.session.rows(select(leases.c.holder).where(leases.c.index >= 0))
    return {row["holder"] for row in rows}


async def count_holders(core: Core, seen: list[int]) -> None:
    while True:
        seen.append(len(await holders(core)))
        await anyio.sleep(0.01)


def made() -> float:
    samples = [sample for family in PIECES_MADE.collect() for sample in family.samples]
    return sum(
        sample.value
        for sample in samples
        if sample.name.endswith("_total") and sample.labels["kind"] == "segment"
    )


async def test_an_idle_worker_helps_to_warm_the_only_video(
    core: Core, media: Media, long_clip: Path
) -> None:
    """Both hold segments of it at once; each segment is made once, and then it is ready."""
    before = made()
    seen: list[int] = []
    async with (
        working(core, media, warmth="all", holder="one"),
        working(core, media, warmth="all", holder="two"),
    ):
        video = await process(core, long_clip)
        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                group.start_soon(count_holders, core, seen)
                await until(core, video.id, VideoState.READY)
                group.cancel_scope.cancel()

    held = [at for at, count in enumerate(seen) if count]
    together = Counter(seen[held[0] : held[-1]])  # without what is before and after the making
    assert together[2] > together[0]
    opened = await core.ask("pipeline.open_generation", generation=video.generation)
    segments = sum(presence.segments for presence in opened.presences.values())
    assert made() - before == segments - 1  # the first was made with the plan
