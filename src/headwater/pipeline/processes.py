"""Processes of a deployment: each says again and again that it lives, and buries who does not.

Flow      roll_call.py announces this process → its row lives a little longer → whoever finds one
          that has fallen silent takes back what it held.
Promises  the eldest that can keep house keeps it; one that ends is followed within seconds.
"""

from collections.abc import Sequence

import msgspec

from headwater.engines.work import Work
from headwater.model.process import Living, Process
from headwater.pipeline import advance, processes_repository

BEATS = 3.0  # missed in a row, and a process is taken for dead
LEAST_BEAT_S = 2.0
MOST_PER_S = 20.0  # announcements of a whole deployment: each is a commit
HOUSEKEEPERS = frozenset({"all", "scheduler"})


class Announced(msgspec.Struct, frozen=True, kw_only=True):
    """When to announce oneself again, whether to keep house until then, and who else lives."""

    beat_s: float
    keeps_house: bool
    others: list[Living]


async def announce(
    *, work: Work, process: Process, ended: Sequence[str] = (), least_beat_s: float = LEAST_BEAT_S
) -> Announced:
    """Say that *process* lives; free what those held who are silent, or known to have *ended*."""
    session, now = work.session, work.now
    known = await processes_repository.living(session, now=now)
    gone = [*ended, *await processes_repository.silent(session, now=now)]
    others = [one for one in known if one.id != process.id and one.id not in gone]
    beat_s = max(least_beat_s, (len(others) + 1) / MOST_PER_S)
    await processes_repository.put(session, process, now=now, until=now + BEATS * beat_s)
    if gone := [one for one in gone if one != process.id]:
        await processes_repository.drop(session, gone)
        await advance.reclaim(work=work, holders=gone)
    return Announced(
        beat_s=beat_s,
        keeps_house=all(is_elder(process, other) for other in others if can_keep_house(other))
        and can_keep_house(process),
        others=others,
    )


def can_keep_house(process: Process) -> bool:
    return process.role in HOUSEKEEPERS


def is_elder(process: Process, other: Process) -> bool:
    """Say whether *process* is before *other*; every process of a deployment says the same."""
    return (process.started_at, process.id) < (other.started_at, other.id)


async def leave(*, work: Work, id: str) -> None:
    """Forget a process that ends, and has given back what it held."""
    await processes_repository.drop(work.session, [id])


async def list_processes(*, work: Work) -> list[Living]:
    """Return every process that lives, the eldest first."""
    return await processes_repository.living(work.session, now=work.now)
