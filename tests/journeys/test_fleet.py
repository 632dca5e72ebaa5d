"""Processes that share no folder go on for each other, whichever of them ends."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.cli.command import COMMAND
from tests.drills.player import Player
from tests.drills.processes import children
from tests.support import databases, postgres
from tests.support.builds import other_build
from tests.support.clips import make_clip
from tests.support.fleet import API, OWNER, SCHEDULER, WORKER, Deployment, running
from tests.support.server import Server
from tests.support.videos import made_pieces, upload, wait_for_state
from tests.support.waiting import until

BEGINS = "housekeeping.begins"
TAKES_OVER_S = 10.0  # three beats of two seconds, one more, and what it then has to do
SETTINGS_STATUS = 2
READY_S = 20.0  # less than the lease that a killed worker leaves behind


class Machines:
    """Where processes of one installation are started, each with a folder of its own."""

    def __init__(self, folder: Path, database: str) -> None:
        self._folder = folder
        self._settings = OWNER | {
            "database": database,
            "blobs": f"file:{folder / 'blobs'}",
            "encoders": "1",
        }

    def new(self, role: str, name: str, **settings: str) -> Server:
        return Server(self._folder / name, self._settings | settings, role)


@pytest.fixture
def machines(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machines]:
    with databases.fresh("postgres", tmp_path, request, like=databases.MIGRATED) as url:
        yield Machines(tmp_path, url)


def busy_worker(deployment: Deployment) -> Server:
    """Wait for a worker whose codec runs, and return it."""
    found: list[Server] = []

    def look() -> bool:
        found[:] = [one for one in deployment.of_role(WORKER) if children(one.pid)]
        return bool(found)

    until(look, within_s=READY_S)
    return found[0]


def begun(server: Server) -> int:
    return server.log.count(BEGINS)


def make_ready(deployment: Deployment, clip: Path, *, ending: str) -> None:
    """Upload *clip* and end the worker that is making it, with that method."""
    video = upload(deployment, clip)
    wait_for_state(deployment, video, "playable")
    getattr(busy_worker(deployment), ending)()
    wait_for_state(deployment, video, "ready", within_s=READY_S)
    Player(deployment, video).watch()


def test_others_go_on_for_whoever_ends(machines: Machines, clips: Path) -> None:
    """A worker that is killed, one that is stopped, and the scheduler that keeps house."""
    schedulers = [machines.new(SCHEDULER, "s1"), machines.new(SCHEDULER, "s2")]
    workers = [machines.new(WORKER, f"w{n}") for n in range(3)]
    clip = make_clip("h264_ladder", clips)
    with running([machines.new(API, "api"), *workers, *schedulers]) as deployment:
        until(lambda: any(map(begun, schedulers)), within_s=TAKES_OVER_S)
        eldest = next(one for one in schedulers if begun(one))
        other = next(one for one in schedulers if one is not eldest)
        eldest.kill()

        make_ready(deployment, clip, ending="kill")
        until(lambda: begun(other) > 0, within_s=TAKES_OVER_S)

        deployment.processes[:] = [one for one in deployment.processes if one.is_running]
        make_ready(deployment, clip, ending="stop")


@contextmanager
def started(server: Server) -> Iterator[None]:
    server.start()
    try:
        yield
    finally:
        server.stop()


def stream_of(client: httpx.Client, video: str) -> str:
    """Return the name that *video* is served under now."""
    master = client.get(f"/streams/{video}/master.m3u8").raise_for_status().text
    (name,) = set(re.findall(r"([\w-]+)/\w+/playlist", master))
    return str(name)


def test_a_generation_stays_with_its_encoder_until_none_is_left(
    machines: Machines, clips: Path
) -> None:
    """Then the whole video comes from another one, under another name."""
    old = machines.new(WORKER, "old", warm="none")
    with other_build() as ffmpeg, running([machines.new(API, "api"), old]) as deployment:
        video = upload(deployment, make_clip("h264_ladder", clips))
        wait_for_state(deployment, video, "playable", "ready")
        new = machines.new(WORKER, "new", warm="none", ffmpeg=str(ffmpeg))
        with started(new), deployment.client() as client:
            player, stream = Player(deployment, video), stream_of(client, video)
            low = [piece for piece in player.pieces if "/v240/" in piece]
            for piece in low:
                player.fetch(piece, client)
            assert stream_of(client, video) == stream
            assert made_pieces(new, "urgent") == 0

            old.stop()
            cold = next(piece for piece in player.pieces if piece.endswith("/v360/0.m4s"))
            until(
                lambda: client.get(cold).status_code == httpx.codes.GONE,
                within_s=READY_S,
            )
            assert stream_of(client, video) != stream
            for piece in low:
                player.fetch(piece, client)
            Player(deployment, video).watch()


def test_who_keeps_its_blobs_elsewhere_is_refused(machines: Machines, tmp_path: Path) -> None:
    """A worker on another machine with a folder of its own would make videos nobody sees."""
    api, worker = machines.new(API, "api"), machines.new(WORKER, "w")
    lost = machines.new(WORKER, "lost", blobs=f"file:{tmp_path / 'elsewhere'}")
    with running([api, worker]):
        refused = headwater(lost, "serve", "--role", WORKER)
        checked = headwater(lost, "check")

    assert refused.returncode == SETTINGS_STATUS
    assert "Set HEADWATER_BLOBS of both to one that both reach: s3://" in refused.stderr
    assert checked.returncode == 1
    for line in (
        r"blobs\tREFUSED\tThe api process on .* another store",
        r"process\tok\tworker on .*, 1 × ffmpeg ",
        r"scheduler\tMISSING\tNobody clears away",
        r"database\tok\tPostgreSQL .*, answered in [\d.]+ ms",
    ):
        assert re.search(line, checked.stdout), checked.stdout


def headwater(server: Server, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command as on the machine of *server*."""
    return subprocess.run(
        [COMMAND, *words],
        env=server.environment | {"COLUMNS": "400"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )


def test_who_cannot_reach_the_database_is_not_ready(machines: Machines) -> None:
    """It says so within the deadline of a balancer, on the address it has, and comes back."""
    with postgres.server() as engine:
        engine.sql("CREATE DATABASE headwater TEMPLATE template0")
        settings = {"database": engine.url("headwater")}
        api, worker = machines.new(API, "a", **settings), machines.new(WORKER, "w", **settings)
        with running([api, worker]):
            engine.freeze()
            for address in (api.url, api.internal_url, worker.internal_url):
                until(lambda at=address: "database" in away(at), within_s=TAKES_OVER_S)  # type: ignore[misc]
            engine.thaw()
            for address in (api.url, worker.internal_url):
                until(lambda at=address: away(at) == [], within_s=TAKES_OVER_S)  # type: ignore[misc]


def away(address: str) -> list[str]:
    """Return the needed parts that the process at *address* says do not answer."""
    answer = httpx.get(f"{address}/health/ready", timeout=5)
    parts = [part["name"] for part in answer.json()["parts"] if part["needed"] and not part["ok"]]
    assert answer.is_success == (not parts)
    return parts
