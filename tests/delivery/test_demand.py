"""A segment that is not there is made when somebody asks: once, and only for those who may ask."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.clips import make_clip
from tests.support.server import Server, serving
from tests.support.videos import made_pieces, upload, wait_for_state

pytestmark = pytest.mark.anyio

PLAYERS = 200


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Nothing is warmed here, so every segment is cold until asked for."""
    with serving(tmp_path_factory.mktemp("demand") / "data", warm="none") as server:
        yield server


@pytest.fixture(scope="module")
def video(server: Server, clips: Path) -> str:
    video = upload(server, make_clip("h264_ladder", clips))
    wait_for_state(server, video, "playable", "ready")
    return video


@pytest.fixture
async def client(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=PLAYERS)
    async with httpx.AsyncClient(base_url=server.url, timeout=30, limits=limits) as client:
        yield client


async def playlist_of(client: httpx.AsyncClient, video: str, track: str) -> str:
    """Return the address of a track's playlist, without its last part."""
    master = (await client.get(f"/streams/{video}/master.m3u8")).text
    line = next(line for line in master.splitlines() if f"/{track}/playlist" in line)
    return f"/streams/{video}/" + line.removesuffix("playlist.m3u8")


async def test_two_hundred_players_cause_one_encode(
    server: Server, client: httpx.AsyncClient, video: str
) -> None:
    """Everybody gets the same bytes, and one encode ran for all of them."""
    base = await playlist_of(client, video, "v360")
    before = made_pieces(server, "urgent")

    answers = await asyncio.gather(*(client.get(f"{base}0.m4s") for _ in range(PLAYERS)))

    assert {answer.status_code for answer in answers} == {httpx.codes.OK}
    assert len({answer.content for answer in answers}) == 1
    assert made_pieces(server, "urgent") - before == 1


async def test_several_at_once_are_each_made_once(
    server: Server, client: httpx.AsyncClient, video: str
) -> None:
    """Different segments, many players of each: one encode for each segment."""
    bases = [await playlist_of(client, video, track) for track in ("v480", "v240")]
    wanted = [f"{base}{index}.m4s" for base in bases for index in (0, 1)]
    before = made_pieces(server, "urgent") + made_pieces(server, "warm")

    answers = await asyncio.gather(*(client.get(path) for path in wanted * 10))

    assert {answer.status_code for answer in answers} == {httpx.codes.OK}
    assert len({answer.content for answer in answers}) == len(wanted)
    made = made_pieces(server, "urgent") + made_pieces(server, "warm") - before
    assert 0 < made <= len(wanted)


async def test_who_goes_away_keeps_nothing_busy(
    server: Server, client: httpx.AsyncClient, clips: Path
) -> None:
    """Players that gave up are no reason to make it twice, nor not at all."""
    video = upload(server, make_clip("h264_ladder", clips))
    wait_for_state(server, video, "ready")  # inits and poster are made
    path = f"{await playlist_of(client, video, 'v480')}1.m4s"
    before = made_pieces(server, "urgent") + made_pieces(server, "warm")

    hurried = [client.get(path, timeout=0.05) for _ in range(20)]
    for given_up in await asyncio.gather(*hurried, return_exceptions=True):
        assert isinstance(given_up, httpx.Response | httpx.TimeoutException)
    answer = await client.get(path)

    assert answer.status_code == httpx.codes.OK
    assert made_pieces(server, "urgent") + made_pieces(server, "warm") - before == 1


async def test_private_is_private_everywhere(
    server: Server, client: httpx.AsyncClient, clips: Path
) -> None:
    """No manifest, segment or picture for strangers, stored or not, and nothing is made for them.

    Old addresses end with the change; the owner plays on under new ones that no cache keeps.
    """
    video = upload(server, make_clip("h264_ladder", clips))
    wait_for_state(server, video, "playable", "ready")
    old = pieces_of(await playlist_of(client, video, "v360"))
    assert (await client.get(old[0])).status_code == httpx.codes.OK
    with server.client() as owner:
        owner.patch(f"/api/v1/videos/{video}", json={"visibility": "private"}).raise_for_status()
        found = owner.get(f"/streams/{video}/master.m3u8").raise_for_status()
        line = next(line for line in found.text.splitlines() if "/v360/playlist" in line)
        new = pieces_of(f"/streams/{video}/" + line.removesuffix("playlist.m3u8"))
        before = made_pieces(server, "urgent")

        for path in {*old, *new}:
            assert (await client.get(path)).status_code == httpx.codes.NOT_FOUND, path
        assert made_pieces(server, "urgent") == before

        assert not set(old[2:]) & set(new)
        for path in new:
            answer = owner.get(path).raise_for_status()
            assert answer.headers["cache-control"] == "private, no-store"


def pieces_of(base: str) -> list[str]:
    """Return every kind of address of a video, given that of one track: the manifests first."""
    stream = base.rstrip("/").rpartition("/")[0]
    video = stream.rpartition("/")[0]
    return [
        *(f"{video}/master.m3u8", f"{video}/manifest.mpd"),
        *(f"{base}playlist.m3u8", f"{base}init.mp4", f"{base}0.m4s", f"{base}1.m4s"),
        *(f"{stream}/poster.jpg", f"{stream}/storyboard.vtt", f"{stream}/storyboard-1.jpg"),
    ]
