"""Uploading from the page: many files, honest bars, and nothing lost by a reload."""

import json
import re
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from tests.support.server import Server
from tests.web.conftest import OpenPage
from tests.web.making import tell
from tests.web.player import ask_until

pytestmark = pytest.mark.anyio
ARRIVED = """(async () => {
  const { path } = JSON.parse(localStorage.getItem("headwater.uploads"))[0];
  const answer = await fetch(path, { method: "HEAD", headers: { "Tus-Resumable": "1.0.0" } });
  return Number(answer.headers.get("Upload-Offset"));
})()"""
SENT = "Number(document.querySelector('.upload progress').value)"


@pytest.fixture
def large(ladder: Path, tmp_path: Path) -> Path:
    """The clip with 12 MB of padding behind it, which MP4 readers step over."""
    path = tmp_path / "walk.mp4"
    padding = 12_000_000
    box = padding.to_bytes(4) + b"free" + bytes(padding - 8)
    path.write_bytes(ladder.read_bytes() + box)
    return path


async def slow_down(page: Page) -> None:
    """Let bytes leave slowly, so that there is something to interrupt."""
    session = await page.context.new_cdp_session(page)
    await session.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": 0,
            "downloadThroughput": -1,
            "uploadThroughput": 2_000_000,
        },
    )


async def test_it_pauses_and_resumes_across_a_reload(
    open_page: OpenPage, server: Server, large: Path
) -> None:
    """The bytes that arrived are not sent again, and the page asks for the same file."""
    async with open_page(signed_in=True) as page:
        page.on("dialog", lambda dialog: dialog.accept())
        await page.goto("/upload")
        await slow_down(page)
        await page.set_input_files(".drop input", large)
        await ask_until(page, f"{SENT} > 2_000_000", wanted=True)
        await page.get_by_role("button", name=re.compile("^Pause")).click()
        await expect(page.locator(".status")).to_have_text(re.compile("Paused at"))
        await ask_until(
            page, ARRIVED.replace("return Number(", "return 1_000_000 < Number("), wanted=True
        )

        await page.reload()
        card = page.locator(".upload")
        await expect(card.locator(".status")).to_have_text(re.compile("Stopped at [1-9]"))
        offset = await page.evaluate(SENT)
        await card.locator("input[type=file]").set_input_files(
            {"name": "other.mp4", "mimeType": "video/mp4", "buffer": b"another file"}
        )
        await expect(card.get_by_role("alert")).to_have_text(re.compile("another file"))

        asked: list[int] = []
        page.on("request", lambda request: asked.extend(_offsets(request.method, request.headers)))
        await card.locator("input[type=file]").set_input_files(large)
        await expect(card).to_have_attribute("data-stage", "ready", timeout=40_000)
        assert asked[0] >= offset > 0
        await _delete(card_id=await card.get_attribute("data-video"), server=server)


def _offsets(method: str, headers: dict[str, str]) -> list[int]:
    return (
        [int(headers["upload-offset"])] if method == "PATCH" and "upload-offset" in headers else []
    )


async def _delete(card_id: str | None, server: Server) -> None:
    with server.client() as client:
        client.delete(f"/api/v1/videos/{card_id}").raise_for_status()


async def test_many_files_each_become_one_video(
    open_page: OpenPage, server: Server, ladder: Path, tmp_path: Path
) -> None:
    """Three files make three uploads; one that is no video says why, the others play."""
    nothing = tmp_path / "notes.mp4"
    nothing.write_text("these are notes, not a video\n" * 50)
    copy = tmp_path / "second.mp4"
    copy.write_bytes(ladder.read_bytes())
    async with open_page(signed_in=True) as page:
        created: list[str] = []
        page.on(
            "request",
            lambda request: (
                created.append(request.url) if _creates(request.url, request.method) else None
            ),
        )
        await page.goto("/upload")
        await page.set_input_files(".drop input", [ladder, nothing, copy])
        await expect(page.locator(".upload[data-stage=failed] .status")).to_have_text(
            re.compile("Could not be made: .+"), timeout=30_000
        )
        await expect(page.locator(".upload[data-stage=failed] progress")).to_have_count(0)
        failed = page.locator(".upload[data-stage=failed]")
        await expect(failed.get_by_role("button", name="Try again")).to_have_count(0)
        await expect(page.locator(".upload[data-stage=ready]")).to_have_count(2, timeout=60_000)
        assert len(created) == 3
        for card in await page.locator(".upload").all():
            await _delete(await card.get_attribute("data-video"), server)


