"""A disk that fills: refused cleanly, nothing acknowledged lost, and with new room on it goes."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.drills.books import Books
from tests.drills.player import Player
from tests.drills.tus import Sending
from tests.support.clips import make_clip
from tests.support.disks import disk
from tests.support.server import Server, serving
from tests.support.videos import upload, wait_for_state

DISK_BYTES = 64 << 20
FLOOR_BYTES = 8 << 20
WAITING_WITHIN_S = 20.0
POLL_S = 0.1


class Ballast:
    """A file that takes the room of others."""

    def __init__(self, disk: Path) -> None:
        self._path = disk / "ballast"

    def leave(self, free_bytes: int) -> None:
        """Let so much of the disk be free."""
        self.drop()
        disk = os.statvfs(self._path.parent)
        with self._path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, disk.f_bavail * disk.f_frsize - free_bytes)

    def drop(self) -> None:
        self._path.unlink(missing_ok=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own that is soon full."""
    with disk(tmp_path / "disk", DISK_BYTES) as folder:
        yield folder


@pytest.fixture
def server(small_disk: Path) -> Iterator[Server]:
    with serving(small_disk / "data", free_floor_bytes=str(FLOOR_BYTES), encoders="1") as server:
        yield server


def answers(server: Server, video: str) -> None:
    """What only reads is answered as ever."""
    with server.client() as client:
        for path in ("/health/live", "/", f"/api/v1/videos/{video}", f"/watch/{video}"):
            assert client.get(path).status_code == httpx.codes.OK, path


def wait_until_waiting(books: Books) -> None:
    """Wait until no job is at work and one says that the disk is full, or nothing started."""
    deadline = time.monotonic() + WAITING_WITHIN_S
    while books.rows("select * from jobs where state = 'leased'"):
        assert time.monotonic() < deadline
        time.sleep(POLL_S)


def test_a_full_disk_is_waited_out(server: Server, small_disk: Path, clips: Path) -> None:
    """During an upload and during the warm-up, down to the floor and down to the last byte."""
    ballast, books = Ballast(small_disk), Books(server.data)
    clip = make_clip("h264_ladder", clips)
    content = clip.read_bytes()
    half = len(content) // 2
    old = upload(server, make_clip("h264_moov_last", clips))
    wait_for_state(server, old, "ready")
    player = Player(server, old)
    player.watch()

    # While bytes arrive
    sending = Sending(server, content, clip.name)
    assert sending.send(half) == httpx.codes.NO_CONTENT
    for free_bytes in (FLOOR_BYTES // 2, 0):
        ballast.leave(free_bytes)
        assert sending.send(half) == httpx.codes.INSUFFICIENT_STORAGE
        assert sending.offset() == sending.acknowledged == half
        answers(server, old)
        player.watch()
    ballast.drop()
    sending.resume(half)

    # While segments are made
    wait_for_state(server, sending.video, "playable")
    for free_bytes in (FLOOR_BYTES // 2, 0):
        ballast.leave(free_bytes)
        wait_until_waiting(books)
        answers(server, sending.video)
        player.watch()
    [job] = books.rows("select * from jobs where video = ? and kind = 'warm'", sending.video)
    assert (job["state"], job["attempts"]) == ("queued", 0)
    wait_for_state(server, sending.video, "playable")
    ballast.drop()

    wait_for_state(server, sending.video, "ready")
    Player(server, sending.video).watch()
    assert books.source(sending.video) == content
    assert books.strays() == []
    assert books.miscounted() == []
    assert server.is_alive
