"""Tidying: rows that only the past needs go, so that the tables stay as small as the present."""

from headwater.engines.work import Work
from headwater.model.ids import JobId
from headwater.pipeline import jobs_repository, leases_repository

KEPT_S = 7 * 86_400.0  # how long a finished job can be looked at


async def tidy(*, work: Work) -> int:
    """Forget expired leases and jobs that ended long ago; return how many rows went."""
    milliseconds = f"{int((work.now - KEPT_S) * 1000):012x}"  # as a UUIDv7 begins (RFC 9562 §5.7)
    before = JobId(f"{milliseconds[:8]}-{milliseconds[8:]}")
    leases = await leases_repository.forget_expired(work.session, now=work.now)
    return leases + await jobs_repository.forget_done(work.session, before_id=before)
