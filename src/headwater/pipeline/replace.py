"""Replacing a generation that nobody here can go on with."""

import structlog

from headwater.model.errors import CannotContinue, CannotCopy, OtherBuild
from headwater.model.ids import GenerationId
from headwater.model.job import Job
from headwater.pipeline.ask import Ask

log = structlog.get_logger(__name__)


async def replace(
    ask: Ask,
    generation: GenerationId,
    why: CannotContinue,
    *,
    build: str,
    job: Job | None = None,
) -> None:
    """Have another generation opened for what *generation* cannot give; *job* warmed it up.

    *build* is our encoder's: what only another encoder can go on with may be left to it.

    Raises:
        Gone: the video was deleted.
    """
    log.info("generation.left", generation=generation, code=why.code)
    await ask(
        "pipeline.replace_generation",
        generation=generation,
        copying=not isinstance(why, CannotCopy),
        job=job,
        build=build if isinstance(why, OtherBuild) else None,
    )
