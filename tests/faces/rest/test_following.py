"""Server-sent events: what is true now, then each change, to an end."""

import asyncio
from functools import partial
from typing import Any

import anyio
import msgspec
import pytest
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message

from headwater.access.tokens import hash_of
from headwater.compose.core import Core
from headwater.compose.faces import open_faces
from headwater.faces.kit import PRINCIPAL
from headwater.faces.rest.following import Following, still_stands
from headwater.library import changes
from headwater.library.changes import VideoNews, news_of, topic_of
from headwater.model.actor import ActorKind
from headwater.model.video import Video, VideoState, Visibility
from tests.support.system import EMAIL, PASSWORD, actor_of, add_video, application, client

pytestmark = pytest.mark.anyio


class Listener:
    """A browser's end of one event stream: reads as it comes, and can go away."""

    def __init__(self, app: ASGIApp, path: str, *, token: str | None = None) -> None:
        self._app, self._path = app, path
        self._headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
        self._arrived: asyncio.Queue[bytes] = asyncio.Queue()
        self.gone = asyncio.Event()

    async def run(self) -> None:
        scope = {
            "type": "http",
            "method": "GET",
            "scheme": "http",
            "path": self._path,
            "query_string": b"",
            "headers": self._headers,
            "client": ("192.0.2.1", 1),
        }
        await self._app(scope, self._receive, self._send)

    async def news(self) -> VideoNews:
        """Return the next event that carries data."""
        with anyio.fail_after(5):
            while True:
                body = await self._arrived.get()
                if b"data: " in body:
                    data = body.partition(b"data: ")[2]
                    return msgspec.json.decode(data, type=VideoNews)

    def rest(self) -> list[bytes]:
        """Return what else has arrived."""
        return [self._arrived.get_nowait() for _ in range(self._arrived.qsize())]

    async def _receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.body":
            await self._arrived.put(message["body"])


async def test_events_tell_the_state_now_and_each_change_to_the_last(core: Core) -> None:
    owner = await actor_of(core)
    video = await add_video(core, owner)
    app = application(core, await open_faces(core))
    listener = Listener(app, f"/api/v1/videos/{video.id}/events")

    async with anyio.create_task_group() as group:
        group.start_soon(listener.run)
        assert (await listener.news()).progress == 0.0
        async with core.engines.writer(owner) as work:
            await changes.change(work, video.id, progress=0.5)
        assert (await listener.news()).progress == 0.5
        async with core.engines.writer(owner) as work:
            await changes.change(work, video.id, state=VideoState.READY, progress=1.0)
        assert (await listener.news()).state is VideoState.READY


async def test_a_browser_that_comes_back_after_the_end_is_told_to_stop(core: Core) -> None:
    video = await add_video(core, await actor_of(core), state=VideoState.READY)
    url = f"/api/v1/videos/{video.id}/events"

    async with client(core) as http:
        first = await http.get(url)
        again = await http.get(url, headers={"last-event-id": "final"})

    assert "id: final" in first.text
    assert again.status_code == 204


@pytest.mark.parametrize("end", ["the server stops", "the browser leaves"])
async def test_events_end_when(core: Core, end: str) -> None:
    owner = await actor_of(core)
    faces = await open_faces(core)
    app = application(core, faces)
    video = await add_video(core, owner)
    listener = Listener(app, f"/api/v1/videos/{video.id}/events")

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(listener.run)
            await listener.news()
            (faces.closing if end == "the server stops" else listener.gone).set()


