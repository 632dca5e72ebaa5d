"""A backup taken of a fleet under load comes back as another fleet, which plays and goes on.

What was acknowledged before the backup began is there: uploads byte for byte, edits, what was being
made and what was half sent. The fleet that it was taken of loses nothing by it.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random  # noqa: TID251 (seeded: a drill can be repeated)
from threading import Event

from tests.cli.command import headwater
from tests.drills.fleet import tables
from tests.drills.fleet.books import Books
from tests.drills.fleet.load import Load
from tests.drills.fleet.verdict import judge
from tests.drills.fleet.whole import PROCESSES, Room, Whole, whole_fleet
from tests.drills.player import Player
from tests.drills.sample import SEED, WHOLE
from tests.drills.tus import Sending
from tests.support.clips import make_clip
from tests.support.fleet import fleet
from tests.support.server import Door, Server
from tests.support.videos import upload, wait_for_state
from tests.support.waiting import until

TIMES = 4 if WHOLE else 1
SEGMENTS = ((), ("--segments",))  # in turn
BUSY_S = (1.0, 5.0) if WHOLE else (0.0, 1.0)  # of the fleet, before each backup
PEOPLE = 2 if WHOLE else 1  # of each kind
MAKING = 2  # videos at once, while a backup is taken
TAKES_S = 300.0  # at most, a command on a machine that does so much else
POLL_S = 0.1
SETTLED_S = 180.0
UNMADE = """
    SELECT id, state FROM videos WHERE state != 'ready' AND id NOT IN
        (SELECT video FROM uploads WHERE completed_at IS NULL AND video IS NOT NULL)
