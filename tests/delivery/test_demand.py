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
