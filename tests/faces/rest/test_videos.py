"""Videos over REST: who sees what, pages that stay put, edits that do not overwrite."""

import pytest

from headwater.compose.core import Core
from headwater.library import changes
from headwater.model.video import VideoState, Visibility
from tests.support.system import (
    actor_of,
    add_member,
    add_video,
    client,
    client_of,
    said_of,
)

pytestmark = pytest.mark.anyio


async def test_the_list_holds_what_everybody_may_watch(core: Core) -> None:
    owner = await actor_of(core)
    shown = await add_video(core, owner)
    await add_video(core, owner, visibility=Visibility.UNLISTED)
    await add_video(core, owner, visibility=Visibility.PRIVATE)
    await add_video(core, owner, state=VideoState.UPLOADING)
    await add_video(core, owner, deleted_at=1.0)

    async with client(core) as http:
        answer = await http.get("/api/v1/videos")

    assert [video["id"] for video in answer.json()["videos"]] == [shown.id]
    assert answer.json()["next"] is None


async def test_pages_neither_repeat_nor_skip_while_videos_are_added(core: Core) -> None:
    """Two of three were made in the same instant: the id decides between them."""
    owner = await actor_of(core)
    first = [await add_video(core, owner, created_at=at) for at in (1.0, 2.0, 2.0)]
    seen: list[str] = []

    async with client(core) as http:
        url = "/api/v1/videos?limit=1"
        while url:
            answer = await http.get(url)
            seen += [video["id"] for video in answer.json()["videos"]]
            await add_video(core, owner)
            url = answer.links["next"]["url"] if "next" in answer.links else ""

    assert sorted(seen) == sorted(video.id for video in first)


async def test_a_forged_cursor_is_refused(core: Core) -> None:
    async with client(core) as http:
        answer = await http.get("/api/v1/videos?cursor=AAAAAAAAAAAAAAAAWzEuMCwiYSJd")

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_own_videos_are_listed_in_any_state(core: Core) -> None:
    owner = await actor_of(core)
    stranger = await add_member(core, "else@example.org")
    mine = await add_video(core, owner, state=VideoState.UPLOADING, created_at=2.0)
    gone = await add_video(core, owner, deleted_at=5.0, created_at=1.0)
    await add_video(core, stranger)

    async with client_of(core) as http:
        listed = await http.get("/api/v1/videos?owner=me")
        filtered = await http.get("/api/v1/videos?owner=me&state=ready")
        deleted = await http.get("/api/v1/videos?owner=me&deleted=true")

    assert [video["id"] for video in listed.json()["videos"]] == [mine.id]
    assert filtered.json()["videos"] == []
    assert [video["id"] for video in deleted.json()["videos"]] == [gone.id]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_somebody_elses_private_video_does_not_exist(core: Core, method: str) -> None:
    """404, exactly as for an id that was never given; 403 would say that it is there."""
    secret = await add_video(core, await actor_of(core), visibility=Visibility.PRIVATE)
    await add_member(core, "else@example.org")

    async with client_of(core, "else@example.org") as http:
        hidden = await http.request(method, f"/api/v1/videos/{secret.id}", json={})
        never = await http.request(method, "/api/v1/videos/22222222222", json={})

    assert hidden.status_code == never.status_code == 404
    assert said_of(hidden) == said_of(never)


async def test_somebody_elses_public_video_can_be_seen_and_not_touched(core: Core) -> None:
    video = await add_video(core, await actor_of(core))
    await add_member(core, "else@example.org")

    async with client_of(core, "else@example.org") as http:
        seen = await http.get(f"/api/v1/videos/{video.id}")
        edited = await http.patch(f"/api/v1/videos/{video.id}", json={"title": "Mine"})

    assert seen.json()["title"] == video.title
    assert seen.json()["source_bytes"] is None
    assert edited.status_code == 403
    assert edited.json()["code"] == "forbidden"


