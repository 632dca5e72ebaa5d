"""An original is given up only for a whole: every segment, every init, every picture."""

from pathlib import Path

import pytest

from headwater.compose.core import Core
from headwater.model.actor import SYSTEM
from headwater.model.ids import TrackId
from headwater.model.job import JobKind
from headwater.model.video import Video
from headwater.pipeline import generations_repository
from headwater.pipeline.compact import compact
from headwater.pipeline.keys import INIT, PICTURES, blob_key
from tests.pipeline.kept import Interrupted, keep_video, leased_job, stored, units_of
from tests.support.system import system

pytestmark = pytest.mark.anyio


async def compact_it(core: Core, blobs: Interrupted, video: Video) -> bool:
    """Run the job as where originals are not kept; say whether the original is still there."""
    job = await leased_job(core, video, JobKind.COMPACT)
    await compact(units=units_of(core), blobs=blobs, job=job, keep_original=False)
    assert (await core.ask("jobs.show", job_id=job.id)).state == "done"
    async with core.engines.reader(SYSTEM) as work:
        source = await generations_repository.source(work.session, video.id)
    assert source is not None
    kept = bool(await stored(blobs, "uploads/"))
    assert bool(source.size) == bool(source.extents) == kept
    return kept


async def test_the_original_of_a_whole_goes(tmp_path: Path) -> None:
    blobs = Interrupted(tmp_path / "blobs")
    async with system(tmp_path / "data") as core:
        video = await keep_video(core, blobs)
        assert not await compact_it(core, blobs, video)


@pytest.mark.parametrize(("track", "index"), [(TrackId("a1"), INIT), (PICTURES, 0), (PICTURES, 1)])
async def test_what_no_bitmap_counts_is_looked_for(
    tmp_path: Path, track: TrackId, index: int
) -> None:
    blobs = Interrupted(tmp_path / "blobs")
    async with system(tmp_path / "data") as core:
        video = await keep_video(core, blobs)
        assert video.generation is not None
        key = blob_key(video.id, video.generation, track, index)
        await blobs.stat(key)
        await blobs.delete(key)

        assert await compact_it(core, blobs, video)


async def test_what_is_evicted_meanwhile_keeps_the_original(tmp_path: Path) -> None:
    blobs = Interrupted(tmp_path / "blobs")
    async with system(tmp_path / "data") as core:
        video = await keep_video(core, blobs)
        assert video.generation is not None
        generation = video.generation

        async def evicted() -> None:
            async with core.engines.writer(SYSTEM) as work:
                await generations_repository.unmark(work.session, generation, TrackId("a1"), {5: 1})

        blobs.before_stat = evicted
        assert await compact_it(core, blobs, video)
