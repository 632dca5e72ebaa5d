"""An account, its keys and its sessions, without any secret."""

import msgspec

from headwater.model.actor import ActorKind, Role
from headwater.model.ids import AccountId, KeyId


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """*quota_bytes* None means the server's default."""

    id: AccountId
    email: str
    name: str
    role: Role
    quota_bytes: int | None
    used_bytes: int
    created_at: float


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What an account uses of what it may; *quota_bytes* None: no limit."""

    used_bytes: int
    quota_bytes: int | None


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a proof (a session's cookie, a key) stands for; *proof* is the proof's SHA-256."""

    kind: ActorKind
    account: AccountId
    role: Role
    email: str
    name: str
    proof: str
    expires_at: float | None
    last_used_at: float | None


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """A new session: *token* is shown once and belongs in a cookie."""

    token: str
    expires_at: float
    account: Account


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """An API key as its owner sees it later."""

    id: KeyId
    account: AccountId
    name: str
    created_at: float
    last_used_at: float | None


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """An API key at its making; *token* is None when the answer is a repeat."""

    key: Key
    token: str | None

    def without_secret(self) -> "NewKey":
        return NewKey(key=self.key, token=None)
