"""Reading: a question goes where its row allows, and to the primary again when in doubt.

A copy may lack what was written a moment ago. So what a copy does not know the primary is asked for
before anybody is told that it is not there. A read that broke off is asked once more: it changed
nothing.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from headwater.engines.work import Work
from headwater.model.actor import Actor
from headwater.model.errors import NotFound, Unavailable
from headwater.model.freshness import Consistency, Stale
from headwater.operations.units import Engines

AT_ONCE_S = 1.0  # what failed later has cost its caller a deadline already


async def read(
    engines: Engines, actor: Actor, rule: Consistency, ask: Callable[[Work], Awaitable[Any]]
) -> Any:
    """Return what *ask* answers from rows as new as *rule* says."""
    started = engines.clock.monotonic()
    is_missing, is_copy = False, False
    try:
        async with engines.reader(actor, rule) as work:
            is_copy = work.session.age_s > 0
            answer = await ask(work)
        if answer is not None or not is_copy:
            return answer
    except NotFound:
        if not is_copy:
            raise
        is_missing = True
    except Unavailable as error:
        # Of the engine itself; what derives from it is a use case's own.
        if type(error) is not Unavailable or engines.clock.monotonic() - started > AT_ONCE_S:
            raise
    try:
        async with engines.reader(actor) as work:
            return await ask(work)
    except Unavailable:
        # Of a thing that this copy lacks nobody can say now that it is not there.
        if is_missing or not (is_copy and isinstance(rule, Stale) and rule.beyond == "answer"):
            raise
    return None
