"""The row: everything that is decided about one thing the system can be asked.

No field has a default: an operation that forgets one does not import.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

from headwater.model.freshness import Consistency


@dataclass(frozen=True, slots=True)
class CacheFor:
    """Keep the answer *fresh_s* seconds, serve it *stale_s* longer while it is made anew.

    *tags* are format strings over the inputs ("video:{video_id}"); writes purge the same tags.
    *shared* answers are the same for everybody; others are kept per actor.
    """

    fresh_s: float
    stale_s: float
    tags: tuple[str, ...]
    shared: bool


NEVER = None
Cache = CacheFor | None


@dataclass(frozen=True, slots=True)
class Limit:
    """At most *times* in *per_s* seconds for each *by* (the account, or the client's address)."""

    by: Literal["actor", "address"]
    times: int
    per_s: int


UNLIMITED = None


class Idempotency(Enum):
    """How a repeat of the same request behaves."""

    NATURAL = "natural"  # doing it twice is the same as doing it once
    KEY = "key"  # an Idempotency-Key makes a repeat return the first answer
    READ = "read"  # changes nothing


class Access(Enum):
    """Who may ask at all; what may be done to one thing is decide()'s answer on that thing."""

    ANYONE = "anyone"
    SIGNED_IN = "signed-in"
    OWNER = "owner"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Permission:
    """*action* is "resource:verb"; *who* is checked before a session opens, decide() inside it."""

    action: str
    who: Access


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One row of the catalogue. *because* names the force in one sentence."""

    name: str
    does: Callable[..., Awaitable[Any]]
    consistency: Consistency
    cache: Cache
    permission: Permission
    limit: Limit | None
    idempotency: Idempotency
    because: str
