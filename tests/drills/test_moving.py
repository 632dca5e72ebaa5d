"""Rows and blobs move under a server that works, and movers die on the way: nothing is lost."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest

from tests.cli.command import COMMAND, bare_environment
from tests.drills.player import Player
from tests.drills.sample import WHOLE
from tests.drills.tus import Sending
from tests.support import databases, postgres
from tests.support.clips import make_clip
from tests.support.server import Server, serving
from tests.support.videos import upload, wait_for_state

UPLOADS = 20 if WHOLE else 2
PAUSE_S = 0.2  # between two things that somebody does
FAR = (False, True) if WHOLE else (False,)
STEPS = {  # the steps of a mover, at each of which one is killed
    "database": ("copying rows", "bringing over changes", "comparing tables"),
    "blobs": ("copying blobs", "copying blobs", "comparing stores"),
}


class Load:
    """People who upload, edit and watch without pause; *kept* is what they were told is kept."""

    def __init__(self, server: Server, clip: Path, watched: str) -> None:
        self.kept: dict[str, str] = {}
        self.failures: list[str] = []
        self.watched = self._edits = 0
        self._server, self._clip = server, clip
        self._player = Player(server, watched)
        self._over = Event()
        self._threads = [Thread(target=self._run, args=(turn,)) for turn in (self._send, self._see)]

    @contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join()
        assert self.failures == []

    def _run(self, turn: Any) -> None:
        while not self._over.wait(PAUSE_S):
            try:
                turn()
            except (httpx.HTTPError, AssertionError) as error:
                self.failures.append(repr(error))
                return

    def _send(self) -> None:
        """Upload a video while there are few, and give each another title."""
        if len(self.kept) < UPLOADS:
            content = self._clip.read_bytes()
            sending = Sending(self._server, content, self._clip.name)
            sending.resume(len(content) // 3)
            self.kept[sending.video] = ""
        self._edits += 1
        for video in self.kept:
            title = f"{video} {self._edits}"
            with self._server.client() as client:
                client.patch(f"/api/v1/videos/{video}", json={"title": title}).raise_for_status()
            self.kept[video] = title

    def _see(self) -> None:
        self._player.watch()
        self.watched += 1


def move(server: Server, what: str, to: str, **variables: str) -> str:
    """Move with movers of which all but the last are killed; return what that one says."""
    for step in (*(STEPS[what] if WHOLE else STEPS[what][1:2]), None):
        words: list[str | Path] = [COMMAND, "move", what, to, "--data", str(server.data)]
        with subprocess.Popen(
            words,
            env=bare_environment() | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as mover:
            assert mover.stderr is not None
            assert mover.stdout is not None
            said = []
            for line in mover.stderr:
                said.append(line)
                if step is not None and line.startswith(step):
                    mover.send_signal(signal.SIGKILL)
            answer: str = mover.stdout.read()
        if step is None:
            assert mover.returncode == 0, said
            return answer
        assert mover.returncode == -signal.SIGKILL, said
    raise AssertionError("unreachable")


def assert_kept(server: Server, load: Load) -> None:
    """Whatever was uploaded and edited is there, and becomes playable."""
    with server.client() as client:
        for video, title in load.kept.items():
            found = client.get(f"/api/v1/videos/{video}").raise_for_status().json()
            assert found["title"] == title
    for video in load.kept:
        wait_for_state(server, video, "playable", "ready")
        Player(server, video)


@pytest.fixture
def watched(server: Server, clips: Path) -> str:
    video = upload(server, make_clip("h264_23976", clips))
    wait_for_state(server, video, "ready")
    return video


def test_rows_move_under_load(
    server: Server, watched: str, clips: Path, postgres_server: postgres.Postgres
) -> None:
    """To PostgreSQL; there the server works on, and so does one started with either setting."""
    load = Load(server, make_clip("h264_moov_last", clips), watched)
    with postgres.database(postgres_server, like=databases.MIGRATED) as url:
        with load.running():
            said = move(server, "database", url)
        assert "writers waited" in said
        assert_kept(server, load)
        assert load.watched > 0
        server.stop()
        server.start()
        assert_kept(server, load)
        server.stop()
        with serving(server.data, database=url) as told:
            assert_kept(told, load)


@pytest.mark.parametrize("far", FAR)
def test_blobs_move_under_load(
    server: Server,
    watched: str,
    clips: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    *,
    far: bool,
) -> None:
    """To another folder and back, to a bucket and back; nobody asks the left store any more."""
    home = f"file:{server.data / 'blobs'}"
    there = request.getfixturevalue("bucket_url") if far else f"file:{tmp_path / 'larger'}"
    load = Load(server, make_clip("h264_moov_last", clips), watched)
    with load.running():
        said = move(server, "blobs", there)
    assert "can be removed" in said
    (server.data / "blobs").rename(server.data / "gone")
    assert_kept(server, load)
    Player(server, watched).watch()
    server.stop()
    if WHOLE:
        with serving(server.data, blobs=there) as again:
            load = Load(again, make_clip("h264_moov_last", clips), watched)
            with load.running():
                move(again, "blobs", home, HEADWATER_BLOBS=there)
            assert_kept(again, load)
