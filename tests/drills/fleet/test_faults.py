"""Whatever dies, stands still or is cut off: nothing acknowledged is lost, and what exists plays.

One fleet goes through all of it under load: each part is killed, frozen and cut off at seeded
times, for seeded times, and comes back.
"""

import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random  # noqa: TID251 (seeded: a drill can be repeated)

import httpx

from tests.drills.fleet import tables
from tests.drills.fleet.books import Books
from tests.drills.fleet.faults import KINDS, PARTS, Faults
from tests.drills.fleet.histories import missing_own_writes, not_linearizable
from tests.drills.fleet.keeper import Keeper
from tests.drills.fleet.load import STALL_S, Load
from tests.drills.fleet.whole import Whole, whole_fleet
from tests.drills.sample import SEED, WHOLE
from tests.support.clips import make_clip
from tests.support.videos import upload, wait_for_state
from tests.support.waiting import until

ROUNDS = 8  # of every kind and part: with the rolling upgrades and backups, 200 drills
FEW = (("kill", "primary"), ("freeze", "worker"), ("cut", "redis"), ("kill", "api"))
HURT_S = (1.0, 5.0)
QUIET_S = (0.5, 2.0)
RECOVERED_S = 60.0
SETTLED_S = 180.0
WRITES_BACK_S = {("kill", "primary"): 6.0, ("freeze", "primary"): 10.0}


@dataclass(frozen=True, slots=True)
class Drill:
    kind: str
    part: str
    began_at: float
    ended_at: float


def plan(chance: Random) -> list[tuple[str, str]]:
    if not WHOLE:
        return list(FEW)
    drills = [(kind, part) for kind in KINDS for part in PARTS] * ROUNDS
    chance.shuffle(drills)
    return drills


@contextmanager
def keeping(whole: Whole) -> Iterator[Keeper]:
    keeper = Keeper(whole.rows)
    keeper.start()
    try:
        yield keeper
    finally:
        keeper.stop()


def is_well(whole: Whole, load: Load, since: float) -> bool:
    """Say whether every process says it is ready, and somebody has written since."""
    if load.wrote_at < since:
        return False
    try:
        return all(
            httpx.get(f"{one.internal_url}/health/ready", timeout=5).is_success
            for one in whole.deployment.processes
        )
    except httpx.TransportError:
        return False


def go_through(
    whole: Whole, load: Load, faults: Faults, books: Books, chance: Random
) -> list[Drill]:
    done: list[Drill] = []
    for kind, part in plan(chance):
        time.sleep(chance.uniform(*QUIET_S))
        began_at = time.monotonic()
        mend = faults.strike(kind, part)
        time.sleep(chance.uniform(*HURT_S))
        mend()
        mended_at = time.monotonic()
        until(lambda at=mended_at: is_well(whole, load, at), within_s=RECOVERED_S)  # type: ignore[misc]
        done.append(Drill(kind, part, began_at, time.monotonic()))
        books.look()
    return done


def longest_gap_s(told_at: list[float], drill: Drill) -> float:
    """Return the longest time within *drill* in which nobody was told that something is written."""
    within = [at for at in told_at if drill.began_at <= at <= drill.ended_at]
    return max(b - a for a, b in pairwise([drill.began_at, *within, drill.ended_at]))


def report(drills: list[Drill], load: Load) -> str:
    """Return the table: how often, how long nothing was written, how long a segment took."""
    told_at = sorted(one.told_at for one in load.history.seen if one.kind == "write")
    rows = defaultdict(list)
    for drill in drills:
        plays = [p for p in load.plays if drill.began_at <= p.asked_at <= drill.ended_at]
        rows[drill.kind, drill.part].append(
            (longest_gap_s(told_at, drill), max((p.took_s for p in plays), default=0.0), len(plays))
        )
    lines = ["| fault | times | longest without a write | slowest segment | segments played |"]
    lines.append("|---|---|---|---|---|")
    for (kind, part), found in sorted(rows.items()):
        gaps, plays, counts = zip(*found, strict=True)
        lines.append(
            f"| {kind} {part} | {len(found)} | {max(gaps):.1f} s | {max(plays):.1f} s"
            f" | {sum(counts)} |"
        )
    return "\n".join(lines)


def test_whatever_befalls_a_part(tmp_path: Path, clips: Path) -> None:
    chance = Random(SEED)
    clip = make_clip("h264_moov_last", clips)
    with whole_fleet(tmp_path) as whole, keeping(whole) as keeper:
        books = Books(whole, whole.broker_url)
        videos = [upload(whole.deployment, clip) for _ in range(3)]
        for video in videos:
            wait_for_state(whole.deployment, video, "ready")
        load = Load(door=whole.deployment, clip=clip.read_bytes(), seed=SEED)
        load.start(edited=videos[:2], played=videos)
        try:
            drills = go_through(whole, load, Faults(whole, keeper, chance), books, chance)
        finally:
            load.stop()
        found_out = report(drills, load)
        sys.stdout.write(f"\n{found_out}\n")

        for video in load.uploads:
            found = wait_for_state(whole.deployment, video, "ready", "failed", within_s=SETTLED_S)
            assert found["state"] == "ready"
        until(lambda: not books.unfinished(keeper.primary), within_s=SETTLED_S)
        assert books.damaged(load.uploads, load.clip, keeper.primary) == []
        books.look()
        assert books.written_again == []
        assert books.missed(keeper.primary) == []
        seen = load.history.seen
        assert not_linearizable(seen) == []
        assert missing_own_writes(seen) == []
        assert [play for play in load.plays if play.fault or play.took_s > STALL_S] == []
        told_at = sorted(one.told_at for one in seen if one.kind == "write")
        for drill in drills if WHOLE else ():  # times are judged where nothing else runs
            most_s = WRITES_BACK_S.get((drill.kind, drill.part), RECOVERED_S)
            assert longest_gap_s(told_at, drill) <= most_s, drill
        counted = f"{len(load.uploads)} uploads and {len(told_at)} edits were acknowledged"
        nothing = "none of them was lost, and no fact of theirs; nothing was made twice"
        tables.keep("faults", f"{found_out}\n\n{len(drills)} drills: {counted}; {nothing}.")
