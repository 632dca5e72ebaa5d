"""Eviction finds what is cold wherever it is, and takes nothing from under anybody's hands."""

from pathlib import Path

import pytest

from headwater.model.actor import SYSTEM
from headwater.pipeline import evict as module
from headwater.pipeline import leases_repository, removal_repository
from headwater.pipeline.evict import KEPT_SEGMENTS, evict
from headwater.pipeline.keys import segment_key
from tests.pipeline.kept import Interrupted, keep_video, marked, stored, units_of
from tests.support.system import system

pytestmark = pytest.mark.anyio


async def test_what_is_cold_already_hides_nothing_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many tracks have only their first seconds left, the next ones are found."""
    monkeypatch.setattr(module, "TRACKS_A_PAGE", 2)
    blobs = Interrupted(tmp_path / "blobs")
    async with system(tmp_path / "data") as core:
        for age_s in (9000.0, 8000.0, 7000.0):
            await keep_video(core, blobs, age_s=age_s)
        assert await evict(units=units_of(core), blobs=blobs, budget_bytes=1) > 0
        late = await keep_video(core, blobs, age_s=6000.0)

        assert await evict(units=units_of(core), blobs=blobs, budget_bytes=1) > 0

        rows = await marked(core, late.generation)
        assert all(indices == list(range(KEPT_SEGMENTS)) for indices in rows.values())
        assert await evict(units=units_of(core), blobs=blobs, budget_bytes=1) == 0


async def test_no_maker_finds_a_blob_that_is_about_to_go(tmp_path: Path) -> None:
    """While blobs go their leases are taken; afterwards they are free."""
    blobs = Interrupted(tmp_path / "blobs")
    async with system(tmp_path / "data") as core:
        video = await keep_video(core, blobs)
        assert video.generation is not None
        generation = video.generation
        before = await marked(core, generation)
        got: list[bool] = []

        async def make() -> None:
            left = await marked(core, video.generation)
            for track in left:
                for index in set(before[track]) - set(left[track]):
                    async with core.engines.writer(SYSTEM) as work:
                        got.append(
                            await leases_repository.acquire(
                                work.session,
                                generation,
                                track,
                                index,
                                holder="a maker",
                                now=work.now,
                                until=work.now + 30,
                            )
                        )

        blobs.before_delete = make
        await evict(units=units_of(core), blobs=blobs, budget_bytes=1)
        assert got
        assert not any(got)
        got.clear()
        await make()
        assert all(got)


async def test_what_a_maker_holds_stays(tmp_path: Path) -> None:
    blobs = Interrupted(tmp_path / "blobs")
    async with system(tmp_path / "data") as core:
        video = await keep_video(core, blobs)
        assert video.generation is not None
        track = next(iter(await marked(core, video.generation)))
        async with core.engines.writer(SYSTEM) as work:
            await leases_repository.acquire(
                work.session,
                video.generation,
                track,
                KEPT_SEGMENTS + 1,
                holder="a maker",
                now=work.now,
                until=work.now + 30,
            )

        await evict(units=units_of(core), blobs=blobs, budget_bytes=1)

        left = (await marked(core, video.generation))[track]
        assert left == [*range(KEPT_SEGMENTS), KEPT_SEGMENTS + 1]
        await blobs.stat(segment_key(video.id, video.generation, track, KEPT_SEGMENTS + 1))


async def test_a_bit_without_its_blob_is_cleared(tmp_path: Path) -> None:
    blobs = Interrupted(tmp_path / "blobs")
    async with system(tmp_path / "data") as core:
        video = await keep_video(core, blobs)
        assert video.generation is not None
        for track in await marked(core, video.generation):
            await blobs.delete(segment_key(video.id, video.generation, track, KEPT_SEGMENTS))

        await evict(units=units_of(core), blobs=blobs, budget_bytes=1)

        rows = await marked(core, video.generation)
        assert all(indices == list(range(KEPT_SEGMENTS)) for indices in rows.values())


async def test_an_original_given_up_meanwhile_saves_what_was_made_of_it(tmp_path: Path) -> None:
    blobs = Interrupted(tmp_path / "blobs")
    async with system(tmp_path / "data") as core:
        video = await keep_video(core, blobs)
        before, all_blobs = await marked(core, video.generation), await stored(blobs, f"{video.id}")

        async def give_up() -> None:
            async with core.engines.writer(SYSTEM) as work:
                await removal_repository.forget_source(work.session, video)

        blobs.before_stat = give_up
        assert await evict(units=units_of(core), blobs=blobs, budget_bytes=1) == 0

        assert await marked(core, video.generation) == before
        assert await stored(blobs, f"{video.id}") == all_blobs
