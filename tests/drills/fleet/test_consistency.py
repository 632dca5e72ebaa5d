"""Whoever lags, stands still or is cut off: answers are as new as their rows promise.

People write and read through two apis, each of them now through one, now through the other, while
replicas and primaries go through all of it; then their histories are judged.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from random import Random  # noqa: TID251 (seeded: a drill can be repeated)

from tests.drills.fleet import tables
from tests.drills.fleet.histories import Kind
from tests.drills.fleet.judging import judged, table
from tests.drills.fleet.people import Crowd, Editor, Job, Upload, Visitor
from tests.drills.fleet.rounds import Befalling, Round
from tests.drills.fleet.smaller import DATABASE, Smaller, smaller_fleet
from tests.drills.sample import SEED, WHOLE
from tests.support.clips import make_clip
from tests.support.videos import upload, wait_for_state
from tests.support.waiting import until

ROUNDS: dict[str, Round] = {
    "replica frozen": Befalling.replica_frozen,
    "replica lagging": Befalling.replica_lagging,
    "replica cut off": Befalling.replica_cut_off,
    "api cut off": Befalling.api_cut_off,
    "primary killed": Befalling.primary_killed,
    "primary frozen": Befalling.primary_frozen,
    "primary cut off": Befalling.primary_cut_off,
    "two primaries": Befalling.two_primaries,
    "two primaries, two sides": Befalling.two_sides,
    "two primaries, an api with the old one": Befalling.old_side,
    "primary away": Befalling.primary_away,
}
TIMES = 5  # of each
FEW = ("replica lagging", "two primaries, two sides")
HELD_S = (4.0, 12.0) if WHOLE else (2.0, 3.0)
AWAY_S = (16.0, 20.0)  # longer than any bound below
QUIET_S = (0.2, 1.0)
WELL_S = 60.0


def gather(crowd: Crowd, fleet: Smaller, videos: Sequence[str]) -> None:
    """Let them come, each with another way to be known."""
    starter = crowd.person()
    starter.log_in()
    answer = starter.ask("POST", "/api/v1/keys", json={"name": "drill"})
    assert answer is not None
    key = answer.json()["token"]
    for kind in ({}, {}, {"key": key}):
        me = crowd.person(**kind)
        if not kind:
            me.log_in()
        crowd.add(me, Editor(crowd, videos, crowd.history))
    crowd.add(crowd.person(key=key, forgets=True), Editor(crowd, videos, crowd.forgetful))
    sent = Upload(crowd)
    sent.begin(starter)
    crowd.add(crowd.person(key=key), sent.append)
    for _ in range(2):
        crowd.add(crowd.person(key=key), sent.look)
    crowd.add(crowd.person(), Visitor(crowd, videos))
    found = fleet.rows.primary.sql("SELECT id FROM jobs WHERE state = 'done' LIMIT 1", DATABASE)
    job = Job(crowd, found, lambda: fleet.rows.primary.url(DATABASE))
    crowd.add(crowd.person(), job.change)
    crowd.add(crowd.person(key=key), job.look)


def go_through(fleet: Smaller, crowd: Crowd, befalling: Befalling) -> None:
    chance = befalling.chance
    names = list(ROUNDS) * TIMES if WHOLE else list(FEW)
    if WHOLE:
        chance.shuffle(names)
    for name in names:
        time.sleep(chance.uniform(*QUIET_S))
        with ROUNDS[name](befalling):
            time.sleep(chance.uniform(*(AWAY_S if name == "primary away" else HELD_S)))
        befalling.rounds += 1
        mended_at = time.monotonic()
        until(lambda at=mended_at: is_well(crowd, at), within_s=WELL_S)  # type: ignore[misc]
        fleet.rows.wait()


def is_well(crowd: Crowd, since: float) -> bool:
    return crowd.is_over or all(crowd.wrote_at.get(k, 0.0) > since for k in ("title", "upload"))


def answered_while_away(crowd: Crowd, befalling: Befalling, kind: Kind) -> int:
    """Count what was asked when there was no primary, and answered before there was one again."""
    return sum(
        one.kind == kind and begin < one.asked_at and one.told_at < end
        for begin, end in befalling.away
        for one in crowd.history.seen
    )


def test_answers_are_as_new_as_promised(tmp_path: Path, clips: Path) -> None:
    with smaller_fleet(tmp_path) as fleet:
        clip = make_clip("one_frame", clips)
        videos = [upload(fleet.deployment, clip) for _ in range(2)]
        for video in videos:
            wait_for_state(fleet.deployment, video, "ready")
        befalling = Befalling(fleet, Random(SEED))
        crowd = Crowd(fleet.apis, SEED, fleet.net.host("door").entered)
        gather(crowd, fleet, videos)
        try:
            go_through(fleet, crowd, befalling)
        finally:
            crowd.stop()
        lines = judged(crowd, befalling)
        tables.keep("consistency", table(lines, crowd, befalling))
        for line in lines:
            assert line.wrong == [], line.question.name
        assert [told for one in crowd.people for told in one.hasty] == []
        if befalling.away:
            assert not answered_while_away(crowd, befalling, "write")
            assert not answered_while_away(crowd, befalling, "primary")
            assert answered_while_away(crowd, befalling, "stale")
