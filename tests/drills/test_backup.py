"""A backup taken while videos arrive and are made comes back whole, and plays."""

from pathlib import Path

from tests.cli.command import headwater
from tests.drills.books import Books
from tests.drills.player import Player
from tests.drills.sample import WHOLE
from tests.drills.tus import Sending
from tests.support.clips import make_clip
from tests.support.server import Server, serving
from tests.support.videos import delete, upload, wait_for_state

TIMES = 5 if WHOLE else 1
FEW = 5


def copied(server: Server, backup: Path, to: Path) -> None:
    """Back the running server up, and bring the copy to a new folder."""
    for words in (("backup", backup, "--data", server.data), ("restore", backup, "--data", to)):
        answer = headwater(*map(str, words))
        assert answer.status == 0, answer.err


def take_back(copy: Server, video: str, player: Player) -> None:
    """Undo the deletion of *video* in *copy*; it plays there as it did for *player*."""
    with copy.client() as client:
        client.post(f"/api/v1/videos/{video}/restore").raise_for_status()
        for piece in player.pieces[:FEW]:
            player.fetch(piece, client)


def test_a_backup_under_load_restores_and_plays(
    server: Server, clips: Path, tmp_path: Path
) -> None:
    """What was ready, being warmed and half sent is so again, and all of it becomes ready.

    What was deleted can be brought back there, with the poster it had.
    """
    ready, deleted = (upload(server, make_clip("h264_moov_last", clips)) for _ in range(2))
    wait_for_state(server, ready, "ready")
    poster = wait_for_state(server, deleted, "ready")["poster_url"]
    player = Player(server, deleted)
    player.pieces.insert(0, poster.removeprefix(server.url))
    player.watch()
    delete(server, deleted)
    clip = make_clip("h264_ladder" if WHOLE else "h264_23976", clips)
    for turn in range(TIMES):
        sending = Sending(server, clip.read_bytes(), clip.name)
        warming = upload(server, clip)
        sending.send(len(clip.read_bytes()) // 3)
        wait_for_state(server, warming, "playable")
        copied(server, tmp_path / f"backup-{turn}", tmp_path / f"copy-{turn}")

        with serving(tmp_path / f"copy-{turn}") as copy:
            Player(copy, ready).watch()
            take_back(copy, deleted, player)
            again = sending.on(copy)
            assert again.offset() >= again.acknowledged > 0
            again.resume(len(clip.read_bytes()))
            for video in (ready, warming, sending.video):
                wait_for_state(copy, video, "ready")
                Player(copy, video).watch()
            books = Books(copy.data)
            assert books.source(sending.video) == clip.read_bytes()
            assert books.strays() == []
            assert books.miscounted() == []
