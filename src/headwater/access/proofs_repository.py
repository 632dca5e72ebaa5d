"""Rows of sessions and API keys: what proves who is asking."""

from sqlalchemy import delete, insert, select, update

from headwater.engines.database.port import Row, Session
from headwater.engines.database.schema import accounts, api_keys, sessions
from headwater.model.account import Key, Principal
from headwater.model.actor import ActorKind, Role
from headwater.model.ids import AccountId, KeyId

WHO = (accounts.c.id, accounts.c.role, accounts.c.email, accounts.c.name)


def key_from_row(row: Row) -> Key:
    return Key(
        id=KeyId(row["id"]),
        account=AccountId(row["account"]),
        name=row["name"],
        created_at=row["created_at"],
        last_used_at=row["last_used_at"],
    )


async def find_session(session: Session, token_hash: str, *, now: float) -> Principal | None:
    row = await session.row(
        select(sessions.c.expires_at, *WHO)
        .join(accounts, accounts.c.id == sessions.c.account)
        .where(sessions.c.token_hash == token_hash, sessions.c.expires_at > now)
    )
    return _principal(row, ActorKind.SESSION, token_hash) if row else None


async def find_key(session: Session, token_hash: str) -> Principal | None:
    row = await session.row(
        select(api_keys.c.last_used_at, *WHO)
        .join(accounts, accounts.c.id == api_keys.c.account)
        .where(api_keys.c.token_hash == token_hash)
    )
    return _principal(row, ActorKind.KEY, token_hash) if row else None


def _principal(row: Row, kind: ActorKind, token_hash: str) -> Principal:
    return Principal(
        kind=kind,
        account=AccountId(row["id"]),
        role=Role(row["role"]),
        email=row["email"],
        name=row["name"],
        proof=token_hash,
        expires_at=row.get("expires_at"),
        last_used_at=row.get("last_used_at"),
    )


async def add_session(
    session: Session, token_hash: str, account: AccountId, *, now: float, expires_at: float
) -> None:
    """Write a session; sessions of anybody that have expired go at the same time."""
    await session.execute(delete(sessions).where(sessions.c.expires_at < now))
    await session.execute(
        insert(sessions).values(
            token_hash=token_hash, account=account, created_at=now, expires_at=expires_at
        )
    )


async def drop_session(session: Session, token_hash: str) -> None:
    await session.execute(delete(sessions).where(sessions.c.token_hash == token_hash))


async def add_key(session: Session, key: Key, *, token_hash: str) -> None:
    fields = {name: getattr(key, name) for name in key.__struct_fields__}
    await session.execute(insert(api_keys).values(**fields, token_hash=token_hash))


async def list_keys(session: Session, account: AccountId) -> list[Key]:
    rows = await session.rows(
        select(api_keys).where(api_keys.c.account == account).order_by(api_keys.c.created_at)
    )
    return [key_from_row(row) for row in rows]


async def find_key_by_id(session: Session, key_id: KeyId) -> tuple[Key, str] | None:
    """Return the key and its token's hash."""
    row = await session.row(select(api_keys).where(api_keys.c.id == key_id))
    return (key_from_row(row), row["token_hash"]) if row else None


async def drop_key(session: Session, key_id: KeyId) -> None:
    await session.execute(delete(api_keys).where(api_keys.c.id == key_id))


async def touch_key(session: Session, token_hash: str, *, now: float) -> None:
    await session.execute(
        update(api_keys).where(api_keys.c.token_hash == token_hash).values(last_used_at=now)
    )
