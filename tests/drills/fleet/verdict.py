"""What a fleet went through under load, and whether anything came of it that may not.

Flow      is_well() tells when a drill is over; report() makes the table of all; judge() holds what
          the load was told against rows, store and facts.
"""

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

import httpx

from tests.drills.fleet.books import Books
from tests.drills.fleet.histories import missing_own_writes, not_linearizable
from tests.drills.fleet.load import STALL_S, Load
from tests.drills.fleet.whole import Whole
from tests.support.replicas import Server
from tests.support.videos import wait_for_state
from tests.support.waiting import until

SETTLED_S = 180.0
ANSWER_S = 5.0


@dataclass(frozen=True, slots=True)
class Drill:
    kind: str
    part: str
    began_at: float
    ended_at: float


def is_well(whole: Whole, load: Load, since: float) -> bool:
    """Say whether every process says it is ready, and somebody has written since.

    Raises what the load met and did not expect.
    """
    load.check()
    if load.wrote_at < since:
        return False
    try:
        return all(
            httpx.get(f"{one.internal_url}/health/ready", timeout=ANSWER_S).is_success
            for one in whole.deployment.processes
        )
    except httpx.TransportError:
        return False


def told_at(load: Load) -> list[float]:
    """Return when people were told that their edit is kept."""
    return sorted(one.told_at for one in load.history.seen if one.kind == "write")


def longest_gap_s(told: list[float], drill: Drill) -> float:
    """Return the longest time within *drill* in which nobody was told that something is written."""
    within = [at for at in told if drill.began_at <= at <= drill.ended_at]
    return max(b - a for a, b in pairwise([drill.began_at, *within, drill.ended_at]))


def report(drills: list[Drill], load: Load) -> str:
    """Return the table: how often, how long nothing was written, how long a segment took."""
    told = told_at(load)
    rows = defaultdict(list)
    for drill in drills:
        plays = [p for p in load.plays if drill.began_at <= p.asked_at <= drill.ended_at]
        rows[drill.kind, drill.part].append(
            (longest_gap_s(told, drill), max((p.took_s for p in plays), default=0.0), len(plays))
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


def judge(whole: Whole, load: Load, books: Books, primary: Server) -> str:
    """Wait until all that was begun is done, and return how much was acknowledged.

    Raises AssertionError: something acknowledged is lost, something is stuck or was made twice, or
    something that exists was not played.
    """
    for video in load.uploads:
        found = wait_for_state(whole.deployment, video, "ready", "failed", within_s=SETTLED_S)
        assert found["state"] == "ready", found
    until(lambda: not books.unfinished(primary), within_s=SETTLED_S)
    books.look()
    wrong = {
        "damaged": books.damaged(load.uploads, load.clip, primary),
        "made twice": books.written_again,
        "facts that did not come": books.missed(primary),
        "not linearizable": not_linearizable(load.history.seen),
        "own writes not seen": missing_own_writes(load.history.seen),
        "not played": [play for play in load.plays if play.fault or play.took_s > STALL_S],
    }
    assert not any(wrong.values()), wrong
    return f"{len(load.uploads)} uploads and {len(told_at(load))} edits were acknowledged"
