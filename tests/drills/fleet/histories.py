"""Histories: what clients asked and were told, and whether any order of events explains it.

Each write gives its register the next version and says which; a read says the version it saw. So a
register's writes are in a known order, and a history is linearizable exactly if every answer is at
least as new as all that was acknowledged before its question (Herlihy and Wing, 1990). A write
without an answer may have happened or not: it is held to nothing, and nothing is to it.

Times are this machine's monotonic clock in seconds: all clients run on one machine.
"""

import threading
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["write", "primary", "own", "stale"]


@dataclass(frozen=True, slots=True)
class Seen:
    """One answered question of *client* about *register*; *age_s*: how old it says it is."""

    kind: Kind
    client: int
    register: str
    asked_at: float
    told_at: float
    version: int
    age_s: float = 0.0


@dataclass(slots=True)
class History:
    """What all clients saw; `ask` may be called by many threads."""

    seen: list[Seen] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(
        self,
        kind: Kind,
        client: int,
        register: str,
        question: Callable[[], tuple[int, float] | None],
    ) -> Seen | None:
        """Ask and write down; *question* returns (version, age in seconds), None if refused."""
        asked_at = time.monotonic()
        answer = question()
        told_at = time.monotonic()
        if answer is None:
            with self._lock:
                self.refused[kind] += 1
            return None
        seen = Seen(kind, client, register, asked_at, told_at, *answer)
        with self._lock:
            self.seen.append(seen)
        return seen

    def count(self, kind: Kind) -> int:
        return sum(seen.kind == kind for seen in self.seen)


class _Floor:
    """The newest version acknowledged by a moment, of one register."""

    def __init__(self, acknowledged: Iterable[Seen]) -> None:
        self._moments: list[float] = []
        self._versions: list[int] = []
        for seen in sorted(acknowledged, key=lambda seen: seen.told_at):
            newest = max(seen.version, self._versions[-1] if self._versions else 0)
            self._moments.append(seen.told_at)
            self._versions.append(newest)

    def at(self, moment: float) -> int:
        """Return what every answer to a question asked at *moment* must have reached."""
        before = bisect_left(self._moments, moment)
        return self._versions[before - 1] if before else 0


def not_linearizable(seen: Sequence[Seen]) -> list[tuple[Seen, int]]:
    """Return writes and primary reads that no order explains, each with what it had to reach."""
    wrong = []
    for found in _by_register(seen, "write", "primary").values():
        floor = _Floor(found)
        versions: set[int] = set()
        for one in sorted(found, key=lambda one: one.asked_at):
            least = floor.at(one.asked_at)
            is_twice = one.kind == "write" and one.version in versions
            if one.version < least + (one.kind == "write") or is_twice:
                wrong.append((one, least))
            if one.kind == "write":
                versions.add(one.version)
    return wrong


def missing_own_writes(seen: Sequence[Seen]) -> list[tuple[Seen, int]]:
    """Return reads that did not show what their own client had been told it wrote."""
    wrong = []
    for found in _by_register(seen, "write", "own").values():
        for client in {one.client for one in found}:
            mine = [one for one in found if one.client == client]
            floor = _Floor(one for one in mine if one.kind == "write")
            reads = (one for one in mine if one.kind == "own")
            wrong += [
                (one, least) for one in reads if one.version < (least := floor.at(one.asked_at))
            ]
    return wrong


def too_old(seen: Sequence[Seen], *, within_s: float) -> list[tuple[Seen, int]]:
    """Return stale reads older than their bound, or than the age they owned up to beyond it."""
    wrong = []
    for found in _by_register(seen, "write", "stale").values():
        floor = _Floor(one for one in found if one.kind == "write")
        for one in found:
            allowed_s = max(within_s, one.age_s)
            if one.kind == "stale" and one.version < (least := floor.at(one.asked_at - allowed_s)):
                wrong.append((one, least))
    return wrong


def _by_register(seen: Sequence[Seen], *kinds: Kind) -> dict[str, list[Seen]]:
    found = defaultdict(list)
    for one in seen:
        if one.kind in kinds:
            found[one.register].append(one)
    return found
