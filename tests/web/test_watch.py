"""The watch page follows its video: from the first byte, or to the reason why not."""

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.async_api import expect

from tests.support.server import Server
from tests.web.conftest import OpenPage
from tests.web.player import watch_until

pytestmark = pytest.mark.anyio
TUS = {"tus-resumable": "1.0.0", "content-type": "application/offset+octet-stream"}


class Sending:
    """An upload over tus, piece by piece."""

    def __init__(self, client: httpx.Client, body: bytes) -> None:
        self._client, self._body, self._offset = client, body, 0
        created = client.post(
            "/api/v1/uploads/",
            headers={
                "tus-resumable": "1.0.0",
                "upload-length": str(len(body)),
                "upload-metadata": f"title {base64.b64encode(b'On its way').decode()}",
            },
        ).raise_for_status()
        self._address = created.headers["location"]
        self.video = created.headers["headwater-video"]

    def send(self, size: int | None = None) -> None:
        piece = self._body[self._offset :][:size]
        headers = TUS | {"upload-offset": str(self._offset)}
        self._client.patch(self._address, headers=headers, content=piece).raise_for_status()
        self._offset += len(piece)


@contextmanager
def sending(server: Server, body: bytes) -> Iterator[Sending]:
    with server.client() as client:
        upload = Sending(client, body)
        yield upload
        client.delete(f"/api/v1/videos/{upload.video}").raise_for_status()


async def test_it_becomes_playable_by_itself(
    open_page: OpenPage, server: Server, ladder: Path
) -> None:
    """One who opens the link early sees the upload, then the video, without a reload."""
    with sending(server, ladder.read_bytes()) as upload:
        upload.send(1000)
        async with open_page(signed_in=True) as page:
            await page.goto(f"/watch/{upload.video}")
            await expect(page.get_by_text("still being uploaded")).to_be_visible()
            upload.send()
            await expect(page.locator("headwater-player")).to_be_visible(timeout=20_000)
            seen = await watch_until(page, lambda seen: seen["state"] == "ready")
            assert seen["paused"]
            await page.get_by_role("button", name="Play", exact=True).first.click()
            await watch_until(page, lambda seen: seen["frames"] > 5)


async def test_a_failure_says_why_and_offers_the_next_step(
    open_page: OpenPage, server: Server
) -> None:
    """The owner reads the reason and can try again; a stranger learns only that it failed."""
    with sending(server, b"these are notes, not a video\n" * 40) as upload:
        upload.send()
        async with open_page(signed_in=True) as page:
            await page.goto(f"/watch/{upload.video}")
            await expect(page.get_by_text("could not be made")).to_be_visible(timeout=20_000)
            await expect(page.locator("#stage")).to_have_text(re.compile("text"))
            await page.get_by_role("button", name="Try again").click()
            await expect(page.get_by_text("could not be made")).to_be_visible(timeout=20_000)
        async with open_page() as page:
            await page.goto(f"/watch/{upload.video}")
            await expect(page.locator("#stage")).not_to_have_text(re.compile("text file"))
