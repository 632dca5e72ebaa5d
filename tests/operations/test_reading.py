"""Each row's reads on a database with a replica: who of the two answers, what callers keep."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest

from headwater.compose.core import Core
from headwater.compose.faces import open_app, open_faces
from headwater.delivery.tickets import FRESH_S
from headwater.engines.work import Work
from headwater.library import videos_repository
from headwater.model.actor import SYSTEM, Actor
from headwater.model.errors import Unavailable, VideoNotFound
from headwater.model.freshness import Consistency, OwnWrites, Position, Primary, Seen, Stale
from headwater.model.ids import VideoId
from headwater.operations.reading import read
from tests.pipeline.kept import keep_video
from tests.support.replicas import Cluster, cluster
from tests.support.system import (
    EMAIL,
    NOBODY,
    PASSWORD,
    actor_of,
    add_video,
    client,
    client_of,
    system,
)

pytestmark = pytest.mark.anyio

SOON_S = 20.0


@pytest.fixture(scope="module")
def servers() -> Iterator[Cluster]:
    with cluster(1) as made:
        yield made


@pytest.fixture
async def core(tmp_path: Path, servers: Cluster) -> AsyncIterator[Core]:
    """A system whose database has a replica that is up to date."""
    url, replica = servers.primary.url("postgres"), servers.replicas_url("postgres")
    async with system(tmp_path, database=url, database_replicas=replica) as opened:
        await until_copied(opened, Stale(within_s=2, beyond="refuse"))
        yield opened


async def until_copied(core: Core, rule: Consistency, actor: Actor = SYSTEM) -> None:
    async with asyncio.timeout(SOON_S):
        while await age_of(core, rule, actor) == 0:  # noqa: ASYNC110 — seen by asking
            await asyncio.sleep(0.02)


async def age_of(core: Core, rule: Consistency, actor: Actor = SYSTEM) -> float:
    async with core.engines.reader(actor, rule) as work:
        return work.session.age_s


def seeing(actor: Actor, position: Position | None = None) -> Actor:
    return Actor(kind=actor.kind, account=actor.account, role=actor.role, seen=Seen(position))


async def test_the_row_decides_who_answers(core: Core) -> None:
    owner = seeing(await actor_of(core))
    assert await age_of(core, Primary(), owner) == 0
    assert await age_of(core, OwnWrites(), owner) == 0, "any write may be theirs"
    video = await add_video(core, owner)
    assert owner.seen is not None
    assert owner.seen.position is not None
    await until_copied(core, OwnWrites(), owner)
    found = await core.runner.run("videos.get", owner, video_id=video.id)
    assert found.id == video.id


async def test_what_a_copy_does_not_know_the_primary_is_asked_for(
    core: Core, servers: Cluster
) -> None:
    """Nobody hears that a thing is not there because a replica has not heard of it."""
    owner, rule = await actor_of(core), Stale(within_s=60, beyond="refuse")
    asked: list[bool] = []

    async def find(video: VideoId, *, strict: bool, work: Work) -> object:
        asked.append(work.session.age_s > 0)
        found = await videos_repository.find(work.session, video)
        if found is None and strict:
            raise VideoNotFound
        return found

    servers.replicas[0].pause()
    try:
        for strict in (False, True):
            video = await add_video(core, owner)
            ask = partial(find, video.id, strict=strict)
            assert await read(core.engines, NOBODY, rule, lambda work, ask=ask: ask(work=work))
    finally:
        servers.replicas[0].resume()
    assert asked == [True, False] * 2


async def test_people_keep_their_position_in_a_cookie_and_keys_in_a_header(core: Core) -> None:
    app = open_app(core, await open_faces(core))
    async with client(core, app=app) as browser:
        signed_in = await browser.post(
            "/api/v1/session", json={"email": EMAIL, "password": PASSWORD}
        )
        kept = Position.read(browser.cookies["headwater-position"])
        assert kept == Position.read(signed_in.headers["headwater-position"])
        assert kept is not None
        me = await browser.get("/api/v1/account")
        assert me.status_code == 200
        assert "headwater-position" not in me.headers, "nothing new"

    async with client_of(core, app=app) as script:
        video = await add_video(core, await actor_of(core))
        edited = await script.patch(f"/api/v1/videos/{video.id}", json={"title": "Other"})
        told = edited.headers["headwater-position"]
        assert "set-cookie" not in edited.headers
        for sent in (told, "", "x", "0.0", "ffffffff.ffffffffffffffff", "1." + "9" * 500, "é"):
            headers = {b"headwater-position": sent.encode()}
            got = await script.get(f"/api/v1/videos/{video.id}", headers=headers)
            assert (got.status_code, got.json()["title"]) == (200, "Other")


async def test_what_exists_plays_on_while_no_primary_answers(core: Core, servers: Cluster) -> None:
    """Who may watch is read from what there is, and its age is told; writes are refused."""
    video = await keep_video(core, core.blobs)
    assert video.stream
    servers.wait()
    servers.primary.kill()
    try:
        viewer = seeing(NOBODY)
        assert viewer.seen is not None
        async with asyncio.timeout(SOON_S):
            while viewer.seen.age_s <= 2 * FRESH_S:
                ticket = await core.tickets.check(viewer, video.id, video.stream)
                await asyncio.sleep(0.1)
        assert ticket.video.id == video.id
        visitor = seeing(NOBODY)
        page = await core.runner.run("videos.get", visitor, video_id=video.id)
        assert page.id == video.id
        assert visitor.seen is not None
        assert visitor.seen.age_s > FRESH_S
        with pytest.raises(Unavailable):
            await core.runner.run("videos.progress", viewer, video_id=video.id)
        with pytest.raises(Unavailable):
            await core.runner.run("videos.edit", SYSTEM, video_id=video.id, title="x")
    finally:
        servers.primary.start()
    async with asyncio.timeout(SOON_S):
        while await is_away(core):  # noqa: ASYNC110 — seen by asking
            await asyncio.sleep(0.1)


async def is_away(core: Core) -> bool:
    try:
        await age_of(core, Primary())
    except Unavailable:
        return True
    return False
