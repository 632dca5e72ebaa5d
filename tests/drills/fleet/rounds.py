"""What befalls the rows of a fleet: replicas that stand still or lag, lines that break, primaries.

Flow      each of ROUNDS is a context: it has happened when the block begins, and is mended after.
Promises  the times between which two primaries may answer are in `Befalling.unfenced`,
          those when none did in `away`.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from random import Random  # noqa: TID251 (seeded: a drill can be repeated)

from tests.drills.fleet.smaller import Smaller

UNNOTICED_S = (0.2, 2.0)  # until somebody finds that the primary is gone

Span = tuple[float, float]


@dataclass(slots=True)
class Befalling:
    """*unfenced*: from when another primary was there until the old one was dead."""

    fleet: Smaller
    chance: Random
    unfenced: list[Span] = field(default_factory=list)
    away: list[Span] = field(default_factory=list)
    rounds: int = 0

    @contextmanager
    def replica_frozen(self) -> Iterator[None]:
        one = self.chance.choice(self.fleet.rows.replicas)
        one.freeze()
        yield
        one.thaw()

    @contextmanager
    def replica_lagging(self) -> Iterator[None]:
        """It receives what is written, and may acknowledge it, but shows nothing of it."""
        one = self.chance.choice(self.fleet.rows.replicas)
        one.pause()
        yield
        one.resume()

    @contextmanager
    def replica_cut_off(self) -> Iterator[None]:
        """From the primary only: everybody else may still ask it."""
        one = self.chance.choice(self.fleet.rows.replicas)
        self.fleet.net.cut(one.on.name, self.fleet.rows.primary.on.name)
        yield
        self.fleet.net.heal()

    @contextmanager
    def api_cut_off(self) -> Iterator[None]:
        """From the primary only."""
        api = self.chance.choice(self.fleet.apis)
        self.fleet.net.cut(api.on.name, self.fleet.rows.primary.on.name)
        yield
        self.fleet.net.heal()

    @contextmanager
    def primary_killed(self) -> Iterator[None]:
        old = self.fleet.rows.change(fenced=True)
        yield
        self.fleet.rows.rejoin(old)

    @contextmanager
    def primary_frozen(self) -> Iterator[None]:
        self.fleet.rows.primary.freeze()
        time.sleep(self.chance.uniform(*UNNOTICED_S))
        with self.primary_killed():
            yield

    @contextmanager
    def primary_cut_off(self) -> Iterator[None]:
        self.fleet.net.isolate(self.fleet.rows.primary.on.name)
        time.sleep(self.chance.uniform(*UNNOTICED_S))
        with self.primary_killed():
            self.fleet.net.heal()
            yield

    @contextmanager
    def two_primaries(self) -> Iterator[None]:
        """Everybody but the replicas still reaches the old one."""
        rows = self.fleet.rows
        for one in rows.replicas:
            self.fleet.net.cut(one.on.name, rows.primary.on.name)
        began_at = time.monotonic()
        old = rows.change(fenced=False)
        yield
        old.kill()
        self.unfenced.append((began_at, time.monotonic()))
        self.fleet.net.heal()
        rows.rejoin(old)

    @contextmanager
    def two_sides(self) -> Iterator[None]:
        """One api reaches both primaries, the other only the new one."""
        api = self.chance.choice(self.fleet.apis)
        self.fleet.net.cut(api.on.name, self.fleet.rows.primary.on.name)
        with self.two_primaries():
            yield

    @contextmanager
    def old_side(self) -> Iterator[None]:
        """One api is alone with the old primary, and cannot know that there is another."""
        one, other = self.fleet.apis
        for replica in self.fleet.rows.replicas:
            self.fleet.net.cut(one.on.name, replica.on.name)
        self.fleet.net.cut(other.on.name, self.fleet.rows.primary.on.name)
        with self.two_primaries():
            yield

    @contextmanager
    def primary_away(self) -> Iterator[None]:
        """For longer than any row allows an answer to be old; nobody takes its place."""
        primary = self.fleet.rows.primary
        primary.freeze()
        began_at = time.monotonic()
        yield
        self.away.append((began_at, time.monotonic()))
        primary.thaw()


Round = Callable[[Befalling], AbstractContextManager[None]]
