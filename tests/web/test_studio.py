"""The studio's table follows its videos by itself."""

import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from headwater.compose.faces import open_app, open_faces
from tests.support.server import Server
from tests.support.system import actor_of, add_video, client_of, system
from tests.web.conftest import OpenPage
from tests.web.making import ESTIMATES, tell
from tests.web.sending import sending

pytestmark = pytest.mark.anyio
WIDE = 1440


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


@pytest.mark.parametrize(("ready_in_s", "said"), ESTIMATES)
async def test_how_long_it_may_take_is_in_the_document(
    tmp_path: Path, ready_in_s: float | None, said: str
) -> None:
    async with system(tmp_path) as core:
        await add_video(core, await actor_of(core), progress=0.5, ready_in_s=ready_in_s)
        async with client_of(core, app=open_app(core, await open_faces(core))) as web:
            page = (await web.get("/studio")).raise_for_status().text

    found = re.search(r"<p [^>]*data-left>(.*?)</p>", page)
    assert found is not None
    assert found[1] == said


@pytest.mark.parametrize("width", [WIDE, 360])
async def test_the_estimate_follows_the_news_and_moves_nothing(
    open_page: OpenPage, video: str, width: int
) -> None:
    """Scripts say it in the same words, in a place that was kept for it."""
    heights = []
    async with open_page(signed_in=True, viewport={"width": width, "height": 900}) as page:
        row = page.locator(f"tr[data-video='{video}']")
        for ready_in_s, said in ESTIMATES[::2]:  # the document has them all, in the same words
            await tell(page, id=video, ready_in_s=ready_in_s)
            await page.goto("/studio")
            await expect(row.locator("[data-state-words]")).to_have_text(re.compile("coming.+50"))
            await expect(row.locator("[data-left]")).to_have_text(said)
            heights.append(await row.evaluate("row => row.offsetHeight"))
        await tell(page, id=video, state="ready", progress=1)
        await page.goto("/studio")
        await expect(row.locator("[data-left]")).to_be_hidden()
        if width == WIDE:  # where the picture is higher than the words beside it
            heights.append(await row.evaluate("row => row.offsetHeight"))
    assert len(set(heights)) == 1
