"""What one does on the first day: set up, upload, watch, change, delete, bring back."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.support.server import Server, serving
from tests.web.conftest import OpenPage
from tests.web.player import watch_until

pytestmark = pytest.mark.anyio


async def test_the_first_day(open_page: OpenPage, tmp_path: Path, ladder: Path) -> None:
    """From the printed link to a video that plays, is edited, deleted and restored."""
    with serving(tmp_path / "data", owner=False) as fresh:
        async with open_page(of=fresh) as page:
            await page.goto("/")
            await expect(page.get_by_text("No videos here yet.")).to_be_visible()
            await page.goto(fresh.setup_path)
            await page.fill("#name", "Anna")
            await page.fill("#email", "anna@example.org")
            await page.fill("#password", "a long enough password")
            await page.get_by_role("button", name="Make the account").click()

            await page.set_input_files(".drop input", ladder)
            await page.locator(".upload .fields input").fill("The first of many")
            await page.keyboard.press("Tab")
            await page.get_by_role("link", name="Watch").click(timeout=30_000)

            await watch_until(page, lambda seen: seen["frames"] > 5, within_s=20)
            await expect(page.locator("h1")).to_have_text("The first of many")
            await page.evaluate("document.querySelector('headwater-player').seek(4)")
            await watch_until(page, lambda seen: seen["time"] > 4.2, within_s=20)
            await page.evaluate(
                "() => { const p = document.querySelector('headwater-player');"
                " p.video.loop = true; p.seek(0); p.choose(p.qualities[0]); }"
            )
            seen = await watch_until(
                page, lambda seen: seen["height"] == seen["chosen"], within_s=20
            )
            frames = seen["frames"]
            await watch_until(page, lambda seen: seen["frames"] > frames + 10)

            await page.goto("/studio")
            await page.get_by_role("link", name="Edit “The first of many”").click()
            await page.fill("#edit-title", "The first, renamed")
            await page.keyboard.press("Enter")
            await expect(page.locator("[data-title-link]")).to_have_text("The first, renamed")
            await page.get_by_role("button", name="Delete “The first of many”").click()
            await expect(page.locator("[data-title-link]")).to_have_count(0)
            await page.get_by_role("button", name="Undo").click()
            await expect(page.locator("[data-title-link]")).to_have_text("The first, renamed")
            await expect(page.locator("[data-state-words]")).to_have_text("Ready", timeout=30_000)


async def test_a_used_link_says_so(open_page: OpenPage, server: Server) -> None:
    """A set-up link that is used up or invented explains itself."""
    _ = server
    async with open_page(allow=("403",)) as page:
        await page.goto("/setup?token=invented")
        await expect(page.get_by_role("heading")).to_have_text("This set-up link no longer works")
