"""The studio's table follows its videos by itself."""

import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.support.server import Server
from tests.web.conftest import OpenPage
from tests.web.sending import sending

pytestmark = pytest.mark.anyio


async def test_an_upload_from_elsewhere_is_seen_to_arrive(
    open_page: OpenPage, server: Server, ladder: Path
) -> None:
    """How much has arrived is a percentage, first in the document and then without a reload; the
    same row says when it is being made and when it can be watched.
    """
    body = ladder.read_bytes()
    with sending(server, body) as upload:
        upload.send(len(body) // 4)
        async with open_page(signed_in=True) as page:
            await page.goto("/studio")
            row = page.locator(f"tr[data-video='{upload.video}']")
            words, bar = row.locator("[data-state-words]"), row.locator("progress")
            await expect(words).to_have_text(re.compile(r"Uploading · 2[45] %"))
            assert await bar.evaluate("bar => bar.value") in {24, 25}

            upload.send(len(body) // 2)
            await expect(words).to_have_text(re.compile(r"Uploading · 7[45] %"))
            assert await bar.evaluate("bar => bar.value") in {74, 75}

            upload.send()
            await expect(words).to_have_text(re.compile("Ready"), timeout=30_000)
            await expect(words).to_have_text("Ready", timeout=60_000)
            await expect(bar).to_be_hidden()


async def test_without_scripts_the_percentage_is_in_the_document(
    open_page: OpenPage, server: Server, ladder: Path
) -> None:
    body = ladder.read_bytes()
    with sending(server, body) as upload:
        upload.send(len(body) // 2)
        async with open_page(signed_in=True, java_script_enabled=False) as page:
            await page.goto("/studio")
            row = page.locator(f"tr[data-video='{upload.video}']")
            await expect(row.locator("[data-state-words]")).to_have_text(
                re.compile(r"Uploading · (49|50) %")
            )
