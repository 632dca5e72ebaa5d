"""Waiting with a deadline, and what the player says of itself.

Playwright's wait_for_function evaluates text inside the page, which our content policy forbids; so
questions are asked from outside, again and again.
"""

import re
import time
from collections.abc import Callable
from typing import Any

import anyio
from playwright.async_api import Page

POLL_S = 0.05
LOOK = """() => {
  const player = document.querySelector("headwater-player");
  const video = player?.video;
  return player && video ? {
    state: player.state, trouble: player.trouble, preparing: player.preparing,
    quality: player.quality, qualities: player.qualities, chosen: player.chosen,
    engine: player.engine?.kind, time: video.currentTime, duration: player.duration,
    paused: video.paused, muted: video.muted, volume: video.volume,
    speed: video.defaultPlaybackRate, // its playbackRate is 0 while bytes are waited for
    frames: video.getVideoPlaybackQuality().totalVideoFrames, height: video.videoHeight,
  } : {};
}"""
VIDEO = "document.querySelector('video')"
Seen = dict[str, Any]


async def look(page: Page) -> Seen:
    seen: Seen = await page.evaluate(LOOK)
    return seen


async def watch_until(
    page: Page, condition: Callable[[Seen], object], *, within_s: float = 15.0
) -> Seen:
    """Look at the player until *condition* holds of it, and return what was seen then."""
    deadline = time.monotonic() + within_s
    while True:
        seen = await look(page)
        if seen and condition(seen):
            return seen
        assert time.monotonic() < deadline, f"the player never got there: {seen}"
        await anyio.sleep(POLL_S)


async def open_video(page: Page, video: str, query: str = "") -> None:
    """Open the video's page and watch until it plays."""
    await page.goto(f"/watch/{video}{query}")
    await watch_until(page, lambda seen: seen["frames"] > 5)


async def reach(page: Page, control: str) -> None:
    """Bring the mouse over one of the player's controls, which shows them, and keeps them shown."""
    box = await page.locator(f"headwater-player {control}").bounding_box()
    assert box
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


async def open_settings(page: Page) -> None:
    await reach(page, ".settings")
    await page.locator("headwater-player .settings").click()


async def choose_quality(page: Page, height: int) -> None:
    """Choose in the menu, at the video's start: what plays within two seconds stays as it is."""
    await page.evaluate(f"{VIDEO}.pause(), {VIDEO}.currentTime = 0")
    await open_settings(page)
    await page.get_by_role("menuitem", name="Quality").click()
    await page.get_by_role("menuitemradio", name=f"{height}p").click()
    await page.evaluate(f"{VIDEO}.play()")


def decodes(height: int) -> Callable[[Seen], bool]:
    return lambda seen: bool(seen["height"] == height)


def rung_of(url: str) -> str | None:
    """Return the rung that *url* is a segment of, None for everything else."""
    found = re.search(r"/(v\d+c?)/\d+\.m4s", url)
    return found[1] if found else None


async def ask_until(page: Page, question: str, wanted: object, *, within_s: float = 15.0) -> None:
    """Evaluate *question* in the page until the answer is *wanted*."""
    deadline = time.monotonic() + within_s
    while (answer := await page.evaluate(question)) != wanted:
        assert time.monotonic() < deadline, f"{question} is {answer}, never {wanted}"
        await anyio.sleep(POLL_S)