async def test_a_copy_with_the_same_tag_is_not_sent_again(core: Core) -> None:
    video = await add_video(core, await actor_of(core))

    async with client(core) as http:
        first = await http.get(f"/api/v1/videos/{video.id}")
        tag = first.headers["etag"]
        again = await http.get(f"/api/v1/videos/{video.id}", headers={"if-none-match": tag})
        async with core.engines.writer(await actor_of(core)) as work:
            await changes.change(work, video.id, progress=0.5)
        changed = await http.get(f"/api/v1/videos/{video.id}", headers={"if-none-match": tag})

    assert (again.status_code, again.content) == (304, b"")
    assert changed.json()["progress"] == 0.5


async def test_an_edit_of_an_old_version_changes_nothing(core: Core) -> None:
    """Progress in between is no edit, so it does not stand in the way."""
    owner = await actor_of(core)
    video = await add_video(core, owner)
    url = f"/api/v1/videos/{video.id}"

    async with client_of(core) as http:
        tag = (await http.get(url)).headers["etag"]
        async with core.engines.writer(owner) as work:
            await changes.change(work, video.id, progress=0.5)
        edited = await http.patch(url, json={"title": " New\n one "}, headers={"if-match": tag})
        stale = await http.patch(url, json={"title": "Other"}, headers={"if-match": tag})
        seen = await http.get(url)

    assert edited.json()["title"] == "New one"
    assert stale.status_code == 412
    assert stale.json()["code"] == "stale-write"
    assert seen.json()["title"] == "New one"
    assert seen.json()["version"] == 2


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"title": ""}', 422),
        (b'{"title": 5}', 422),
        (b'{"titel": "x"}', 422),
        (b'{"visibility": "secret"}', 422),
        (b"[]", 422),
        (b"{", 400),
        (b"\xff", 400),
        (b'{"description": "' + b"x" * (1 << 20) + b'"}', 413),
    ],
)
async def test_a_wrong_body_gets_a_problem(core: Core, body: bytes, status: int) -> None:
    video = await add_video(core, await actor_of(core))

    async with client_of(core) as http:
        answer = await http.patch(
            f"/api/v1/videos/{video.id}",
            content=body,
            headers={"content-type": "application/json"},
        )

    assert answer.status_code == answer.json()["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:headwater:{answer.json()['code']}"


async def test_a_body_that_is_not_json_is_refused(core: Core) -> None:
    """A form, which another site's page could send without asking, is no JSON."""
    video = await add_video(core, await actor_of(core))

    async with client_of(core) as http:
        answer = await http.patch(f"/api/v1/videos/{video.id}", data={"title": "x"})

    assert answer.status_code == 415


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/api/v1/nothing", 404), ("PUT", "/api/v1/videos", 405), ("GET", "/else", 404)],
)
async def test_unknown_addresses_and_methods_get_problems(
    core: Core, method: str, path: str, status: int
) -> None:
    async with client(core) as http:
        answer = await http.request(method, path)

    assert answer.status_code == answer.json()["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_deleted_video_is_gone_for_others_and_comes_back(core: Core) -> None:
    video = await add_video(core, await actor_of(core))
    url = f"/api/v1/videos/{video.id}"

    async with client_of(core) as owner, client(core) as nobody:
        await nobody.get(url)
        assert (await owner.delete(url)).status_code == 204
        assert (await owner.delete(url)).status_code == 204
        assert (await nobody.get(url)).status_code == 404
        assert (await owner.get(url)).json()["deleted_at"] is not None
        restored = await owner.post(f"{url}/restore")
        assert restored.json()["deleted_at"] is None
        assert (await nobody.get(url)).status_code == 200


async def test_what_was_deleted_too_long_ago_does_not_come_back(core: Core) -> None:
    video = await add_video(core, await actor_of(core), deleted_at=1.0)

    async with client_of(core) as http:
        answer = await http.post(f"/api/v1/videos/{video.id}/restore")

    assert answer.status_code == 410
