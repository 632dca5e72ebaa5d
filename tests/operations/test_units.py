"""Units of work: transactions open in one place, and what leaves with them reaches others."""

import re
from pathlib import Path

import anyio
import pytest

import headwater
from headwater.compose.core import Core
from headwater.compose.faces import open_app, open_faces
from headwater.roles import follow_purges, running
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
PACKAGE = Path(headwater.__file__).parent
HOMES = (
    "engines/",
    "operations/units.py",
    # What copies or moves everything works below the operations, with two databases or stores.
    "operations/backup.py",
    "operations/move_blobs.py",
    "operations/places.py",
)


def test_transactions_are_opened_by_the_runner_only() -> None:
    """A use case that opened its own could commit half of itself, and tell nobody."""
    opened = re.compile(r"database\.(writer|reader)\(|\.commit\(")
    strangers = {
        name
        for path in PACKAGE.rglob("*.py")
        if not (name := str(path.relative_to(PACKAGE))).startswith(HOMES)
        and opened.search(path.read_text(encoding="utf-8"))
    }

    assert strangers == set()


async def test_a_write_in_one_process_is_seen_in_the_others(tmp_path: Path) -> None:
    """Long before its cached copy would have been looked at again."""
    async with (
        system(tmp_path, notices="table:") as here,
        system(tmp_path, notices="table:") as there,
        running(follow_purges(there.notices, there.cache), failed=lambda: None),
    ):
        owner = await actor_of(here)
        video = await add_video(here, owner)
        assert await title_of(there, video.id) == video.title

        await here.runner.run("videos.edit", owner, video_id=video.id, title="Other")

        with anyio.fail_after(4):  # the copy itself would live 5 s
            while await title_of(there, video.id) != "Other":  # noqa: ASYNC110 — seen by asking
                await anyio.sleep(0.02)


async def test_nobody_misses_what_they_wrote_in_another_process(tmp_path: Path) -> None:
    """Also before its copy there is purged; whoever keeps no token is not answered from a copy."""
    async with (
        system(tmp_path, notices="table:") as here,
        system(tmp_path, notices="table:") as there,
    ):
        writes, reads = [open_app(core, await open_faces(core)) for core in (here, there)]
        video = await add_video(here, await actor_of(here))
        at = f"/api/v1/videos/{video.id}"
        async with client(here, app=writes) as browser:
            await browser.post("/api/v1/session", json={"email": EMAIL, "password": PASSWORD})
            cookies = browser.cookies
            async with client(there, app=reads) as other:
                other.cookies = cookies
                assert (await other.get(at)).json()["title"] == video.title
                await browser.patch(at, json={"title": "By session"})
                other.cookies = browser.cookies
                assert (await other.get(at)).json()["title"] == "By session"
        async with client_of(here, app=writes) as script:
            key = script.headers["authorization"]
            async with client(there, app=reads, authorization=key) as other:
                assert (await other.get(at)).json()["title"] == "By session"
                edited = await script.patch(at, json={"title": "By key"})
                assert (await other.get(at)).json()["title"] == "By key"
                sent = {"headwater-position": edited.headers["headwater-position"]}
                assert (await other.get(at, headers=sent)).json()["title"] == "By key"


async def title_of(core: Core, video_id: str) -> str:
    video = await core.runner.run("videos.get", NOBODY, video_id=video_id)
    title: str = video.title
    return title
