"""Events: durable facts, each consumer at its own pace; they leave with the commit.

Flow      an operation records a fact in its transaction → the relay hands it to every consumer.
Adapters  table.TableEvents (rows of the database), rabbitmq.RabbitEvents (a broker for a fleet;
          facts are rows first); compose picks by HEADWATER_EVENTS.
Promises  tests/contracts/test_events.py.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from headwater.engines.database.port import Session
from headwater.engines.reach import Reach


class Event(msgspec.Struct, frozen=True):
    """A fact: *topic* is "video.playable" and the like, *body* one JSON document."""

    id: str
    topic: str
    body: bytes
    created_at: float


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """An event that *consumer* could not handle, with the last reason."""

    consumer: str
    event: Event
    attempts: int
    error: str


Handler = Callable[[Event], Awaitable[None]]


class Events(Protocol):
    @property
    def reach(self) -> Reach: ...

    async def record(self, session: Session, topic: str, body: bytes, *, now: float) -> None:
        """Write the fact inside the caller's transaction: kept if it commits, never otherwise."""
        ...

    async def claim(self, session: Session, consumer: str, event: Event, *, now: float) -> bool:
        """Write beside a handler's own rows that *consumer* takes *event*; False: it has before.

        An event may come twice: its handler's process may die before it could say that it is done.
        A handler that writes rows only, claims in the same transaction and does nothing when told
        False has its effect exactly once. Others must do no harm when they do it again.
        """
        ...

    def consume(self, consumer: str, topics: tuple[str, ...], handler: Handler) -> None:
        """Register before start(): *handler* gets each event of *topics* at least once.

        In order of recording unless one fails; one process at a time works for a consumer. A new
        consumer begins with the oldest event that is kept. A failing event is retried with jittered
        back-off, then dead-lettered with the reason, and never holds up those behind it.
        """
        ...

    async def start(self) -> None: ...

    async def wake(self) -> None:
        """Look for new facts now instead of at the next poll."""
        ...

    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        """Return what was given up, the newest first."""
        ...

    async def dead_letter(self, consumer: str, event: str) -> DeadLetter:
        """Return one of them. Raises NotFound."""
        ...

    async def replay(self, consumer: str, event: str) -> None:
        """Give a dead letter to its consumer again. Raises NotFound."""
        ...

    async def check(self) -> str:
        """Return the engine's name and version after one real round trip. Raises Unavailable."""
        ...

    async def close(self) -> None:
        """Finish what is being handled; what is not acknowledged comes again."""
        ...
