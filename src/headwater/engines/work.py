"""A unit of work: what one operation may touch, and what leaves with its commit."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from headwater.engines.database.port import Session
from headwater.model.actor import Actor


@dataclass(slots=True, kw_only=True)
class Work:
    """Given to a use case by the runner. *facts* are recorded inside the transaction; *notices* go
    out and *purges* (cache tags) happen after the commit, *wakes* name the loops to wake then.
    """

    session: Session
    actor: Actor
    now: float
    facts: list[tuple[str, bytes]] = field(default_factory=list)
    notices: list[tuple[str, bytes]] = field(default_factory=list)
    purges: list[str] = field(default_factory=list)
    wakes: list[Callable[[], None]] = field(default_factory=list)


class Units(Protocol):
    """Opens units of work, for a use case that cannot live in one transaction.

    Most use cases take `work` and never see this. One that waits (for a password hash, for bytes,
    for a codec) takes `units` instead and opens a unit for each moment it touches rows, so that no
    transaction is open while it waits.
    """

    def reader(self, *, latest: bool = False) -> AbstractAsyncContextManager[Work]:
        """Open a snapshot; nothing in the yielded unit's lists is looked at.

        It is as new as the operation's row says, or the *latest* where that matters.
        """
        ...

    def writer(self) -> AbstractAsyncContextManager[Work]:
        """Open a transaction; facts, notices, purges and wakes leave as with a runner's own."""
        ...
