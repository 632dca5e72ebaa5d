"""Every page at four widths, in light and dark: nothing overflows, nothing complains."""

import re
from itertools import pairwise

import pytest
from playwright.async_api import Page, expect

from tests.support.server import EMAIL, PASSWORD, Server
from tests.web.conftest import TITLE, OpenPage
from tests.web.player import watch_until

pytestmark = pytest.mark.anyio
WIDTHS = {1440: 900, 820: 1180, 360: 740, 320: 640}  # the last is a wide page at 400 %
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
HEADINGS = "[...document.querySelectorAll('h1,h2,h3')].map(heading => Number(heading.tagName[1]))"
UNNAMED = """[...document.querySelectorAll('button, a[href], input, select, textarea')].filter(
  (part) => part.type !== 'hidden' && part.checkVisibility() && !part.ariaHidden
    && !(part.ariaLabel || part.textContent.trim() || part.title || part.labels?.length)
).map((part) => part.outerHTML)"""
CONTROLS = "'button, a[href], input, select, summary'"
SMALL = f"""[...document.querySelectorAll({CONTROLS})].filter((part) => {{
  const box = (part.closest('label') ?? part).getBoundingClientRect();
  const inline = getComputedStyle(part).display === 'inline';
  const hidden = part.matches('.skip, .unseen, [type=hidden], [aria-hidden]');
  const alone = part.closest('td, th') && part.matches('input'); // in a larger cell
  const small = Math.min(box.width, box.height) < 24;
  return small && !inline && !hidden && !alone && part.checkVisibility();
}}).map((part) => part.outerHTML)"""

