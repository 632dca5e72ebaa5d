"""Once its undo window is over, nothing of a deleted video stays: no blob, row or job at work."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from headwater.engines.clock import Clock
from tests.drills.books import Books
from tests.drills.player import Player
from tests.drills.sample import WHOLE
from tests.drills.tus import Sending
from tests.support.clips import make_clip
from tests.support.server import Server, serving
from tests.support.videos import delete, upload, wait_for_state

TIMES = 10 if WHOLE else 1
GONE_WITHIN_S = 30.0
POLL_S = 0.1
UNDO_S = 4
OF_VIDEOS = (
    *("videos", "sources", "generations", "tracks", "streams", "leases", "demands"),
    *("uploads", "upload_extents"),
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "data", undo_s="0") as server:
        yield server


def left_in(books: Books) -> list[object]:
    """Return what the data folder still has of any video."""
    rows = [row for table in OF_VIDEOS for row in books.rows(f"select * from {table}")]
    working = books.rows("select * from jobs where state = 'leased'")
    return [*books.blobs(), *books.drafts(), *rows, *working]


def wait_until_gone(server: Server, *, not_before: float = 0.0) -> None:
    """Wait until nothing is left of any video; what goes, goes *not_before* then."""
    books, deadline = Books(server.data), time.monotonic() + GONE_WITHIN_S
    whole = books.blobs()
    while left := left_in(books):
        assert time.monotonic() < deadline, f"{left}\n{server.log[-5000:]}"
        assert books.blobs() == whole or Clock().now() >= not_before
        time.sleep(POLL_S)


def test_nothing_stays_of_what_is_deleted(server: Server, clips: Path) -> None:
    """Whether it was being sent, planned, warmed or ready; and its bytes are the owner's again."""
    books = Books(server.data)
    clip = make_clip("h264_ladder", clips)
    for _ in range(TIMES):
        sending = Sending(server, clip.read_bytes(), clip.name)
        sending.send(len(clip.read_bytes()) // 2)
        planned, warming = upload(server, clip), upload(server, clip)
        delete(server, planned)
        wait_for_state(server, warming, "playable", "ready")
        delete(server, warming)
        delete(server, sending.video)

    wait_until_gone(server)
    assert books.rows("select used_bytes from accounts where used_bytes != 0") == []


def test_a_deletion_can_be_taken_back_until_its_window_is_over(clips: Path, tmp_path: Path) -> None:
    """Taken back, the very same files play at once; left alone, they stay to the end and go."""
    with serving(tmp_path / "data", undo_s=str(UNDO_S)) as server:
        video = upload(server, make_clip("h264_23976", clips))
        found = wait_for_state(server, video, "ready")
        player, books = Player(server, video), Books(server.data)
        player.watch()
        pictures = [found["poster_url"], player.pieces[0]]
        before = books.blobs()

        delete(server, video)
        with server.client() as client:
            assert all(client.get(url).is_client_error for url in pictures)
            client.post(f"/api/v1/videos/{video}/restore").raise_for_status()
        player.watch()
        assert books.blobs() == before

        delete(server, video)
        with server.client() as client:
            deleted = client.get(f"/api/v1/videos/{video}").raise_for_status().json()
        wait_until_gone(server, not_before=deleted["deleted_at"] + UNDO_S)
        with server.client() as client:
            again = client.post(f"/api/v1/videos/{video}/restore")
            assert again.status_code == httpx.codes.NOT_FOUND
            assert all(client.get(url).is_client_error for url in pictures)
