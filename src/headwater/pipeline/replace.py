"""Replacing a generation that nobody here can go on with."""

import structlog

from headwater.model.errors import CannotContinue, CannotCopy
from headwater.model.ids import GenerationId
from headwater.model.job import Job
from headwater.pipeline.ask import Ask

log = structlog.get_logger(__name__)


async def replace(
    ask: Ask, generation: GenerationId, why: CannotContinue, *, job: Job | None = None
) -> None:
    """Have another generation opened for what *generation* cannot give; *job* warmed it up.

    Raises:
        Gone: the video was deleted.
    """
    log.info("generation.replaced", generation=generation, code=why.code)
    await ask(
        "pipeline.replace_generation",
        generation=generation,
        copying=not isinstance(why, CannotCopy),
        job=job,
    )