def _creates(url: str, method: str) -> bool:
    return method == "POST" and url.endswith("/api/v1/uploads/")


async def test_a_lost_line_is_taken_up_again(
    open_page: OpenPage, server: Server, ladder: Path
) -> None:
    """A request that dies is tried again by itself; the person sees that."""
    async with open_page(signed_in=True, allow=("ERR_FAILED", "Failed to load")) as page:
        broken = 0

        async def break_once(route: Route) -> None:
            nonlocal broken
            if route.request.method == "PATCH" and broken < 2:
                broken += 1
                await route.abort()
            else:
                await route.continue_()

        await page.goto("/upload")
        await page.route("**/api/v1/uploads/*", break_once)
        await page.set_input_files(".drop input", ladder)
        card = page.locator(".upload")
        await expect(card).to_have_attribute(
            "data-stage", re.compile("playable|ready"), timeout=30_000
        )
        assert broken == 2
        await _delete(await card.get_attribute("data-video"), server)


async def test_a_refusal_is_a_sentence(open_page: OpenPage, ladder: Path) -> None:
    """What the server says against a file stands on its card."""
    async with open_page(signed_in=True, allow=("413",)) as page:
        await page.goto("/upload")
        problem = {"title": "Too large", "detail": "There is no room left for this file."}
        await page.route(
            "**/api/v1/uploads/", lambda route: route.fulfill(status=413, json=problem)
        )
        await page.set_input_files(".drop input", ladder)
        await expect(page.locator(".status")).to_have_text(
            re.compile("Not uploaded: There is no room left for this file.")
        )


@pytest.mark.parametrize("width", [1440, 360])
async def test_a_card_says_how_long_the_making_may_take(
    open_page: OpenPage, video: str, width: int
) -> None:
    """The estimate comes and goes, and the cards below stay where they are."""
    record = {"path": "/api/v1/uploads/sent", "video": video, "name": "walk.mp4", "size": 5}
    record |= {"title": "A walk", "visibility": "public", "sent": 5, "complete": True}
    kept = json.dumps([record | {"lastModified": 0}])
    heights = []
    async with open_page(signed_in=True, viewport={"width": width, "height": 900}) as page:
        await page.goto("/upload")
        card = page.locator(".upload")
        for ready_in_s, said in [(None, "coming"), (185, "coming: about 3 minutes left")]:
            await page.evaluate("kept => localStorage.setItem('headwater.uploads', kept)", kept)
            await tell(page, id=video, ready_in_s=ready_in_s)
            await page.reload()
            await expect(card.locator(".status")).to_have_text(
                f"Ready to watch, sharper versions {said}"
            )
            heights.append(await card.evaluate("card => card.offsetHeight"))
        assert heights[0] == heights[1]


async def test_a_busy_server_is_asked_again_when_it_says(
    open_page: OpenPage, server: Server, ladder: Path
) -> None:
    """Nothing is sent meanwhile; one plain sentence says that it goes on by itself, and it does."""
    busy = {"status": 503, "code": "overloaded", "detail": "Many.", "retryable": True}
    async with open_page(signed_in=True, allow=("503",)) as page:
        asked = 0

        async def refuse_once(route: Route) -> None:
            nonlocal asked
            asked += _creates(route.request.url, route.request.method)
            if asked == 1:
                headers = {"retry-after": "2", "content-type": "application/problem+json"}
                await route.fulfill(status=503, headers=headers, body=json.dumps(busy))
            else:
                await route.continue_()

        await page.route("**/api/v1/uploads/", refuse_once)
        await page.goto("/upload")
        await page.set_input_files(".drop input", ladder)
        card = page.locator(".upload")
        await expect(card.locator(".status")).to_have_text(re.compile("starts by itself within"))
        await expect(card).to_have_attribute("data-stage", "ready", timeout=60_000)
        assert asked == 2
        await _delete(await card.get_attribute("data-video"), server)
