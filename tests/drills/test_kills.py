"""Killed at any moment, the server comes back with every byte, and everything gets ready.

Moments are drawn from a seed: how far into a phase of a video's life, and who is killed, the whole
server or one codec process. All happen to one data folder, one after the other.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random  # noqa: TID251 (seeded: a drill can be repeated)

import httpx
import pytest

from tests.drills.books import Blob, Books
from tests.drills.far import FAR_KEYFRAMES, far_keyframes
from tests.drills.player import Player
from tests.drills.processes import Orphans, adopting_orphans, kill_codec
from tests.drills.sample import MOMENTS, SEED
from tests.drills.tus import Sending
from tests.support.clips import make_clip
from tests.support.server import Server, serving
from tests.support.videos import upload, wait_for_state

CLIPS = ("h264_moov_last", "mpeg2_ts", "vp9_webm", "h264_fragmented", FAR_KEYFRAMES)
PHASES = ("upload", "planning", "warm-up", "playback")
LONGEST_S = {"upload": 0.05, "planning": 1.2, "warm-up": 2.0, "playback": 1.0}
CODEC_WITHIN_S = 1.0
RECLAIMED_S = 10.0  # a third of a lease, on a busy machine
SETTLED_S = 120.0
POLL_S = 0.1


class Drill:
    """One data folder through many deaths; what was seen in its store may never change."""

    def __init__(self, server: Server, chance: Random, orphans: Orphans) -> None:
        self.server, self.chance, self.orphans = server, chance, orphans
        self.books = Books(server.data)
        self.sent: dict[str, Path] = {}
        self.seen: dict[str, Blob] = {}
        self.killed: Counter[str] = Counter()

    def moment(self, phase: str, clip: Path) -> None:
        """Bring a video to *phase* and let somebody die there."""
        {
            "upload": self._while_uploading,
            "planning": self._while_planning,
            "warm-up": self._while_warming,
            "playback": self._while_playing,
        }[phase](clip)

    def settle(self) -> None:
        """Wait until every video is ready and nothing is held, waited for or half-written."""
        for video in self.sent:
            wait_for_state(self.server, video, "ready", "failed", within_s=SETTLED_S)
        deadline = time.monotonic() + SETTLED_S
        while left := self.books.unfinished() or self.books.drafts():
            assert time.monotonic() < deadline, f"{left}\n{self.server.log[-5000:]}"
            time.sleep(POLL_S)

    def look(self) -> None:
        """Whatever was in the store before is there still: the very same files."""
        blobs = self.books.blobs()
        made = {k: b for k, b in blobs.items() if not k.startswith("uploads/")}
        made = {k: b for k, b in made.items() if "/remux-" not in k}  # an attempt's own
        assert self.seen.items() <= made.items()
        self.seen = made

    def _while_uploading(self, clip: Path) -> None:
        content = clip.read_bytes()
        sending = Sending(self.server, content, clip.name)
        self.sent[sending.video] = clip
        death = self.chance.randrange(len(content))
        size = self.chance.randrange(len(content) // 8, len(content) // 2)

        def at(offset: int) -> None:
            if offset >= death and self.server.is_running:
                self._die("upload")

        while self.server.is_running and sending.acknowledged < len(content):
            with suppress(httpx.TransportError):
                sending.send(size, at=at)
        if not self.server.is_running:
            self._come_back()
        sending.resume(size)

    def _while_planning(self, clip: Path) -> None:
        video = upload(self.server, clip)
        self.sent[video] = clip
        self._die_of_either("planning")

    def _while_warming(self, clip: Path) -> None:
        video = upload(self.server, clip)
        self.sent[video] = clip
        wait_for_state(self.server, video, "playable", "ready")
        self._die_of_either("warm-up")

    def _while_playing(self, clip: Path) -> None:
        """What the player got before, it gets again after; it never needs a new manifest."""
        video = upload(self.server, clip)
        self.sent[video] = clip
        wait_for_state(self.server, video, "playable", "ready")
        player = Player(self.server, video)
        self.chance.shuffle(player.pieces)
        with watching(player):
            self._die_of_either("playback")
        player.watch()

    def _die_of_either(self, phase: str) -> None:
        if self.chance.random() < 0.5:
            self._die(phase)
            self._come_back()
        else:
            time.sleep(self.chance.uniform(0, LONGEST_S[phase]))
            if kill_codec(self.server, within_s=CODEC_WITHIN_S):
                self.killed[f"codec in {phase}"] += 1

    def _die(self, phase: str) -> None:
        time.sleep(self.chance.uniform(0, LONGEST_S[phase]))
        self.server.kill()
        self.killed[f"server in {phase}"] += 1

    def _come_back(self) -> None:
        """Start anew; what the dead process held is free long before its lease ends."""
        assert self.orphans.survivors() == []
        self.look()
        dead = self.books.holders()
        self.server.start()
        deadline = time.monotonic() + RECLAIMED_S
        while dead & self.books.holders():
            assert time.monotonic() < deadline, self.server.log[-5000:]
            time.sleep(POLL_S)


@pytest.fixture
def drill(tmp_path: Path) -> Iterator[Drill]:
    with adopting_orphans() as orphans, serving(tmp_path / "data") as server:
        yield Drill(server, Random(SEED), orphans)


class watching:  # noqa: N801 (reads as a statement)
    """Play beside the block until it is through or the server dies."""

    def __init__(self, player: Player) -> None:
        self._thread = threading.Thread(target=self._watch, args=(player,))

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._thread.join()

    @staticmethod
    def _watch(player: Player) -> None:
        with suppress(httpx.TransportError):
            player.watch()


def test_whoever_dies_whenever(drill: Drill, clips: Path) -> None:
    """Every acknowledged byte, every video ready, nothing made twice, nothing left over."""
    for number in range(MOMENTS):
        name = CLIPS[number % len(CLIPS)]
        clip = far_keyframes(clips) if name == FAR_KEYFRAMES else make_clip(name, clips)
        drill.moment(PHASES[number % len(PHASES)], clip)
    drill.settle()

    states = {video: wait_for_state(drill.server, video, "ready") for video in drill.sent}
    assert all(found["failure"] is None for found in states.values())
    assert all(drill.books.source(v) == clip.read_bytes() for v, clip in drill.sent.items())
    drill.look()
    assert drill.books.strays() == []
    assert drill.books.miscounted() == []
    assert len(drill.books.draft_folders()) == 1
    for video in drill.sent:
        Player(drill.server, video).watch()
    drill.look()
    drill.server.kill()
    assert drill.orphans.survivors() == []
