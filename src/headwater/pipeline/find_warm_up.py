"""Which warm-up of another worker an idle one may help with (joining.py)."""

from collections.abc import Collection

from headwater.engines.work import Work
from headwater.forces.backoff import jitter
from headwater.model.ids import VideoId
from headwater.model.job import Job, JobKind
from headwater.pipeline import jobs_repository

OFFERED = 64  # warm-ups looked at; who helps takes any of them


async def find_warm_up(
    *, work: Work, holder: str, build: str, besides: Collection[VideoId]
) -> Job | None:
    """Return a warm-up that somebody but *holder* is at, of a video not among *besides*.

    None if there is none that an encoder of *build* may help with.
    """
    found = await jobs_repository.held_by_others(
        work.session, JobKind.WARM, holder=holder, build=build, now=work.now, limit=OFFERED
    )
    offered = [job for job in found if job.video not in besides]
    return offered[int(jitter() * len(offered))] if offered else None
