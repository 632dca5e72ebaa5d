"""How new an answer must be: what an operation asks for, and what its caller has seen of the rows.

A position is a place in the primary's log. A copy that has replayed it holds everything that was
committed when it was told.
"""

import re
from dataclasses import dataclass
from typing import Literal, Self

_POSITION = re.compile(r"([0-9a-f]{1,8})\.([0-9a-f]{1,16})")
Beyond = Literal["answer", "refuse"]


@dataclass(frozen=True, slots=True)
class Primary:
    """The latest write, or an error: consistency over availability."""


@dataclass(frozen=True, slots=True)
class OwnWrites:
    """At least as new as this actor's own last write, and nearly that of everybody else's.

    Who has no account has written nothing: VISITORS.
    """


@dataclass(frozen=True, slots=True)
class Stale:
    """Any copy not older than *within_s*; *beyond*: what to do when nothing that fresh answers."""

    within_s: float
    beyond: Beyond


Consistency = Primary | OwnWrites | Stale
# As old as leave to watch may be; where no primary answers, what can be watched can be opened too.
VISITORS = Stale(within_s=2.0, beyond="answer")


@dataclass(frozen=True, slots=True)
class Position:
    """A byte of the log of one *timeline*, of which every change of primary begins another."""

    timeline: int
    offset: int

    def __str__(self) -> str:
        return f"{self.timeline:x}.{self.offset:x}"

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Read what __str__ wrote; None for anything else, which callers may have made up.

        One made up costs its maker a question to the primary at most, or an answer that is older.
        """
        found = _POSITION.fullmatch(text)
        return cls(int(found[1], 16), int(found[2], 16)) if found else None


UNKNOWN = Position(0, 0)  # on no timeline, so no copy has replayed it: the primary is asked


def unplaced(number: int) -> Position:
    """Return a position for a write where no copy is read: it tells only what it came after."""
    return Position(UNKNOWN.timeline, number)


@dataclass(frozen=True, slots=True)
class Freshness:
    """What a reader needs. A copy will do if it is at most *within_s* older than the primary (at 0
    none is) and, if *after* is given, has replayed that; *beyond*: when neither such a copy nor the
    primary answers, be answered by an older copy, or refused.
    """

    within_s: float
    after: Position | None = None
    beyond: Beyond = "refuse"


LATEST = Freshness(0.0)  # no copy will do


@dataclass(slots=True)
class Seen:
    """What one caller knows of the rows, kept by the caller between two requests.

    *position* is at or behind its last write. *age_s* is set when an answer is older than its row
    allows, which only happens while no primary answers.
    """

    position: Position | None = None
    age_s: float = 0.0


COMPANY_S = 5.0  # how old what others wrote may be, where one's own writes are asked for


def need_of(rule: Consistency, seen: Seen | None) -> Freshness:
    """Say what a copy must have to answer by *rule* a caller who has *seen* so much.

    Nobody is shown less than what they wrote themselves, unless no primary answers and the row says
    to answer all the same. Of whom nothing is known, any write may be their own.
    """
    after = seen.position if seen else None
    if isinstance(rule, Stale):
        return Freshness(rule.within_s, after, rule.beyond)
    return Freshness(COMPANY_S, after) if isinstance(rule, OwnWrites) and after else LATEST
