"""Whatever dies, stands still or is cut off: nothing acknowledged is lost, and what exists plays.

One fleet goes through all of it under load: each part is killed, frozen and cut off at seeded
times, for seeded times, and comes back; and between two of these all processes become newer.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random  # noqa: TID251 (seeded: a drill can be repeated)

from tests.drills.fleet import tables
from tests.drills.fleet.books import Books
from tests.drills.fleet.faults import KINDS, PARTS, UPGRADE, Faults
from tests.drills.fleet.keeper import Keeper
from tests.drills.fleet.load import Load
from tests.drills.fleet.upgrades import upgrading
from tests.drills.fleet.verdict import Drill, is_well, judge, longest_gap_s, report, told_at
from tests.drills.fleet.whole import Whole, whole_fleet
from tests.drills.sample import SEED, WHOLE
from tests.support.clips import make_clip
from tests.support.videos import upload, wait_for_state
from tests.support.waiting import until

ROUNDS = 8  # of every kind and part
ROLLED = (UPGRADE, "fleet")
UPGRADES = 4  # with them and the backups, 200 drills
FEW = (("kill", "primary"), ROLLED, ("freeze", "worker"), ("cut", "redis"), ("kill", "api"))
HURT_S = (1.0, 5.0)
QUIET_S = (0.5, 2.0)
RECOVERED_S = 60.0
WRITES_BACK_S = {("kill", "primary"): 6.0, ("freeze", "primary"): 10.0, ROLLED: 6.0}


def plan(chance: Random) -> list[tuple[str, str]]:
    if not WHOLE:
        return list(FEW)
    drills = [(kind, part) for kind in KINDS for part in PARTS] * ROUNDS + [ROLLED] * UPGRADES
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


def test_whatever_befalls_a_part(tmp_path: Path, clips: Path) -> None:
    chance = Random(SEED)
    clip = make_clip("h264_moov_last", clips)
    with (
        whole_fleet(tmp_path) as whole,
        keeping(whole) as keeper,
        upgrading(whole.deployment, chance) as upgrades,
    ):
        books = Books(whole, whole.broker_url)
        videos = [upload(whole.deployment, clip) for _ in range(3)]
        for video in videos:
            wait_for_state(whole.deployment, video, "ready")
        faults = Faults(whole, keeper, upgrades, chance)
        load = Load(door=whole.deployment, clip=clip.read_bytes(), seed=SEED)
        load.start(edited=videos[:2], played=videos)
        try:
            drills = go_through(whole, load, faults, books, chance)
        finally:
            load.stop()
        found_out = report(drills, load)
        sys.stdout.write(f"\n{found_out}\n")

        counted = judge(whole, load, books, keeper.primary)
        told = told_at(load)
        for drill in drills if WHOLE else ():  # times are judged where nothing else runs
            most_s = WRITES_BACK_S.get((drill.kind, drill.part), RECOVERED_S)
            assert longest_gap_s(told, drill) <= most_s, drill
        nothing = "none of them was lost, and no fact of theirs; nothing was made twice"
        tables.keep("faults", f"{found_out}\n\n{len(drills)} drills: {counted}; {nothing}.")
