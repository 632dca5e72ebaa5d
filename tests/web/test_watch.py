"""The watch page follows its video: from the first byte, or to the reason why not."""

import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.support.server import Server
from tests.web.conftest import OpenPage
from tests.web.player import watch_until
from tests.web.sending import sending

pytestmark = pytest.mark.anyio


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
    """The owner reads the reason and may send another file; a stranger learns only that it failed.

    Trying again is not offered: what is no video does not become one.
    """
    with sending(server, b"these are notes, not a video\n" * 40) as upload:
        upload.send()
        async with open_page(signed_in=True) as page:
            await page.goto(f"/watch/{upload.video}")
            await expect(page.get_by_text("could not be made")).to_be_visible(timeout=20_000)
            await expect(page.locator("#stage")).to_have_text(re.compile("text"))
            await expect(page.get_by_role("link", name="Upload another file")).to_be_visible()
            await expect(page.get_by_role("button", name="Try again")).to_have_count(0)
        async with open_page() as page:
            await page.goto(f"/watch/{upload.video}")
            await expect(page.locator("#stage")).not_to_have_text(re.compile("text file"))