MOST_SHIFT = 0.01  # of the screen, times how far: what nobody sees
SHIFTS = """
  window.shifts = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) window.shifts += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
"""
FOCUSED = """() => {
  let part = document.activeElement;
  while (part?.shadowRoot?.activeElement) part = part.shadowRoot.activeElement;
  if (!part || part === document.body) return null;
  const host = part.getRootNode().host; // a range lies unseen in a bar that shows the focus
  const shown = [part, part.closest("label"), host?.matches("headwater-seek") ? host : null];
  const box = part.getBoundingClientRect();
  const inView = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  const outlined = shown.some((one) => one && parseFloat(getComputedStyle(one).outlineWidth) >= 1
    && getComputedStyle(one).outlineStyle !== "none");
  return { name: part.ariaLabel || part.textContent.trim(), seen: inView && outlined };
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_pages_fit(open_page: OpenPage, video: str, scheme: str) -> None:
    """One h1, named controls of at least 24 px, no sideways scrolling."""
    paths = ["/", f"/watch/{video}", "/upload", "/studio", f"/studio/videos/{video}"]
    paths += ["/studio/operations"]
    async with open_page(signed_in=True, color_scheme=scheme) as page:
        for path in paths:
            await page.goto(path)
            await _check(page)
    async with open_page(color_scheme=scheme, allow=("404", "403")) as page:
        for path in ["/", f"/watch/{video}", "/login", "/setup?token=no", "/no/such/page"]:
            await page.goto(path)
            await _check(page)


async def _check(page: Page) -> None:
    assert await page.locator("main").count() == 1
    levels = await page.evaluate(HEADINGS)
    assert levels.count(1) == 1, page.url
    assert all(b <= a + 1 for a, b in pairwise(levels)), page.url
    for width, height in WIDTHS.items():
        await page.set_viewport_size({"width": width, "height": height})
        where = f"{page.url} at {width}"
        assert await page.evaluate(OVERFLOW) <= 0, where
        assert await page.evaluate(UNNAMED) == [], where
        assert await page.evaluate(SMALL) == [], where


@pytest.mark.parametrize("width", [1440, 360])
async def test_nothing_jumps(open_page: OpenPage, video: str, width: int) -> None:
    """Scripts, pictures and the player take places that were kept for them."""
    async with open_page(
        signed_in=True, viewport={"width": width, "height": WIDTHS[width]}
    ) as page:
        await page.add_init_script(SHIFTS)
        for path in ["/", f"/watch/{video}", "/upload", "/studio"]:
            await page.goto(path)
            if path.startswith("/watch"):
                await watch_until(page, lambda seen: seen["frames"] > 5)
            await page.evaluate("() => new Promise((done) => requestIdleCallback(done))")
            assert await page.evaluate("window.shifts") < MOST_SHIFT, path


async def test_the_focus_is_always_seen(open_page: OpenPage, video: str) -> None:
    """Tabbing through a page, what has the focus is in view and outlined, and ends somewhere."""
    paths = ["/", f"/watch/{video}", "/upload", "/studio", f"/studio/videos/{video}"]
    async with open_page(signed_in=True, viewport={"width": 360, "height": 740}) as page:
        for path in paths:
            await page.goto(path)
            names = []
            for _ in range(60):
                await page.keyboard.press("Tab")
                focused = await page.evaluate(FOCUSED)
                if focused is None:
                    break
                assert focused["seen"], (path, focused)
                names.append(focused["name"])
            assert names[0] == "Skip to the content"
            assert len(names) > 5


async def test_pages_are_documents_without_scripts(
    open_page: OpenPage, server: Server, video: str
) -> None:
    """Logging in, editing, deleting and bringing back need no script."""
    async with open_page(java_script_enabled=False, allow=("401",)) as page:
        await page.goto("/studio")
        await page.fill("#email", EMAIL)
        await page.fill("#password", "wrong, wrong")
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_role("alert")).to_be_visible()
        await page.fill("#password", PASSWORD)
        await page.get_by_role("button", name="Log in").click()
        await expect(page).to_have_url(f"{server.url}/studio")

        await page.get_by_role("link", name=f"Edit “{TITLE}”").click()
        await page.fill("#description", "Line one\nLine two")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("status")).to_have_text("Saved.")

        await page.goto(f"/watch/{video}")
        await expect(page.locator("#words")).to_have_text("Line one\nLine two")
        await expect(page.locator("headwater-player video")).to_have_attribute(
            "src", f"/streams/{video}/master.m3u8"
        )
        await page.locator("summary").click()
        await page.get_by_role("button", name="Log out").click()
        await page.goto("/studio")
        await expect(page).to_have_url(re.compile("/login"))


async def test_an_address_of_another_site_is_no_way_back(
    open_page: OpenPage, server: Server
) -> None:
    """After logging in one lands here, whatever the link said."""
    async with open_page() as page:
        await page.goto("/login?next=//example.org/")
        await page.fill("#email", EMAIL)
        await page.fill("#password", PASSWORD)
        await page.get_by_role("button", name="Log in").click()
        await expect(page).to_have_url(f"{server.url}/")


async def test_a_private_video_is_nowhere(open_page: OpenPage, server: Server, video: str) -> None:
    """Neither the grid nor the address tells a stranger that it exists."""
    with server.client() as client:
        client.patch(f"/api/v1/videos/{video}", json={"visibility": "private"}).raise_for_status()
    try:
        async with open_page(allow=("404",)) as page:
            answer = await page.goto(f"/watch/{video}")
            assert answer is not None
            assert answer.status == 404
            assert TITLE not in await page.content()
            await page.goto("/")
            await expect(page.get_by_text(TITLE)).to_have_count(0)
    finally:
        with server.client() as client:
            client.patch(
                f"/api/v1/videos/{video}", json={"visibility": "public"}
            ).raise_for_status()


async def test_sharing_carries_the_moment(open_page: OpenPage, server: Server, video: str) -> None:
    """The sheet offers the address, with the time it was opened at if one wants."""
    async with open_page() as page:
        await page.goto(f"/watch/{video}?t=3")
        await page.get_by_role("button", name="Share").click()
        await expect(page.locator("#share-address")).to_have_value(f"{server.url}/watch/{video}")


async def test_the_policy_allows_no_inline_script(open_page: OpenPage, video: str) -> None:
    """What an injected handler or style would need is refused by the browser."""
    async with open_page() as page:
        answer = await page.goto(f"/watch/{video}")
        assert answer is not None
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert (
            re.search(r"<style|<script(?! [^>]*src=)| style=| on\w+=", await answer.text()) is None
        )
