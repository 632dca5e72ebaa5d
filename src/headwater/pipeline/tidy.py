"""Tidying: what only the past needs goes, so that tables and store stay as small as the present."""

from headwater.engines.blobs.port import Blobs
from headwater.engines.work import Units
from headwater.library import streams_repository
from headwater.library.streams_repository import RETIRED_SERVED_S
from headwater.model.ids import GenerationId, JobId, VideoId
from headwater.pipeline import jobs_repository, leases_repository, removal_repository
from headwater.pipeline.keys import generation_prefix
from headwater.pipeline.sweep import remove_prefix

KEPT_S = 7 * 86_400.0  # how long a finished job can be looked at
MARGIN_S = 600.0  # a ticket checked in the last second of a name still reads on
GENERATIONS_A_TURN = 16


async def tidy(*, units: Units, blobs: Blobs) -> int:
    """Forget expired leases and jobs that ended long ago; return how many rows went.

    So do names of streams that are not served any more, and the generations only they named.
    """
    async with units.writer() as work:
        old = work.now - RETIRED_SERVED_S - MARGIN_S
        milliseconds = f"{int((work.now - KEPT_S) * 1000):012x}"  # UUIDv7 (RFC 9562 §5.7)
        before = JobId(f"{milliseconds[:8]}-{milliseconds[8:]}")
        gone = await leases_repository.forget_expired(work.session, now=work.now)
        gone += await jobs_repository.forget_done(work.session, before_id=before)
        gone += await streams_repository.forget_retired(work.session, before=old)
    async with units.reader() as work:
        unserved = await removal_repository.unserved_generations(
            work.session, retired_before=old, limit=GENERATIONS_A_TURN
        )
    for video, generation in unserved:
        gone += await _remove(video, generation, old, units=units, blobs=blobs)
    return gone


async def _remove(
    video: VideoId, generation: GenerationId, old: float, *, units: Units, blobs: Blobs
) -> int:
    """Remove a generation nobody can ask for: blobs first, so that a crash leaves nothing unnamed.

    A maker who was at work for it meanwhile is why the blobs are looked for again.
    """
    prefix = generation_prefix(video, generation)
    await remove_prefix(blobs, prefix)
    async with units.writer() as work:
        still = await removal_repository.unserved_generations(
            work.session, retired_before=old, limit=1, only=generation
        )
        if not still:
            return 0
        await removal_repository.remove_generation(work.session, video, generation)
    await remove_prefix(blobs, prefix)
    return 1
