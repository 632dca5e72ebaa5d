"""What a server would tell of a video's making, told to a page by a test."""

import json

from playwright.async_api import Page, Route

ESTIMATES = [
    (None, ""),
    (0.4, "less than a minute left"),
    (29, "less than a minute left"),
    (30, "about 1 minute left"),
    (185, "about 3 minutes left"),
    (3569, "about 59 minutes left"),
    (3570, "about 1 hour left"),
    (9000, "about 3 hours left"),
    (86_400, "about 24 hours left"),
]


async def tell(page: Page, **news: object) -> None:
    """Let the page's news, from its next visit on, be these once, as if a server told them."""
    told = {"state": "playable", "progress": 0.5, "ready_in_s": None, "speeds": {}}
    told |= {"failure": None, "damage": None, "stream": None, "deleted_at": None, "version": 1}
    body = f"retry: 60000\nevent: progress\ndata: {json.dumps(told | news)}\n\n"

    async def answer(route: Route) -> None:
        await route.fulfill(body=body, content_type="text/event-stream")

    await page.unroute("**/events")
    await page.route("**/events", answer)