@pytest.mark.parametrize("change", ["private", "deleted"])
async def test_events_end_for_who_may_no_longer_see_the_video(core: Core, change: str) -> None:
    """Whoever may still see it goes on hearing, the other hears not even of the change."""
    owner = await actor_of(core)
    video = await add_video(core, owner)
    app = application(core, await open_faces(core))
    stranger = Listener(app, f"/api/v1/videos/{video.id}/events")
    key = await core.ask("keys.create", name="follower", email=EMAIL)
    known = Listener(app, f"/api/v1/videos/{video.id}/events", token=key.token)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(known.run)
            await known.news()
            async with anyio.create_task_group() as strangers:
                strangers.start_soon(stranger.run)
                await stranger.news()
                async with core.engines.writer(owner) as work:
                    hidden: dict[str, dict[str, Any]] = {
                        "private": {"visibility": Visibility.PRIVATE},
                        "deleted": {"deleted_at": work.now},
                    }
                    await changes.change(work, video.id, **hidden[change], progress=0.5)
            assert (await known.news()).progress == 0.5
            known.gone.set()
    assert stranger.rest() == [b""]


async def test_events_of_all_own_videos_end_with_the_key(core: Core) -> None:
    """A stolen key that was revoked hears nothing more, however long its stream has been open."""
    owner = await actor_of(core)
    video = await add_video(core, owner)
    made = await core.ask("keys.create", name="stolen", email=EMAIL)
    app = application(core, await open_faces(core))
    thief = Listener(app, "/api/v1/videos/mine/events", token=made.token)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(thief.run)
            await thief.news()
            await core.runner.run("keys.revoke", owner, key_id=made.key.id)
            async with core.engines.writer(owner) as work:
                await changes.change(work, video.id, title="A secret")
    assert thief.rest() == [b""]


async def test_a_silent_stream_ends_with_the_session(core: Core) -> None:
    """Without any news, the next heartbeat finds out."""
    async with client(core) as http:
        await http.post("/api/v1/session", json={"email": EMAIL, "password": PASSWORD})
        token = http.cookies["headwater"]
    scope = {
        "type": "http",
        PRINCIPAL: await core.ask(
            "sessions.recognise", kind=ActorKind.SESSION, proof=hash_of(token)
        ),
    }
    faces, request = await open_faces(core), HTTPConnection(scope)
    said: list[bytes] = []
    beats = anyio.Event()

    async def send(message: Message) -> None:
        said.append(message.get("body", b""))
        if said[-1] == b": \n\n":
            beats.set()

    async def silence() -> Message:
        await anyio.sleep_forever()
        raise AssertionError

    async def nothing() -> list[VideoNews]:
        return []

    following = Following(
        faces,
        "videos-of:somebody",
        nothing,
        may_hear=lambda: still_stands(faces, request),
        ends=False,
        beat_s=0.01,
    )
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(partial(following, scope, silence, send))
            await beats.wait()
            await core.ask("sessions.log_out", proof=hash_of(token))
    assert said[-1] == b""


async def test_telling_much_is_not_asking_much(core: Core) -> None:
    """News come as fast as they come: the limit of those who ask has nothing to do with it."""
    owner = await actor_of(core)
    video = await add_video(core, owner)
    listener = Listener(
        application(core, await open_faces(core)), f"/api/v1/videos/{video.id}/events"
    )
    many = 650  # more than may be asked in a minute

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(listener.run)
            await listener.news()
            for number in range(1, many + 1):
                async with core.engines.writer(owner) as work:
                    work.notices.append(
                        (topic_of(video.id), _news(video, progress=number / (many + 1)))
                    )
                await listener.news()
            listener.gone.set()


def _news(video: Video, **fields: float) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(news_of(video), **fields))


async def test_events_of_a_hidden_video_are_a_problem(core: Core) -> None:
    video = await add_video(core, await actor_of(core), visibility=Visibility.PRIVATE)

    async with client(core) as http:
        answer = await http.get(f"/api/v1/videos/{video.id}/events")

    assert answer.status_code == 404


async def test_events_of_all_own_videos_need_a_login(core: Core) -> None:
    async with client(core) as http:
        answer = await http.get("/api/v1/videos/mine/events")

    assert answer.status_code == 401
    assert answer.json()["code"] == "unauthenticated"
