"""What was deleted: where its owner finds it again, and that nothing pretends it lives."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from headwater.compose.core import Core
from headwater.compose.faces import open_app, open_faces
from tests.support.system import actor_of, add_member, add_video, client, client_of

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def pages_of(core: Core) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(core, app=open_app(core, await open_faces(core))) as web:
        yield web


async def test_the_studio_lists_what_can_come_back(core: Core) -> None:
    """With the day it is gone for good; what is past that, alive or another's is not in it."""
    owner, now = await actor_of(core), time.time()  # noqa: TID251
    lost = await add_video(core, owner, title="Lost", deleted_at=now - 60)
    await add_video(core, owner, title="Past", deleted_at=now - 10_000_000)
    await add_video(core, owner, title="Alive")
    other = await add_member(core, "jo@example.org")
    await add_video(core, other, title="Theirs", deleted_at=now - 60)

    async with pages_of(core) as web:
        assert 'href="/studio?deleted"' in (await web.get("/studio")).text
        page = (await web.get("/studio?deleted")).raise_for_status().text
        back = await web.post(f"/studio/videos/{lost.id}/restore")
        emptied = (await web.get("/studio?deleted")).raise_for_status().text
        mine = (await web.get("/studio")).text

    assert [title in page for title in ("Lost", "Past", "Alive", "Theirs")] == [True] + [False] * 3
    goes = time.strftime("%d %B %Y, %H:%M", time.gmtime(now - 60 + core.settings.undo_s))
    assert f"{goes} UTC" in page
    assert f'action="/studio/videos/{lost.id}/restore"' in page
    assert (back.status_code, back.headers["location"]) == (303, "/studio")
    assert "Lost" not in emptied
    assert "Lost" in mine


async def test_deleting_leads_to_the_studio_with_the_way_back(core: Core) -> None:
    """The toast of the trash icon, in the document, only while there is something to undo."""
    video = await add_video(core, await actor_of(core), title="A <b>walk</b>")
    restore = f'action="/studio/videos/{video.id}/restore"'
    async with pages_of(core) as web:
        gone = await web.post(f"/studio/videos/{video.id}/delete")
        told = (await web.get(gone.headers["location"])).raise_for_status().text
        await web.post(f"/studio/videos/{video.id}/restore")
        undone = (await web.get(gone.headers["location"])).raise_for_status().text
        unknown = (await web.get("/studio?gone=22222222222")).raise_for_status().text

    assert gone.status_code == 303
    assert "“A &lt;b&gt;walk&lt;/b&gt;” was deleted." in told
    assert restore in told
    assert "was deleted" not in undone + unknown


async def test_a_deleted_video_is_not_edited(core: Core) -> None:
    """Its page offers the way back instead, also to a form that was open when it was deleted."""
    video = await add_video(core, await actor_of(core), deleted_at=time.time() - 10)  # noqa: TID251
    path = f"/studio/videos/{video.id}"
    form = {"title": "Other", "description": "", "visibility": "public", "version": "1"}
    async with pages_of(core) as web:
        shown = await web.get(path)
        saved = await web.post(path, data=form)
        patched = await web.patch(f"/api/v1/videos/{video.id}", json={"title": "Other"})

    for answer in (shown, saved):
        assert answer.status_code == 410
        assert "This video was deleted" in answer.text
        assert f'action="{path}/restore"' in answer.text
        assert 'name="title"' not in answer.text
    assert (patched.status_code, patched.json()["code"]) == (410, "gone")


async def test_strangers_are_told_nothing(core: Core) -> None:
    video = await add_video(core, await actor_of(core), deleted_at=time.time() - 10)  # noqa: TID251
    async with client(core, app=open_app(core, await open_faces(core))) as nobody:
        listed = await nobody.get("/studio?deleted")
        shown = await nobody.get(f"/studio/videos/{video.id}")

    assert (listed.status_code, shown.status_code) == (303, 303)
    assert listed.headers["location"].startswith("/login")
