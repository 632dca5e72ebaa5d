"""Who is asking: one value, made once at the edge and handed down."""

from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from headwater.model.freshness import Seen
from headwater.model.ids import AccountId


class Role(StrEnum):
    """What an account may do beyond its own things; a higher role includes the lower."""

    MEMBER = "member"
    OWNER = "owner"


class ActorKind(StrEnum):
    ANONYMOUS = "anonymous"
    SESSION = "session"
    KEY = "key"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """The caller of an operation; *address* is the client's IP after trusted proxies.

    *seen*, where there are other processes, is what this one request has seen of the rows.
    """

    kind: ActorKind
    account: AccountId | None = None
    role: Role | None = None
    address: str = ""
    seen: Seen | None = field(default=None, compare=False, repr=False)

    @property
    def is_signed_in(self) -> bool:
        return self.account is not None

    @property
    def limit_key(self) -> str:
        """The name rate limits count under: the account if known, else the address."""
        return f"account:{self.account}" if self.account else f"address:{self.address}"


SYSTEM = Actor(kind=ActorKind.SYSTEM)


@lru_cache(maxsize=4096)
def anonymous(address: str) -> Actor:
    return Actor(kind=ActorKind.ANONYMOUS, address=address)
