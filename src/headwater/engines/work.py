"""A unit of work: what one operation may touch, and what leaves with its commit."""

from collections.abc import Callable
from dataclasses import dataclass, field

from headwater.engines.database.port import Session
from headwater.model.actor import Actor


@dataclass(slots=True, kw_only=True)
class Work:
    """Given to a use case by the runner. *facts* are recorded inside the transaction; *notices* go
    out and *purges* (cache tags) happen after the commit, *wakes* name the loops to wake then."""

    session: Session
    actor: Actor
    now: float
    facts: list[tuple[str, bytes]] = field(default_factory=list)
    notices: list[tuple[str, bytes]] = field(default_factory=list)
    purges: list[str] = field(default_factory=list)
    wakes: list[Callable[[], None]] = field(default_factory=list)
