"""playable: seconds from the last byte of an upload to `playable`, and to a decoded frame.

A real server as it comes, warm-up and all, and a real Chromium with the real watch page in it: the
browser is warm (it has shown another video) and its window is open, the watch page is asked for
when the upload's answer is there, and requestVideoFrameCallback tells when the first frame is on
its way to the screen. The two times are taken of two uploads, because a page being drawn is no idle
machine; each video is deleted before the next is sent. The cold seek goes to the middle of the two
hours, where nothing has been made.
"""

import asyncio
import shutil
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from playwright.async_api import Browser, Page, async_playwright

from benchmarks.clips import Clips
from benchmarks.report import Row
from benchmarks.serving import send, server, wait_for
from tests.drills.processes import children
from tests.support.server import Server

ABOUT = "Seconds after the upload's last byte was acknowledged; medians; an idle machine is meant."
ROUNDS = 3
WITHIN_S = 60.0
ARGUMENTS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--autoplay-policy=no-user-gesture-required"),
]
WATCH = """
window.firstFrame = null;
const look = () => {
  const video = document.querySelector("video");
  if (!video) { requestAnimationFrame(look); return; }
  video.requestVideoFrameCallback(() => {
    window.firstFrame = performance.timeOrigin + performance.now();
  });
};
look();
"""
SEEK = """async (at) => {
  const player = document.querySelector("headwater-player");
  const video = player.video;
  const began = performance.now();
  player.seek(at);
  return await new Promise((resolve) => {
    const look = (_, frame) => {
      if (Math.abs(frame.mediaTime - at) <= 0.5) resolve((performance.now() - began) / 1000);
      else video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
  });
}"""
CASES = (  # name, about, limit of playable, limit of the first frame
    ("h264", "1 min 1080p30 H.264/AAC", 1.0, 2.0),
    ("hevc", "1 min 1080p30 HEVC", None, 2.5),
    ("vp9", "1 min 1080p30 VP9", None, 2.5),
)


def measure(clips: Clips, folder: Path) -> list[Row]:
    with server(folder / "data", log_level="warning") as running:
        return asyncio.run(_measure(running, clips))


async def _measure(running: Server, clips: Clips) -> list[Row]:
    rows = []
    with running.client() as client:
        async with _browser() as browser:
            warm = await asyncio.to_thread(send, client, clips.megabytes(), "Warm")
            await asyncio.to_thread(wait_for, client, warm, "playable", "ready")
            async with _page(browser) as page:
                await _first_frame(page, running, warm)
            await asyncio.to_thread(_delete, running, client, warm)
            minutes = 0.0
            for name, about, playable_s, frame_s in CASES:
                took_s = await _medians(browser, running, client, clips.minute(name))
                minutes = minutes or took_s[0]
                limits = (frame_s if playable_s is None else playable_s, frame_s)
                for what, took, limit in zip(
                    ("playable", "first frame"), took_s, limits, strict=True
                ):
                    rows.append(Row(what=f"{about}: {what}", figure=took, unit="s", target=limit))
            return rows + await _two_hours(browser, running, client, clips, minutes)


async def _two_hours(
    browser: Browser, running: Server, client: httpx.Client, clips: Clips, minute_s: float
) -> list[Row]:
    path = clips.two_hours()
    taken = await _medians(browser, running, client, path)
    video = await asyncio.to_thread(send, client, path, path.stem)
    async with _page(browser) as page:
        await _first_frame(page, running, video)
        seeks = [await page.evaluate(SEEK, at) for at in (3600.0, 2700.0, 4500.0)]
    about = "2 h of the same"
    return [
        Row(
            what=f"{about}: playable, beyond one minute's",
            figure=taken[0] - minute_s,
            unit="s",
            target=0.5,
            note=f"{taken[0]:.2f} s in all",
        ),
        Row(what=f"{about}: first frame", figure=taken[1], unit="s", target=2.5),
        Row(
            what=f"{about}: cold seek to the middle",
            figure=statistics.median(seeks),
            unit="s",
            target=1.5,
            note=", ".join(f"{seconds:.2f}" for seconds in seeks),
        ),
    ]


async def _medians(
    browser: Browser, running: Server, client: httpx.Client, path: Path
) -> tuple[float, float]:
    """Upload *path* again and again; return the seconds to playable and to the first frame."""
    playable, framed = [], []
    for _ in range(ROUNDS):
        video = await asyncio.to_thread(send, client, path, path.stem)
        began = time.monotonic()
        await asyncio.to_thread(wait_for, client, video, "playable", "ready")
        playable.append(time.monotonic() - began)
        await asyncio.to_thread(_delete, running, client, video)
        async with _page(browser) as page:
            video = await asyncio.to_thread(send, client, path, path.stem)
            wall = time.time()  # noqa: TID251 (the browser's clock is this one)
            framed.append(await _first_frame(page, running, video) - wall)
        await asyncio.to_thread(_delete, running, client, video)
    return statistics.median(playable), statistics.median(framed)


def _delete(running: Server, client: httpx.Client, video: str) -> None:
    """Delete *video* and wait until nothing is made of it any more."""
    client.delete(f"/api/v1/videos/{video}").raise_for_status()
    deadline = time.monotonic() + WITHIN_S
    while children(running.pid):
        if time.monotonic() > deadline:
            raise RuntimeError("A deleted video is still being made")
        time.sleep(0.05)


async def _first_frame(page: Page, running: Server, video: str) -> float:
    """Open the watch page in *page* and return when (Unix time) the first frame was there."""
    await page.goto(f"{running.url}/watch/{video}")
    deadline = time.monotonic() + WITHIN_S
    while (at := await page.evaluate("window.firstFrame")) is None:
        if time.monotonic() > deadline:
            raise RuntimeError("The page never showed a frame")
        await asyncio.sleep(0.02)
    return float(at) / 1000


@asynccontextmanager
async def _browser() -> AsyncIterator[Browser]:
    program = shutil.which("chromium")
    assert program, "Chromium is missing: apt install chromium"
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield opened
        await opened.close()


@asynccontextmanager
async def _page(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    await context.add_init_script(WATCH)
    yield await context.new_page()
    await context.close()
