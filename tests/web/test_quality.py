"""Auto plays what needs no waiting: copied, made already, or made well faster than it plays."""

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, Route

from tests.support.clips import run
from tests.support.server import Server, serving
from tests.web.conftest import OpenPage, send_until_ready
from tests.web.making import tell
from tests.web.player import (
    ask_until,
    choose_quality,
    decodes,
    look,
    open_video,
    rung_of,
    watch_until,
)

pytestmark = pytest.mark.anyio
FILLED_BY_360 = {"width": 620, "height": 900}  # a player without doubts begins with 360p here
ENCODED = {"v240", "v360", "v480"}


@pytest.fixture(scope="module")
def cold(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that makes nothing before somebody asks for it."""
    with serving(tmp_path_factory.mktemp("cold") / "data", warm="none") as running:
        yield running


@pytest.fixture
def unmade(cold: Server, ladder: Path) -> Iterator[str]:
    """The id of a video with nothing made ahead: one rung is copied, three would be encoded."""
    with cold.client() as client:
        video = send_until_ready(client, ladder, "Unmade")
        yield video
        client.delete(f"/api/v1/videos/{video}").raise_for_status()


async def say_of(page: Page, **facts: object) -> None:
    """Let the watch page say *facts* of the player's video."""

    async def told(route: Route) -> None:
        answer = await route.fetch()
        body = await answer.text()
        for name, fact in facts.items():
            body, count = re.subn(rf"""\b{name}=('|").*?\1""", f"{name}='{fact}'", body)
            assert count == 1, name
        await route.fulfill(response=answer, body=body)

    await page.route("**/watch/*", told)


@asynccontextmanager
async def asking(open_page: OpenPage, *, of: Server, **facts: object) -> AsyncIterator[Any]:
    """Open a page that says *facts*, and collect the rungs it asks for, in this order."""
    async with open_page(of=of, viewport=FILLED_BY_360) as page:
        rungs: list[str] = []
        page.on("request", lambda request: rungs.extend(filter(None, [rung_of(request.url)])))
        await say_of(page, **facts)
        yield page, rungs


async def play_through(page: Page, video: str) -> None:
    await open_video(page, video)
    await watch_until(page, lambda seen: seen["time"] > seen["duration"] - 0.5)


@pytest.mark.parametrize(
    ("speeds", "others"),
    [
        (dict.fromkeys(ENCODED, 1.4), set()),  # only what is copied
        ({}, {"v240"}),  # nothing is known: what is copied, or the lowest
    ],
)
async def test_auto_asks_for_what_is_made_fast_enough(
    open_page: OpenPage, cold: Server, unmade: str, speeds: Mapping[str, float], others: set[str]
) -> None:
    """Where nothing is made ahead, "ready" does not mean that anything exists.

    It begins with what is there; a busy machine is a slow line, on which it may go on with a lower
    rung that is made fast enough.
    """
    async with asking(open_page, of=cold, speeds=json.dumps(speeds)) as (page, rungs):
        await play_through(page, unmade)

        assert rungs[0] == "v480c"
        assert set(rungs) <= {"v480c"} | others


@pytest.mark.parametrize(("speed", "asked"), [(9.0, {"v240", "v360"}), (1.4, {"v240"})])
async def test_where_nothing_is_copied_the_lowest_comes_first(
    open_page: OpenPage, cold: Server, ladder: Path, tmp_path: Path, speed: float, asked: set[str]
) -> None:
    """Its first segment is what made the video playable; from there it rises as it can be made."""
    foreign = tmp_path / "foreign.mp4"
    run("-i", str(ladder), "-c:v", "mpeg4", "-q:v", "4", "-g", "60", "-c:a", "copy", str(foreign))
    with cold.client() as client:
        video = send_until_ready(client, foreign, "Foreign")
    speeds = json.dumps(dict.fromkeys(ENCODED, speed))
    async with asking(open_page, of=cold, speeds=speeds) as (page, rungs):
        await play_through(page, video)

        assert rungs[0] == "v240"
        assert set(rungs) == asked


async def test_a_choice_is_obeyed_however_slow(
    open_page: OpenPage, cold: Server, unmade: str
) -> None:
    """Who asks for a rung gets it, also from an engine that had to start again."""
    slow = json.dumps(dict.fromkeys(ENCODED, 0.4))
    async with asking(open_page, of=cold, speeds=slow) as (page, rungs):
        await open_video(page, unmade)
        assert set(rungs) == {"v480c"}

        await page.evaluate("document.querySelector('video').loop = true")
        await choose_quality(page, 360)
        await watch_until(page, decodes(360))

        await page.evaluate("document.querySelector('headwater-player').renew()")
        await watch_until(page, lambda seen: seen["state"] == "ready" and seen["height"] == 360)
        assert (await look(page))["chosen"] == 360


async def test_while_it_is_made_auto_stays_on_what_is_there(
    open_page: OpenPage, server: Server, video: str
) -> None:
    """Of a video that is not warm, and nobody knows how fast it is made, only the copied rung and
    the lowest are asked for.
    """
    async with asking(open_page, of=server, progress=0, speeds="{}") as (page, rungs):
        await open_video(page, video)

        assert rungs
        assert set(rungs) <= {"v480c", "v240"}


@pytest.mark.parametrize(("warms", "asked"), [("all", "v360"), ("low", "v360"), ("none", "v480c")])
async def test_what_is_made_ahead_is_there_when_the_video_is_ready(
    open_page: OpenPage, server: Server, video: str, warms: str, asked: str
) -> None:
    slow = json.dumps(dict.fromkeys(ENCODED, 0.4))
    async with asking(open_page, of=server, warms=warms, speeds=slow) as (page, rungs):
        await open_video(page, video)

        assert rungs[0] == asked


async def test_news_of_the_making_reach_the_player(
    open_page: OpenPage, server: Server, video: str
) -> None:
    """How fast rungs are made is in the document, and then follows the news."""
    async with open_page(of=server) as page:
        told = "JSON.stringify(document.querySelector('headwater-player').speeds)"
        await page.goto(f"/watch/{video}")
        at_first = json.loads(await page.evaluate(told))
        assert set(at_first) == ENCODED

        await tell(page, speeds={"v480": 1.7})
        await say_of(page, **{"data-state": "playable"})
        await page.goto(f"/watch/{video}")
        await ask_until(page, told, '{"v480":1.7}')
        await ask_until(page, "document.querySelector('headwater-player').progress", 0.5)
