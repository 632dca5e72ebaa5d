"""The player plays real segments in a real browser, by mouse and by keyboard."""

import re
from collections.abc import Callable

import pytest
from playwright.async_api import Route, expect

from tests.support.server import Server
from tests.web.conftest import OpenPage
from tests.web.player import (
    Seen,
    ask_until,
    choose_quality,
    decodes,
    look,
    open_settings,
    open_video,
    reach,
    rung_of,
    watch_until,
)

pytestmark = pytest.mark.anyio
BUDGET_BYTES = 350_000
CUES = "WEBVTT\n\n00:00.000 --> 00:06.000\nUp the <i>valley</i> &amp; beyond\n"


def goes_on_from(frames: int) -> Callable[[Seen], bool]:
    return lambda seen: seen["frames"] > frames


async def test_frames_advance_and_a_seek_lands(open_page: OpenPage, video: str) -> None:
    """It plays by itself, and goes on from where one seeks to."""
    async with open_page() as page:
        await open_video(page, video)

        await page.evaluate("document.querySelector('headwater-player').seek(4)")

        seen = await watch_until(page, lambda seen: seen["time"] > 4.2)
        assert seen["engine"] == "shaka"
        assert not seen["trouble"]


async def test_a_chosen_quality_is_decoded(open_page: OpenPage, video: str) -> None:
    """The menu names every rung; the one chosen is soon the one decoded."""
    async with open_page() as page:
        await open_video(page, video)
        qualities = (await look(page))["qualities"]
        assert qualities == sorted(qualities)
        assert len(qualities) >= 3

        await page.evaluate("document.querySelector('video').loop = true")
        for height in (qualities[0], qualities[-1]):
            await choose_quality(page, height)
            seen = await watch_until(page, decodes(height))
            assert seen["quality"] == seen["chosen"] == height
            await watch_until(page, goes_on_from(seen["frames"]))


async def test_dash_plays_in_the_same_player(open_page: OpenPage, video: str) -> None:
    """The DASH manifest names the same segments, for a player that prefers it."""

    async def prefer_dash(route: Route) -> None:
        answer = await route.fetch()
        body = (await answer.text()).replace(
            "<headwater-player ", '<headwater-player manifest="dash" '
        )
        await route.fulfill(response=answer, body=body)

    async with open_page() as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.route("**/watch/*", prefer_dash)
        await open_video(page, video)
        assert any(url.endswith("manifest.mpd") for url in asked)
        assert not any(url.endswith("playlist.m3u8") for url in asked)


async def test_the_keyboard_does_everything(open_page: OpenPage, video: str) -> None:
    """Every key of the player does what it says, wherever on the page the focus is."""
    async with open_page() as page:
        await open_video(page, video)
        press = page.keyboard.press

        await press("k")
        await watch_until(page, lambda seen: seen["paused"])
        await press("5")
        assert (await look(page))["time"] == pytest.approx(3, abs=0.2)
        await press("ArrowLeft")
        assert (await look(page))["time"] == 0
        await press("ArrowRight")
        assert (await look(page))["time"] == pytest.approx(5, abs=0.2)
        await press("j")
        assert (await look(page))["time"] == 0
        await press("m")
        await watch_until(page, lambda seen: seen["muted"])
        await press("Shift+>")
        assert (await look(page))["speed"] == 1.25
        await press("Shift+<")
        assert (await look(page))["speed"] == 1
        await press("f")
        await ask_until(page, "document.fullscreenElement?.localName", "headwater-player")
        await press("f")
        await ask_until(page, "document.fullscreenElement", None)
        await press(" ")
        await watch_until(page, lambda seen: not seen["paused"])


@pytest.mark.parametrize("focus", ["the picture", "the bar"])
async def test_keys_that_jump_are_the_players_own(
    open_page: OpenPage, video: str, focus: str
) -> None:
    """Home and End scroll the page, until the picture was clicked or the focus is in the player."""
    async with open_page() as page:
        await open_video(page, video)
        press = page.keyboard.press
        await press("k")
        await watch_until(page, lambda seen: seen["paused"])
        if focus == "the bar":
            await page.get_by_role("slider", name="Seek").focus()
        else:
            await page.locator("headwater-player").click()
        await press("End")
        await watch_until(page, lambda seen: seen["time"] > 5.8 and seen["paused"])
        await press("Home")
        await watch_until(page, lambda seen: seen["time"] == 0)
        await press("End")
        await watch_until(page, lambda seen: seen["time"] > 5.8)


