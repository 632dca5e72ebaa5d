"""A job: durable work with a lease; the row is the truth, events only wake workers."""

from enum import StrEnum

import msgspec

from headwater.model.ids import AccountId, JobId, VideoId


class JobKind(StrEnum):
    PLAN = "plan"
    WARM = "warm"
    SWEEP = "sweep"
    COMPACT = "compact"


class JobState(StrEnum):
    QUEUED = "queued"
    LEASED = "leased"
    DONE = "done"
    DEAD = "dead"
    CANCELLED = "cancelled"


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the jobs table. *attempts* counts failures, not leases; *cursor* is
    how far a warm-up came (a segment index).
    """

    id: JobId
    kind: JobKind
    video: VideoId
    owner: AccountId
    state: JobState
    attempts: int
    cursor: int
    run_at: float
    leased_by: str | None
    leased_until: float | None
    error: str | None
    created_at: float
    updated_at: float
