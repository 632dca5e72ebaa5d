"""The library's use cases, through the runner on a real database."""

import pytest

from headwater.compose.core import Core
from headwater.library import changes, streams_repository
from headwater.library.list_videos import Page
from headwater.model.actor import SYSTEM
from headwater.model.errors import Gone, InvalidInput, StaleWrite, VideoNotFound
from headwater.model.ids import GenerationId, TrackId
from headwater.model.video import Video, VideoState, Visibility
from headwater.pipeline import generations_repository
from tests.support.system import NOBODY, actor_of, add_member, add_video

pytestmark = pytest.mark.anyio


async def serve_generation(core: Core, video: Video) -> str:
    """Give *video* a generation with nothing in it; return the name of its stream."""
    generation = GenerationId(f"g-{video.id}")
    async with core.engines.writer(SYSTEM) as work:
        await generations_repository.add(
            work.session,
            id=generation,
            video=video.id,
            encoder="",
            plan=b"",
            index_sizes={},
            segments={TrackId("v240"): 1},
            now=work.now,
        )
        await changes.change(work, video.id, generation=generation)
        return await streams_repository.open_stream(
            work.session, video.id, generation, now=work.now
        )


async def test_another_visibility_gives_the_streams_new_addresses(core: Core) -> None:
    """What caches kept while it was public says nothing once it is private."""
    owner = await actor_of(core)
    video = await add_video(core, owner)
    before = await serve_generation(core, video)

    same = await core.runner.run("videos.edit", owner, video_id=video.id, title="Other")
    hidden = await core.runner.run(
        "videos.edit", owner, video_id=video.id, visibility=Visibility.PRIVATE
    )

    assert same.stream == before
    assert hidden.stream not in {None, before}
    with pytest.raises(VideoNotFound):
        await core.runner.run("videos.get", NOBODY, video_id=video.id)


@pytest.mark.parametrize("title", ["", "   ", "\x00\x07", "x" * 201])
async def test_a_title_can_be_read(core: Core, title: str) -> None:
    owner = await actor_of(core)
    video = await add_video(core, owner)

    with pytest.raises(InvalidInput):
        await core.runner.run("videos.edit", owner, video_id=video.id, title=title)


async def test_an_edit_that_changes_nothing_is_no_new_version(core: Core) -> None:
    owner = await actor_of(core)
    video = await add_video(core, owner)

    same = await core.runner.run(
        "videos.edit", owner, video_id=video.id, visibility=video.visibility
    )

    assert same.version == video.version


async def test_of_two_editors_the_second_is_told(core: Core) -> None:
    owner = await actor_of(core)
    video = await add_video(core, owner)
    edit = {"video_id": video.id, "if_version": video.version}

    await core.runner.run("videos.edit", owner, title="First", **edit)
    with pytest.raises(StaleWrite):
        await core.runner.run("videos.edit", owner, title="Second", **edit)


async def test_the_front_page_follows_a_change_at_once(core: Core) -> None:
    """Its cached copy is purged by the commit."""
    owner = await actor_of(core)
    video = await add_video(core, owner)

    first: Page = await core.runner.run("videos.list", NOBODY)
    await core.runner.run("videos.delete", owner, video_id=video.id)
    second: Page = await core.runner.run("videos.list", NOBODY)

    assert [found.id for found in first.videos] == [video.id]
    assert second.videos == []


async def test_the_owner_of_the_server_may_take_any_video_down(core: Core) -> None:
    member = await add_member(core, "else@example.org")
    video = await add_video(core, member)

    await core.runner.run("videos.delete", await actor_of(core), video_id=video.id)

    with pytest.raises(VideoNotFound):
        await core.runner.run("videos.get", NOBODY, video_id=video.id)


async def test_own_lists_go_by_state_page_by_page(core: Core) -> None:
    owner = await actor_of(core)
    for number in range(5):
        state = VideoState.FAILED if number % 2 else VideoState.READY
        await add_video(core, owner, state=state, created_at=float(number), title=str(number))

    first: Page = await core.runner.run("videos.mine", owner, state=VideoState.READY, limit=2)
    second: Page = await core.runner.run(
        "videos.mine", owner, state=VideoState.READY, limit=2, before=first.following
    )

    assert [video.title for video in first.videos] == ["4", "2"]
    assert [video.title for video in second.videos] == ["0"]
    assert second.following is None


@pytest.mark.parametrize("limit", [0, 101, -1])
async def test_a_page_has_a_sensible_size(core: Core, limit: int) -> None:
    with pytest.raises(InvalidInput):
        await core.runner.run("videos.list", NOBODY, limit=limit)


async def test_a_deleted_video_is_edited_once_it_is_back(core: Core) -> None:
    owner = await actor_of(core)
    video = await add_video(core, owner)
    await core.runner.run("videos.delete", owner, video_id=video.id)
    with pytest.raises(Gone):
        await core.runner.run("videos.edit", owner, video_id=video.id, title="Other")

    await core.runner.run("videos.restore", owner, video_id=video.id)
    edited = await core.runner.run("videos.edit", owner, video_id=video.id, title="Other")

    assert edited.title == "Other"