async def test_a_question_mark_lists_the_keys(open_page: OpenPage, video: str) -> None:
    """A dialog that takes the focus, and gives it back when Escape closes it."""
    async with open_page() as page:
        await open_video(page, video)
        await page.locator("headwater-player .settings").focus()
        await page.keyboard.press("?")
        sheet = page.get_by_role("dialog", name="Keys of the player")
        await expect(sheet).to_be_visible()
        await expect(sheet.get_by_role("button", name="Close")).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(sheet).to_be_hidden()
        focused = "document.querySelector('headwater-player').shadowRoot.activeElement.className"
        assert "settings" in await page.evaluate(focused)


async def test_the_menu_is_a_menu(open_page: OpenPage, video: str) -> None:
    """Arrows move, Escape goes back, and the focus returns to the button that opened it."""
    async with open_page() as page:
        await open_video(page, video)
        await page.locator("headwater-player .settings").focus()
        await page.keyboard.press("Enter")
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Enter")
        await page.get_by_role("menuitemradio", name="1.5×").click()
        assert (await look(page))["speed"] == 1.5
        focused = "document.querySelector('headwater-player').shadowRoot.activeElement.className"
        await ask_until(page, focused, "settings")


async def test_it_resumes_where_one_left(open_page: OpenPage, video: str) -> None:
    """`?t=` says where to start; a video left in its middle goes on from there."""
    async with open_page() as page:
        await open_video(page, video, "?t=3")
        assert (await look(page))["time"] >= 3

        remembered = {video: [2, 1]}
        await page.evaluate(
            "kept => localStorage.setItem('headwater.positions', JSON.stringify(kept))", remembered
        )
        await page.evaluate("document.querySelector('headwater-player').place.started = false")
        await open_video(page, video)
        assert (await look(page))["time"] >= 2
        await page.get_by_role("button", name="Start over").click()
        assert (await look(page))["time"] < 2


@pytest.mark.parametrize(("status", "complaint"), [(202, ()), (429, ("429",)), (503, ("503",))])
async def test_a_segment_that_is_not_there_yet_is_waited_for(
    open_page: OpenPage, video: str, status: int, complaint: tuple[str, ...]
) -> None:
    """Told to come back, the page says what happens, then plays; 202 is not even a complaint."""
    async with open_page(allow=complaint) as page:
        refused = 0

        async def later(route: Route) -> None:
            nonlocal refused
            if refused < 3:
                refused += 1
                assert route.request.headers["prefer"] == "respond-async"
                await route.fulfill(status=status, headers={"retry-after": "1"})
            else:
                await route.continue_()

        await page.route("**/v*/0.m4s", later)
        await page.goto(f"/watch/{video}")
        await watch_until(page, lambda seen: seen["preparing"])
        await watch_until(page, lambda seen: seen["frames"] > 5 and not seen["preparing"])
        assert refused == 3


async def test_captions_given_as_a_track_are_shown(open_page: OpenPage, video: str) -> None:
    """The button turns a `<track>` on and off, its words stay above the controls, and it is
    remembered; what is drawn are the words, not their mark-up.
    """

    async def with_track(route: Route) -> None:
        answer = await route.fetch()
        track = '<track kind="captions" src="/walk.vtt" srclang="en" label="English">'
        body = (await answer.text()).replace("</video>", f"{track}</video>")
        await route.fulfill(response=answer, body=body)

    async with open_page() as page:
        await page.route("**/watch/*", with_track)
        await page.route(
            "**/walk.vtt", lambda route: route.fulfill(body=CUES, content_type="text/vtt")
        )
        await open_video(page, video)
        await page.evaluate("document.querySelector('video').loop = true")
        button = page.get_by_role("button", name="Captions", exact=True)
        words = page.get_by_text("Up the valley & beyond", exact=True)
        assert await words.count() == 0

        await page.keyboard.press("c")
        await words.wait_for()
        assert await button.get_attribute("aria-pressed") == "true"
        await page.mouse.move(300, 300)
        drawn, bar = await words.bounding_box(), await page.locator("#stage .bar").bounding_box()
        assert drawn
        assert bar
        assert drawn["y"] + drawn["height"] <= bar["y"]

        await page.reload()
        await words.wait_for()
        await button.click()
        await words.wait_for(state="detached")
        assert await button.get_attribute("aria-pressed") == "false"


async def test_without_captions_the_button_says_so(open_page: OpenPage, video: str) -> None:
    async with open_page() as page:
        await open_video(page, video)
        button = page.get_by_role("button", name="This video has no captions")
        assert await button.is_disabled()
        await open_settings(page)
        assert await page.get_by_role("menuitem", name="Captions").count() == 0


