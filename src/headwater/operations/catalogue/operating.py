"""What those who run a server look at: jobs, facts that nobody could handle, space."""

from headwater.access.decide import Action
from headwater.model.freshness import Primary, Stale
from headwater.operations import dead_letters
from headwater.operations.operation import (
    NEVER,
    Access,
    CacheFor,
    Idempotency,
    Limit,
    Operation,
    Permission,
)
from headwater.pipeline import retry_job, space

JOBS = (
    Operation(
        name="jobs.list",
        does=retry_job.list_jobs,
        consistency=Stale(within_s=10, beyond="answer"),
        cache=NEVER,
        permission=Permission(Action.JOB_SEE, Access.OWNER),
        limit=Limit("actor", times=300, per_s=60),
        idempotency=Idempotency.READ,
        because="Operators look for what is stuck, which a copy some seconds old shows as well.",
    ),
    Operation(
        name="jobs.show",
        does=retry_job.show_job,
        consistency=Stale(within_s=10, beyond="answer"),
        cache=NEVER,
        permission=Permission(Action.JOB_SEE, Access.OWNER),
        limit=Limit("actor", times=300, per_s=60),
        idempotency=Idempotency.READ,
        because="Operators look for what is stuck, which a copy some seconds old shows as well.",
    ),
    Operation(
        name="jobs.retry",
        does=retry_job.retry_job,
        consistency=Primary(),
        cache=NEVER,
        permission=Permission(Action.JOB_RETRY, Access.OWNER),
        limit=Limit("actor", times=120, per_s=60),
        idempotency=Idempotency.NATURAL,
        because="Nothing stays pending for ever: what gave up is listed and can be tried again.",
    ),
    Operation(
        name="jobs.retry_video",
        does=retry_job.retry_video,
        consistency=Primary(),
        cache=NEVER,
        permission=Permission(Action.VIDEO_EDIT, Access.SIGNED_IN),
        limit=Limit("actor", times=60, per_s=60),
        idempotency=Idempotency.NATURAL,
        because="Whoever uploaded it need not ask an operator; a second press finds it queued.",
    ),
)

EVENTS = (
    Operation(
        name="events.list",
        does=dead_letters.list_dead_letters,
        consistency=Stale(within_s=10, beyond="answer"),
        cache=NEVER,
        permission=Permission(Action.EVENT_SEE, Access.OWNER),
        limit=Limit("actor", times=300, per_s=60),
        idempotency=Idempotency.READ,
        because="A fact nobody could handle is work not done: somebody must be able to find it.",
    ),
    Operation(
        name="events.show",
        does=dead_letters.show_dead_letter,
        consistency=Stale(within_s=10, beyond="answer"),
        cache=NEVER,
        permission=Permission(Action.EVENT_SEE, Access.OWNER),
        limit=Limit("actor", times=300, per_s=60),
        idempotency=Idempotency.READ,
        because="Why it was given up, and of what it speaks, tells what to mend.",
    ),
    Operation(
        name="events.retry",
        does=dead_letters.retry_dead_letter,
        consistency=Primary(),
        cache=NEVER,
        permission=Permission(Action.EVENT_RETRY, Access.OWNER),
        limit=Limit("actor", times=120, per_s=60),
        idempotency=Idempotency.NATURAL,
        because="Only the consumer that gave up gets it again; the others did their part.",
    ),
)

SPACE = (
    Operation(
        name="space.report",
        does=space.report_space,
        consistency=Stale(within_s=60, beyond="answer"),
        cache=CacheFor(fresh_s=10, stale_s=60, tags=(), shared=True),
        permission=Permission(Action.SPACE_SEE, Access.OWNER),
        limit=Limit("actor", times=60, per_s=60),
        idempotency=Idempotency.READ,
        because="It adds up every video's row; nobody decides by the last second of it.",
    ),
)
