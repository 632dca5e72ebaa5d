"""Admission: what a server that falls behind still takes on, and when the rest may come back.

Flow      a measured Load → decide() → warm-up waits first, then new uploads come later.
Promises  playback and uploads already begun are not asked here: nothing refuses them for load. What
          waits goes on again only once the pressure has clearly fallen, so nothing flaps.
"""

from collections.abc import Sequence
from enum import IntEnum, StrEnum
from itertools import pairwise
from statistics import fmean

import msgspec

# Shares of the longest wait that is allowed, where each level begins and where it ends again.
WARM_UP_WAITS_AT, WARM_UP_GOES_ON_AT = 0.25, 0.1
LATER_AT, OPEN_AGAIN_AT = 1.0, 0.5
ROOM_AGAIN = 1.05  # of the floor: a disk at its floor moves by a few segments either way
ENOUGH = 8  # gaps between plans, to believe them
LEAST_RETRY_S, MOST_RETRY_S = 2.0, 900.0
STORE_RETRY_S = 10.0
DISK_RETRY_S = 600.0  # somebody has to make room


class Level(IntEnum):
    OPEN = 0
    WARM_UP_WAITS = 1
    LATER = 2


class Reason(StrEnum):
    """Why a level is not OPEN."""

    QUEUE = "queue"
    DISK = "disk"
    STORE = "store"


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured.

    *waiting_s* is how long the first upload nobody works on has waited to become playable, *plans*
    how many wait, *coming* how many are being sent and will wait before it is their turn. Each
    takes one of *encoders* (0: no worker lives) for *plan_s*. *jobs* counts all that wait, by kind.
    """

    waiting_s: float
    plans: int
    coming: int
    plan_s: float
    encoders: int
    free_bytes: int
    store_answers: bool
    jobs: dict[str, int]

    @property
    def each_s(self) -> float:
        """How often one upload becomes playable while all encoders are at it."""
        return self.plan_s / max(1, self.encoders)

    @property
    def wait_s(self) -> float:
        """How long what arrives now will wait: as long as the first has, or what is ahead takes."""
        return max(self.waiting_s, (self.plans + self.coming) * self.each_s)


class Done(msgspec.Struct, frozen=True):
    """One plan that was made: *since* when it could have been, when it was *begun* and *ended*."""

    since: float
    begun: float
    ended: float


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """*wait_s* is the longest an upload may wait to become playable; *floor_bytes* stay free."""

    wait_s: float
    floor_bytes: int


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """What is decided, why, on what, and after how long it may be otherwise."""

    level: Level
    reason: Reason | None
    again_s: float
    load: Load


def plan_s(last: Sequence[Done], *, encoders: int) -> float | None:
    """Return how long one of *encoders* is taken by a plan, from those made *last*; None of none.

    While some waited no encoder rested, so what lies between two ends tells the rest as well: the
    time until a job is found and begun, which the jobs themselves know nothing of.
    """
    if not last:
        return None
    alone_s = fmean(one.ended - one.begun for one in last)
    ends = pairwise(sorted(last, key=lambda one: one.ended))
    gaps = [late.ended - early.ended for early, late in ends if late.since < early.begun]
    return max(alone_s, fmean(gaps) * max(1, encoders)) if len(gaps) >= ENOUGH else alone_s


def decide(load: Load, limits: Limits, *, before: Admission | None = None) -> Admission:
    """Say what is admitted under *load*; *before* is what was decided last.

    A store that does not answer, or is full, takes nothing new at all. Else the wait decides: its
    thresholds going up lie above those coming down.
    """
    level, reason, again_s = Level.LATER, Reason.STORE, STORE_RETRY_S
    if load.store_answers:
        was_full = before is not None and before.reason is Reason.DISK
        if load.free_bytes < limits.floor_bytes * (ROOM_AGAIN if was_full else 1.0):
            reason, again_s = Reason.DISK, DISK_RETRY_S
        else:
            level = _level(load.wait_s / limits.wait_s, before)
            again_s = max(0.0, load.wait_s - OPEN_AGAIN_AT * limits.wait_s)
            reason = Reason.QUEUE
    if level is Level.OPEN:
        return Admission(level=level, reason=None, again_s=0.0, load=load)
    return Admission(level=level, reason=reason, again_s=again_s, load=load)


def _level(pressure: float, before: Admission | None) -> Level:
    """Return the level at *pressure*, the wait as a share of the longest one allowed."""
    held = before.level if before is not None and before.reason is Reason.QUEUE else Level.OPEN
    if pressure >= (OPEN_AGAIN_AT if held is Level.LATER else LATER_AT):
        return Level.LATER
    if pressure >= (WARM_UP_GOES_ON_AT if held is not Level.OPEN else WARM_UP_WAITS_AT):
        return Level.WARM_UP_WAITS
    return Level.OPEN


def retry_after_s(admission: Admission, *, told: int, jitter: float) -> float:
    """Return when a refused client may come back, if *told* others have not been back yet.

    Not before the queue has drained to where uploads are taken again, and then in the order they
    were told, as fast as the encoders take them. *jitter* in [0, 1) keeps those apart whom several
    processes told the same.
    """
    turn_s = told * admission.load.each_s * (0.75 + jitter / 2)
    apart_s = jitter * max(admission.again_s / 4, LEAST_RETRY_S)
    after_s = max(admission.again_s, LEAST_RETRY_S) + turn_s + apart_s
    return min(after_s, MOST_RETRY_S * (0.5 + jitter / 2))