async def test_a_broken_line_is_said_and_mended(open_page: OpenPage, video: str) -> None:
    """What went wrong stands on the player, with the next step, and it works."""
    async with open_page(allow=("Failed to load", "ERR_")) as page:
        await page.route("**/master.m3u8", lambda route: route.fulfill(status=404))
        await page.goto(f"/watch/{video}")
        await watch_until(page, lambda seen: seen["trouble"] == "gone")
        await page.unroute("**/master.m3u8")
        await page.get_by_role("button", name="Reload").click()
        await watch_until(page, lambda seen: seen["frames"] > 5)


async def test_the_seek_bar_shows_the_moment(open_page: OpenPage, video: str) -> None:
    """Hovering shows the time and the picture there."""
    async with open_page() as page:
        await open_video(page, video)
        await reach(page, "headwater-seek")
        await page.locator("headwater-seek .tile img").wait_for()
        when = page.locator("headwater-seek .when", has_text=re.compile("0:0[23]"))
        await when.wait_for()


async def test_controls_fade_unless_the_mouse_is_on_them(open_page: OpenPage, video: str) -> None:
    """They go after two seconds without a hand on them; the mouse on one of them is a hand."""
    frame = (
        "document.querySelector('headwater-player').renderRoot.querySelector('.frame').className"
    )
    async with open_page() as page:
        await open_video(page, video)
        await reach(page, "headwater-seek")
        start = (await look(page))["time"]
        await watch_until(page, lambda seen: seen["time"] > start + 2.5)
        assert "shown" in await page.evaluate(frame)

        await page.mouse.move(300, 200)
        await ask_until(page, f"{frame}.includes('idle')", wanted=True)


async def test_the_watch_page_stays_small(open_page: OpenPage, video: str) -> None:
    """All scripts of the watch page, as they travel, within the budget."""
    async with open_page() as page:
        sizes: dict[str, int] = {}
        await page.route("**/*.js", _as_gzip)
        page.on("response", lambda r: sizes.update(_length(r.url, r.headers)))
        await open_video(page, video)
        assert 0 < sum(sizes.values()) < BUDGET_BYTES


async def _as_gzip(route: Route) -> None:
    await route.continue_(headers={**route.request.headers, "accept-encoding": "gzip"})


def _length(url: str, headers: dict[str, str]) -> dict[str, int]:
    return {url: int(headers["content-length"])} if url.endswith(".js") else {}


async def test_nothing_is_fetched_from_elsewhere(
    open_page: OpenPage, server: Server, video: str
) -> None:
    async with open_page() as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await open_video(page, video)
        assert [url for url in asked if not url.startswith((server.url, "blob:"))] == []


async def test_without_media_source_the_browser_plays_hls_itself(
    open_page: OpenPage, video: str
) -> None:
    """Phones without Media Source get the same controls around their own HLS."""
    async with open_page() as page:
        await page.add_init_script("delete window.MediaSource; delete window.ManagedMediaSource;")
        await open_video(page, video)
        seen = await look(page)
        assert seen["engine"] == "native"
        assert seen["height"] > 0


async def test_what_plays_first_is_fetched_ahead_and_once(open_page: OpenPage, video: str) -> None:
    """Playlists, inits and first segments are on their way before the engine has asked for any."""
    async with open_page(viewport={"width": 1440, "height": 900}) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await open_video(page, video)
        streams = [url for url in asked if "/streams/" in url and not url.endswith("jpg")]
        assert len(streams) == len(set(streams))
        assert len({rung for url in streams if (rung := rung_of(url))}) == 1
        first = streams[:7]  # the master and, of one rung and of the sound, three each
        assert sum(url.endswith("/0.m4s") for url in first) == 2
        assert sum(url.endswith("/init.mp4") for url in first) == 2
        assert sum(url.endswith("/playlist.m3u8") for url in first) == 2


async def test_theatre_is_remembered(open_page: OpenPage, video: str) -> None:
    """Theatre mode widens the player over the list beside it, here and on the next video."""
    async with open_page(viewport={"width": 1440, "height": 900}) as page:
        await open_video(page, video)
        width = "document.querySelector('headwater-player').clientWidth"
        before = await page.evaluate(width)
        await page.keyboard.press("t")
        await ask_until(page, f"{width} > {before + 200}", wanted=True)
        await page.reload()
        await ask_until(page, f"{width} > {before + 200}", wanted=True)