"""
HEAD = """
| videos | being made | half sent | uploads, edits before | backup | restore | until all is made |
|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Known:
    """What people were told before a backup began; *sending* is half of a video."""

    uploads: list[str]
    edits: int
    versions: dict[str, int]
    sending: Sending


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back, before anybody works on it: *states* counts videos, *newest* is a fact."""

    room: Room
    books: Books
    states: Counter[str]
    newest: int


@dataclass(frozen=True, slots=True)
class Drill:
    """*players* have watched all of some videos once, and know their bytes."""

    whole: Whole
    load: Load
    clip: Path
    players: list[Player]
    folder: Path

    def turn(self, number: int, machine: Server) -> str:
        """Take a backup by commands on one *machine*, and be what it restores to; tell of it.

        Each goes into the same folder, where only what is new is copied.
        """
        backup, name = self.folder / "backup", f"restored{number}"
        with self.making():
            known = self.told()
            began_at = time.monotonic()
            command(machine, "backup", backup, *SEGMENTS[number % len(SEGMENTS)])
            backup_s = time.monotonic() - began_at
        began_at = time.monotonic()
        found = self.restored(machine, backup, name)
        restore_s = time.monotonic() - began_at
        being_made = found.states["processing"] + found.states["playable"]
        assert being_made
        with self.serving(found.room, name) as door:
            began_at = time.monotonic()
            self.has_all(found, door, known)
            self.goes_on(found, door, known)
            made_s = time.monotonic() - began_at
        known.sending.resume(len(self.load.clip))  # where it was begun, too
        self.load.uploads.append(known.sending.video)
        return (
            f"| {found.states.total()} | {being_made} | {found.states['uploading']}"
            f" | {len(known.uploads)}, {known.edits} | {backup_s:.1f} s | {restore_s:.1f} s"
            f" | {made_s:.1f} s |\n"
        )

    @contextmanager
    def making(self) -> Iterator[None]:
        """Let videos be made all the while that the block runs: after each comes another."""
        over, door = Event(), self.whole.deployment

        def make() -> None:
            while not over.is_set():
                video = upload(door, self.clip)
                self.load.uploads.append(video)
                await_ready(door, video, over)

        with ThreadPoolExecutor(MAKING) as pool:
            people = [pool.submit(make) for _ in range(MAKING)]
            try:
                yield
            finally:
                over.set()
        for one in people:
            one.result()

    def told(self) -> Known:
        """Send half of a video once something is uploaded, and return all that was told by now."""
        many = len(self.load.uploads)
        until(lambda: len(self.load.uploads) > many, within_s=SETTLED_S)
        sending = Sending(self.whole.deployment, self.load.clip, "half.mp4")
        sending.send(len(self.load.clip) // 2)
        assert sending.acknowledged
        writes = [one for one in list(self.load.history.seen) if one.kind == "write"]
        versions = {one.register: 0 for one in writes}
        for one in writes:
            versions[one.register] = max(versions[one.register], one.version)
        return Known(list(self.load.uploads), len(writes), versions, sending)

    def restored(self, machine: Server, backup: Path, name: str) -> Restored:
        """Restore to a room of its own, and look what is there."""
        room, primary = self.whole.another_room(name), self.whole.rows.primary
        settings = {"data": str(self.folder / f"{name}-data"), **room.settings}
        elsewhere = {f"HEADWATER_{name.upper()}": value for name, value in settings.items()}
        command(machine, "restore", backup, **elsewhere)
        books = Books(self.whole, room.broker_url, database=room.database, bucket=room.bucket)
        states = Counter(row["state"] for row in books.rows("SELECT state FROM videos", primary))
        (newest,) = books.rows("SELECT coalesce(max(id), 0) AS id FROM events", primary)
        return Restored(room, books, states, newest["id"])

    @contextmanager
    def serving(self, room: Room, name: str) -> Iterator[Door]:
        """Run a second fleet on the machines of the first; it works on what is in *room*."""
        folder, net = self.folder / name, self.whole.net
        folder.mkdir()
        hosts = [net.host(process) for process in PROCESSES]
        settings = {"log_level": "warning", **room.settings}
        with fleet(folder, on=hosts, door=net.host("door"), **settings) as deployment:
            try:
                yield deployment
            finally:
                sys.stderr.write(deployment.log)

    def has_all(self, found: Restored, door: Door, known: Known) -> None:
        """Ask for all that is *known*; what was ready plays at once, with the bytes it had."""
        with door.client() as client:
            for register, version in known.versions.items():
                assert client.get(register).raise_for_status().json()["version"] >= version
            for player in self.players:
                for piece in player.pieces:
                    player.fetch(piece, client)
        primary = self.whole.rows.primary
        assert found.books.damaged(known.uploads, self.load.clip, primary) == []

    def goes_on(self, found: Restored, door: Door, known: Known) -> None:
        """Send the other half of what was sent, and wait until nothing is left to be made."""
        books, primary = found.books, self.whole.rows.primary
        sending = known.sending.on(door)
        sending.resume(len(self.load.clip))
        for video in (*known.uploads, sending.video):
            wait_for_state(door, video, "ready", within_s=SETTLED_S)
        until(lambda: not books.rows(UNMADE, primary), within_s=SETTLED_S)
        until(lambda: not books.unfinished(primary), within_s=SETTLED_S)
        assert books.damaged([sending.video], self.load.clip, primary) == []
        assert books.missed(primary, since=found.newest) == []
        for video in (known.uploads[-1], sending.video):
            Player(door, video).watch()


def await_ready(door: Door, video: str, over: Event) -> None:
    """Return once *video* is ready, or nobody wants to know any more."""
    with door.client() as client:
        while not over.wait(POLL_S):
            found = client.get(f"/api/v1/videos/{video}").raise_for_status().json()
            if found["state"] == "ready":
                return


def command(machine: Server, *words: str | Path, **settings: str) -> None:
    """Run `headwater` on *machine*, set as the process there is, or otherwise."""
    with machine.on.entered():
        answer = headwater(*words, deadline_s=TAKES_S, **machine.environment | settings)
    assert answer.status == 0, answer.err
    sys.stdout.write(answer.out)


def watched(door: Door, video: str) -> Player:
    wait_for_state(door, video, "ready")
    player = Player(door, video)
    player.watch()
    return player


def test_a_backup_under_load_restores_to_a_playing_fleet(tmp_path: Path, clips: Path) -> None:
    chance = Random(SEED)
    clip = make_clip("h264_moov_last", clips)
    table = HEAD
    with whole_fleet(tmp_path) as whole:
        books = Books(whole, whole.broker_url)
        videos = [upload(whole.deployment, clip) for _ in range(PEOPLE)]
        players = [watched(whole.deployment, video) for video in videos]
        content, uploads = clip.read_bytes(), list(videos)
        load = Load(
            door=whole.deployment,
            clip=content,
            seed=SEED,
            editors=PEOPLE,
            players=PEOPLE,
            uploads=uploads,
        )
        drill = Drill(whole, load, clip, players, tmp_path)
        load.start(edited=videos, played=videos)
        try:
            for number in range(TIMES):
                time.sleep(chance.uniform(*BUSY_S))
                table += drill.turn(number, chance.choice(whole.deployment.processes))
                books.look()
        finally:
            load.stop()
        counted = judge(whole, load, books, whole.rows.primary)
        nothing = "none of them was lost, and what existed was played"
        tables.keep("backups", f"{table}\nMeanwhile {counted} by the fleet itself; {nothing}.")
