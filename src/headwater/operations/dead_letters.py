"""Events nobody could handle, seen and tried again: `headwater events`, the operators' page."""

from headwater.engines.events.port import DeadLetter, Events

LISTED = 200


async def list_dead_letters(*, events: Events, limit: int = LISTED) -> list[DeadLetter]:
    """Return the newest events that a consumer gave up."""
    return await events.dead_letters(min(limit, LISTED))


async def show_dead_letter(*, events: Events, consumer: str, event: str) -> DeadLetter:
    """Return one event that *consumer* gave up. Raises NotFound."""
    return await events.dead_letter(consumer, event)


async def retry_dead_letter(*, events: Events, consumer: str, event: str) -> None:
    """Give an event to the *consumer* that gave it up again. Raises NotFound."""
    await events.replay(consumer, event)
