"""The client of `headwater upload` gets every byte across, whatever the line does."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from headwater.cli.tus_client import FIRST_TRIES, PART_BYTES, TRIES, Refused, TusClient
from headwater.cli.unfinished import Started, Unfinished
from tests.cli.flaky_tus import FlakyTus

pytestmark = pytest.mark.anyio
CONTENT = bytes(range(251)) * (2 * PART_BYTES // 251 + 1000)  # a bit more than two parts


def never(after_s: float) -> None:
    raise AssertionError(f"asked to wait {after_s} s")


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    path = tmp_path / "walk.mp4"
    path.write_bytes(CONTENT)
    return path


@asynccontextmanager
async def client_of(server: FlakyTus, notes: Path) -> AsyncIterator[tuple[TusClient, Unfinished]]:
    unfinished = Unfinished(notes, server=server.url)
    async with httpx.AsyncClient(base_url=server.url) as http:
        yield (
            TusClient(http, unfinished=unfinished, first_pause_s=0.01, later_s=0.02),
            unfinished,
        )


async def test_a_file_arrives_whole(walk: Path, tmp_path: Path) -> None:
    """Three parts, the title in the metadata, progress that only grows and ends at the size."""
    seen: list[int] = []
    async with FlakyTus().listening() as server, client_of(server, tmp_path) as (client, _):
        video = await client.send(walk, title="A walk", moved=seen.append, waits=never)

    assert video == "video1"
    assert bytes(server.body) == CONTENT
    assert [method for method, _ in server.requests] == ["POST", "PATCH", "PATCH", "PATCH"]
    assert base64.b64encode(b"A walk").decode() in server.metadata
    assert seen == sorted(seen)
    assert seen[-1] == len(CONTENT)


async def test_a_broken_line_costs_only_what_was_lost(walk: Path, tmp_path: Path) -> None:
    """After a hang-up the client asks where it stands and goes on from there."""
    hang_ups = [1000, PART_BYTES + 5, 2 * PART_BYTES]
    async with (
        FlakyTus(hang_ups=hang_ups).listening() as server,
        client_of(server, tmp_path) as (client, _),
    ):
        await client.send(walk, title="", moved=lambda _: None, waits=never)

    assert bytes(server.body) == CONTENT
    assert [method for method, _ in server.requests].count("HEAD") == 3


async def test_who_gives_up_says_how_it_goes_on(walk: Path, tmp_path: Path) -> None:
    """The line that broke for good is no reason to send again what arrived."""
    async with (
        FlakyTus(hang_ups=[1000] * (TRIES + 2)).listening() as server,
        client_of(server, tmp_path) as (client, unfinished),
    ):
        with pytest.raises(Refused, match="The same command goes on where it stopped"):
            await client.send(walk, title="", moved=lambda _: None, waits=never)

        assert unfinished.find(walk) is not None


async def test_a_busy_server_is_asked_again(walk: Path, tmp_path: Path) -> None:
    async with (
        FlakyTus(busy_answers=2).listening() as server,
        client_of(server, tmp_path) as (client, _),
    ):
        await client.send(walk, title="", moved=lambda _: None, waits=never)

    assert bytes(server.body) == CONTENT


async def test_a_server_that_is_behind_is_asked_again(walk: Path, tmp_path: Path) -> None:
    """However often it says so before a byte is sent, nothing is given up; who types is told."""
    waits: list[float] = []
    async with (
        FlakyTus(overloads=FIRST_TRIES + 1).listening() as server,
        client_of(server, tmp_path) as (client, _),
    ):
        await client.send(walk, title="", moved=lambda _: None, waits=waits.append)

    assert bytes(server.body) == CONTENT
    assert waits == [0.02] * (FIRST_TRIES + 1)


async def test_what_a_server_says_of_when_to_come_back_is_kept_to(
    walk: Path, tmp_path: Path
) -> None:
    waits: list[float] = []
    async with (
        FlakyTus(overloads=1, retry_after="1").listening() as server,
        client_of(server, tmp_path) as (client, _),
    ):
        await client.send(walk, title="", moved=lambda _: None, waits=waits.append)

    assert waits == [1.0]


async def test_a_refusal_is_final_and_said_in_the_servers_words(walk: Path, tmp_path: Path) -> None:
    refusal = (413, "too-large", "At most 1 MB.")
    async with (
        FlakyTus(refusal=refusal).listening() as server,
        client_of(server, tmp_path) as (client, _),
    ):
        with pytest.raises(Refused, match=r"At most 1 MB\.") as raised:
            await client.send(walk, title="", moved=lambda _: None, waits=never)

    assert raised.value.code == "too-large"
    assert len(server.requests) == 1


async def test_an_upload_of_an_earlier_run_is_taken_up(walk: Path, tmp_path: Path) -> None:
    """The note left behind names the upload; nothing is created and only the rest is sent."""
    begun = bytearray(CONTENT[:PART_BYTES])
    async with (
        FlakyTus(body=begun).listening() as server,
        client_of(server, tmp_path / "notes") as (client, unfinished),
    ):
        unfinished.remember(walk, Started(url=f"{server.url}/files/1", video="video1"))
        await client.send(walk, title="", moved=lambda _: None, waits=never)

        assert bytes(server.body) == CONTENT
        assert ("POST", "/api/v1/uploads/") not in server.requests
        assert unfinished.find(walk) is None


def test_a_file_edited_meanwhile_starts_anew(walk: Path, tmp_path: Path) -> None:
    """Half of one file and half of another would be neither."""
    unfinished = Unfinished(tmp_path / "notes", server="http://here")
    unfinished.remember(walk, Started(url="http://here/files/1", video="video1"))
    walk.write_bytes(b"something else")

    assert unfinished.find(walk) is None
