"""A browser, a server with videos in it, and pages that fail the test when they complain."""

import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

from tests.support.clips import make_clip
from tests.support.server import Door, Server, serving
from tests.support.waiting import until

ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
]
TITLE = "A walk up the valley"
MISSING = "The pages are tested in Chromium: install it (apt-get install chromium)."
OpenPage = Callable[..., AbstractAsyncContextManager[Page]]


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, MISSING
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        asked = await opened.new_browser_cdp_session()
        processes = (await asked.send("SystemInfo.getProcessInfo"))["processInfo"]
        (itself,) = (process["id"] for process in processes if process["type"] == "browser")
        yield opened
        os.kill(itself, signal.SIGKILL)  # asked to close, it was once still open an hour later


@pytest.fixture(scope="session")
def ladder(clips: Path) -> Path:
    """Six seconds of 720p: one rung copied, three made."""
    return make_clip("h264_ladder", clips)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the tests that only look, or clean up after themselves."""
    with serving(tmp_path_factory.mktemp("web") / "data") as running:
        yield running


@pytest.fixture(scope="session")
def video(server: Server, ladder: Path) -> str:
    """The id of a video with all its rungs made."""
    with server.client() as client:
        return send_until_ready(client, ladder, TITLE)


@pytest.fixture
def open_page(browser: Browser, server: Server) -> OpenPage:
    """Open a page; when its block ends, nothing may have been written to its console."""

    @asynccontextmanager
    async def opened(
        *, signed_in: bool = False, of: Server = server, allow: tuple[str, ...] = (), **options: Any
    ) -> AsyncIterator[Page]:
        context = await browser.new_context(base_url=of.url, **options)
        try:
            if signed_in:
                await sign_in(context, of)
            page = await context.new_page()
            complaints = listen(page)
            yield page
            heard = [words for words in complaints if not any(part in words for part in allow)]
            assert heard == []
        finally:
            await context.close()

    return opened


def send_until_ready(client: httpx.Client, clip: Path, title: str) -> str:
    """Upload *clip*, wait until its video is ready, and return the id."""
    answer = client.post("/api/v1/videos", params={"title": title}, content=clip.read_bytes())
    video: str = answer.raise_for_status().json()["id"]
    until(lambda: client.get(f"/api/v1/videos/{video}").json()["state"] == "ready", within_s=60)
    return video


def listen(page: Page) -> list[str]:
    """Collect what *page* complains about: console errors and warnings, uncaught exceptions."""
    complaints: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(f"{message.text} ({message.location.get('url', '')})")

    page.on("console", on_console)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints


async def sign_in(context: BrowserContext, server: Door) -> None:
    with server.client() as client:
        cookies = [
            {"name": name, "value": value, "url": server.url}
            for name, value in client.cookies.items()
        ]
    await context.add_cookies(cookies)  # type: ignore[arg-type]
