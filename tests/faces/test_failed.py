"""A video that could not be made: trying again is offered where it can help."""

import pytest

from headwater.compose.core import Core
from headwater.compose.faces import open_app, open_faces
from headwater.model.video import ENGINE, Failure, VideoState
from tests.support.system import actor_of, add_video, client_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("code", "offered"), [(ENGINE, True), ("unreadable-media", False), ("refused-media", False)]
)
async def test_trying_again_is_offered_where_it_can_help(
    core: Core, code: str, *, offered: bool
) -> None:
    """What is the file's own fault leads to another file instead."""
    video = await add_video(
        core,
        await actor_of(core),
        state=VideoState.FAILED,
        failure=Failure(code, "This is why."),
    )
    async with client_of(core, app=open_app(core, await open_faces(core))) as web:
        watch = (await web.get(f"/watch/{video.id}")).raise_for_status().text
        studio = (await web.get("/studio")).raise_for_status().text

    for page in (watch, studio):
        assert "This is why." in page
        assert (f'action="/studio/videos/{video.id}/retry"' in page) is offered
        assert ("Try again" in page) is offered
    assert ("Upload another file" in watch) is not offered
