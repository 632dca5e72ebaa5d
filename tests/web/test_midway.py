"""A video that changes while it is watched: made anew under another name, hidden, or deleted."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from tests.support.server import Server
from tests.web.conftest import OpenPage, send_until_ready
from tests.web.player import look, watch_until

pytestmark = pytest.mark.anyio


@pytest.fixture
def fleeting(server: Server, ladder: Path) -> Iterator[str]:
    """The id of a video of its own, in two segments."""
    with server.client() as client:
        video = send_until_ready(client, ladder, "Fleeting")
        yield video
        client.delete(f"/api/v1/videos/{video}")


@asynccontextmanager
async def halfway(page: Page, video: str) -> AsyncIterator[None]:
    """Watch *video* up to the end of its first segment; the second is asked for after the block."""
    gate = asyncio.Event()

    async def hold(route: Route) -> None:
        await gate.wait()
        await route.continue_()

    await page.route("**/1.m4s", hold)
    await page.goto(f"/watch/{video}")
    await watch_until(page, lambda seen: seen["frames"] > 5)
    yield
    gate.set()


async def test_a_video_made_anew_goes_on_where_it_was(
    open_page: OpenPage, server: Server, fleeting: str
) -> None:
    """Addresses that have ended lead to the manifest of now, once, and the picture goes on."""
    async with open_page(allow=("410",)) as page:
        manifests: list[str] = []
        page.on("request", lambda request: manifests.append(request.url))
        async with halfway(page, fleeting):
            before = await look(page)
            with server.client() as client:
                old = _stream(client.get(f"/streams/{fleeting}/master.m3u8").text)
                client.patch(
                    f"/api/v1/videos/{fleeting}", json={"visibility": "unlisted"}
                ).raise_for_status()
                new = _stream(client.get(f"/streams/{fleeting}/master.m3u8").text)
            assert new != old
            await page.route(f"**/{old}/**", lambda route: route.fulfill(status=410))
        seen = await watch_until(page, lambda seen: seen.get("time", 0) > 4.5)

        assert seen["time"] > before["time"]
        assert not seen["trouble"]
        assert not seen["paused"]
        assert sum(url.endswith("master.m3u8") for url in manifests) == 2
        assert any(f"/{new}/" in url for url in manifests)


def _stream(master: str) -> str:
    return next(line for line in master.splitlines() if line[:1] not in {"", "#"}).split("/")[0]


async def test_a_video_that_is_deleted_says_so(
    open_page: OpenPage, server: Server, fleeting: str
) -> None:
    """One plain sentence with the next step; nothing plays on behind it."""
    async with open_page(allow=("404", "410")) as page:
        async with halfway(page, fleeting):
            with server.client() as client:
                client.delete(f"/api/v1/videos/{fleeting}").raise_for_status()
        seen = await watch_until(page, lambda seen: seen["trouble"])

        assert seen["trouble"] == "gone"
        assert seen["paused"]
        await expect(page.get_by_role("alert")).to_contain_text("This video is no longer here.")
        await page.get_by_role("button", name="Reload").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text(
            "This page is not here", timeout=10_000
        )
