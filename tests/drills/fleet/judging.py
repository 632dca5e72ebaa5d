"""What the histories of a crowd come to: what no order of events explains, and the table of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.drills.fleet.histories import (
    History,
    Kind,
    Seen,
    missing_own_writes,
    not_linearizable,
    too_old,
)
from tests.drills.fleet.people import Crowd
from tests.drills.fleet.rounds import Befalling, Span

FRONT_PAGE_S = 10.0 + 30.0  # its bound, of which five in the cache, and what it may be stale there
JOBS_S = 10.0
Found = list[tuple[Seen, int]]


@dataclass(frozen=True, slots=True)
class Question:
    """One line of the table: who asked what, and how their answers are judged.

    *forgives* what was asked while two primaries answered: a row that only the primary answers, or
    a copy of its, cannot be newer than who believes to be the primary.
    """

    name: str
    kind: Kind
    histories: tuple[History, ...]
    judge: Callable[[], Found]
    forgives: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    question: Question
    wrong: Found
    forgiven: Found


def judged(crowd: Crowd, befalling: Befalling) -> list[Line]:
    """Judge every kind of answer."""
    return [_line(question, befalling.unfenced) for question in _questions(crowd)]


def table(lines: Sequence[Line], crowd: Crowd, befalling: Befalling) -> str:
    """Return what was counted, for people."""
    rows = ["| question | answered | refused | anomalies |", "|---|---|---|---|"]
    for line in lines:
        one = line.question
        answered = sum(history.count(one.kind) for history in one.histories)
        refused = sum(history.refused[one.kind] for history in one.histories)
        rows.append(f"| {one.name} | {answered} | {refused} | {len(line.wrong)} |")
    seen = [*crowd.history.seen, *crowd.jobs.seen]
    aged = [one.age_s for one in seen if one.age_s]
    oldest_s = max(aged, default=0.0)
    told = f"{len(aged)} answers said how old they were, at most {oldest_s:.0f} s."
    rows += ["", f"{befalling.rounds} rounds, seeded. {told}", *_unfenced(lines, befalling)]
    return "\n".join(rows)


def _questions(crowd: Crowd) -> tuple[Question, ...]:
    known, forgetful, jobs = crowd.history, crowd.forgetful, crowd.jobs
    writes = (known, forgetful, jobs)
    everything = [one for history in writes for one in history.seen]
    return (
        Question("write", "write", writes, lambda: _of(everything, "write")),
        Question("primary", "primary", (known,), lambda: _of(everything, "primary"), forgives=True),
        Question("own writes, told by a token", "own", (known,), _own(known)),
        Question("own writes, no token", "own", (forgetful,), _own(forgetful), forgives=True),
        Question(
            f"stale, the front page (≤ {FRONT_PAGE_S:.0f} s with its cache)",
            "stale",
            (known,),
            lambda: too_old([*known.seen, *forgetful.seen], within_s=FRONT_PAGE_S),
            forgives=True,
        ),
        Question(
            f"stale, jobs (≤ {JOBS_S:.0f} s)",
            "stale",
            (jobs,),
            lambda: too_old(jobs.seen, within_s=JOBS_S),
            forgives=True,
        ),
    )


def _of(seen: Sequence[Seen], kind: Kind) -> Found:
    return [(one, least) for one, least in not_linearizable(seen) if one.kind == kind]


def _own(history: History) -> Callable[[], Found]:
    return lambda: missing_own_writes(history.seen)


def _line(question: Question, unfenced: Sequence[Span]) -> Line:
    found = question.judge()
    forgiven = [
        (one, least)
        for one, least in found
        if question.forgives
        and any(one.told_at > begin and one.asked_at < end for begin, end in unfenced)
    ]
    return Line(question, [one for one in found if one not in forgiven], forgiven)


def _unfenced(lines: Sequence[Line], befalling: Befalling) -> list[str]:
    """Say how long somebody was answered by a primary that was none any more."""
    told = []
    old = [one for line in lines for one, _ in line.forgiven]
    for begin, end in befalling.unfenced:
        late = [one.told_at - begin for one in old if begin < one.told_at <= end + 1]
        told.append(
            f"- {end - begin:.1f} s until the old primary was fenced: {len(late)} old answers"
            f" within {max(late, default=0.0):.1f} s"
        )
    return ["", "Two primaries at once:", "", *told] if told else []
