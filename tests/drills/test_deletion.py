"""Deleted while it is being made, nothing of a video stays: no blob, no row, no job at work."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drills.books import Books
from tests.drills.sample import WHOLE
from tests.drills.tus import Sending
from tests.support.clips import make_clip
from tests.support.server import Server, serving
from tests.support.videos import upload, wait_for_state

TIMES = 10 if WHOLE else 1
GONE_WITHIN_S = 30.0
POLL_S = 0.1
OF_VIDEOS = (
    *("videos", "sources", "generations", "tracks", "streams", "leases", "demands"),
    *("uploads", "upload_extents"),
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "data", undo_s="0") as server:
        yield server


def delete(server: Server, video: str) -> None:
    with server.client() as client:
        client.delete(f"/api/v1/videos/{video}").raise_for_status()


def left_in(books: Books) -> list[object]:
    """Return what the data folder still has of any video."""
    rows = [row for table in OF_VIDEOS for row in books.rows(f"select * from {table}")]
    working = books.rows("select * from jobs where state = 'leased'")
    return [*books.blobs(), *books.drafts(), *rows, *working]


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

    deadline = time.monotonic() + GONE_WITHIN_S
    while left := left_in(books):
        assert time.monotonic() < deadline, f"{left}\n{server.log[-5000:]}"
        time.sleep(POLL_S)
    assert books.rows("select used_bytes from accounts where used_bytes != 0") == []
