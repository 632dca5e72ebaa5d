"""Upload, watch, edit, delete, undo: written once, made on every deployment.

Each request goes to the next process, so that nothing a process knows alone is of any use.
"""

import asyncio
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, expect

from tests.drills.player import Player
from tests.drills.tus import Sending
from tests.journeys.conftest import deployed
from tests.support.clips import run
from tests.support.fleet import Deployment
from tests.support.videos import wait_for_state
from tests.support.waiting import until
from tests.web.conftest import listen, sign_in
from tests.web.player import watch_until

pytestmark = pytest.mark.anyio

PART_BYTES = 200_000
SOON_S = 15.0  # lists for everybody may be some seconds old


def send(deployment: Deployment, clip: Path) -> str:
    """Send *clip* part by part, each to another process, and return the video's id."""
    content = clip.read_bytes()
    sending = Sending(deployment, content, clip.name)
    while sending.acknowledged < len(content):
        sending.send(PART_BYTES)
    return sending.video


def watch(deployment: Deployment, video: str, folder: Path) -> dict[str, int]:
    """Play every track, the end before the middle; return how many segments each has."""
    player = Player(deployment, video)
    counted = {}
    with deployment.client() as client:
        for track, found in groupby(player.pieces, key=lambda piece: piece.rpartition("/")[0]):
            pieces = [piece for piece in found if piece.endswith((".mp4", ".m4s"))]
            if not pieces:
                continue
            bodies = {piece: player.fetch(piece, client) for piece in (*pieces[-1:], *pieces)}
            path = folder / f"{track.rpartition('/')[2]}.mp4"
            path.write_bytes(b"".join(bodies[piece] for piece in pieces))
            run("-xerror", "-i", str(path), "-f", "null", "-")
            counted[path.stem] = len(pieces) - 1
    return counted


def mine(client: httpx.Client) -> dict[str, Any]:
    """Return my videos by id."""
    page = client.get("/api/v1/videos", params={"owner": "me"}).raise_for_status().json()
    return {video["id"]: video for video in page["videos"]}


def everybodys_titles(client: httpx.Client) -> list[str]:
    page = client.get("/api/v1/videos").raise_for_status().json()
    return [video["title"] for video in page["videos"]]


def hear_of_end(client: httpx.Client, video: str) -> str:
    """Follow the news of *video* until they end, and return all of them."""
    with client.stream("GET", f"/api/v1/videos/{video}/events") as news:
        return "".join(news.iter_text())


def everywhere(deployment: Deployment, holds: Callable[[], object]) -> bool:
    """Ask each process in its turn."""
    return all(holds() for _ in deployment.processes)


def until_everywhere(deployment: Deployment, ask: Callable[[], object], answer: object) -> None:
    """Wait until each process gives that *answer*."""
    until(lambda: everywhere(deployment, lambda: ask() == answer), within_s=SOON_S)


def journey(deployment: Deployment, clip: Path, folder: Path) -> None:
    """Upload, watch, edit, delete, and bring back."""
    video = send(deployment, clip)
    wait_for_state(deployment, video, "playable", "ready")
    at = f"/api/v1/videos/{video}"

    with deployment.client() as client, httpx.Client(base_url=deployment.url) as anybody:
        counted = watch(deployment, video, folder)
        assert counted == dict.fromkeys(("v480c", "a1", "v240", "v360", "v480"), 2)
        assert "ready" in hear_of_end(client, video)

        for title in ("A first name", "A better name"):
            edited = client.patch(at, json={"title": title, "visibility": "public"})
            edited.raise_for_status()
            listed = [mine(client)[video]["title"] for _ in deployment.processes]
            assert set(listed) == {title}
            named = [client.get(at).json()["title"] for _ in deployment.processes]
            assert set(named) == {title}
        until(lambda: everybodys_titles(anybody) == ["A better name"], within_s=SOON_S)
        until(lambda: anybody.get(at).json()["title"] == "A better name", within_s=SOON_S)

        segment = Player(deployment, video).pieces[-1]
        client.delete(at).raise_for_status()
        until(
            lambda: everywhere(deployment, lambda: client.get(at).json()["deleted_at"]),
            within_s=SOON_S,
        )
        assert everywhere(deployment, lambda: video not in mine(client))
        until(lambda: anybody.get(at).is_client_error, within_s=SOON_S)
        until(lambda: anybody.get(segment).is_client_error, within_s=SOON_S)
        until(lambda: everybodys_titles(anybody) == [], within_s=SOON_S)

        client.post(f"{at}/restore").raise_for_status()
        until_everywhere(deployment, lambda: client.get(at).json()["deleted_at"], None)
        assert everywhere(deployment, lambda: video in mine(client))
        until(lambda: everybodys_titles(anybody) == ["A better name"], within_s=SOON_S)
        until(lambda: anybody.get(segment).is_success, within_s=SOON_S)
        assert watch(deployment, video, folder) == counted


async def pages(deployment: Deployment, browser: Browser, clip: Path) -> None:
    """Upload, watch and rename in a browser."""
    context = await browser.new_context(base_url=deployment.url)
    try:
        await sign_in(context, deployment)
        page = await context.new_page()
        complaints = listen(page)
        await page.goto("/upload")
        await page.set_input_files(".drop input", clip)
        await page.get_by_role("link", name="Watch").click(timeout=30_000)
        await watch_until(page, lambda seen: seen["frames"] > 5, within_s=20)
        await page.evaluate("document.querySelector('headwater-player').seek(4)")
        await watch_until(page, lambda seen: seen["time"] > 4.2, within_s=20)

        await page.goto("/studio")
        await page.get_by_role("link", name="Edit").first.click()
        await page.fill("#edit-title", "From a fleet")
        await page.keyboard.press("Enter")
        await expect(page.locator("[data-title-link]").first).to_have_text("From a fleet")
        await page.reload()
        await expect(page.locator("[data-title-link]").first).to_have_text("From a fleet")
        assert complaints == []
    finally:
        await context.close()


@pytest.mark.parametrize("kind", ["one process", "one host"])
def test_a_video_lives_through_everything_on_one_machine(
    kind: str, request: pytest.FixtureRequest, ladder: Path, tmp_path: Path
) -> None:
    with deployed(kind, request, tmp_path) as deployment:
        journey(deployment, ladder, tmp_path)


async def test_a_video_lives_through_everything_on_a_fleet(
    a_fleet: Deployment, browser: Browser, ladder: Path, tmp_path: Path
) -> None:
    """Its pages too, of which each request may be answered by another process."""
    await asyncio.to_thread(journey, a_fleet, ladder, tmp_path)
    await pages(a_fleet, browser, ladder)
