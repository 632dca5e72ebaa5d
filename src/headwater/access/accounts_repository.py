"""Rows of accounts and of the one-time set-up link."""

from sqlalchemy import case, delete, func, insert, select, update

from headwater.engines.database.port import Row, Session
from headwater.engines.database.schema import accounts, setup_links
from headwater.model.account import Account
from headwater.model.actor import Role
from headwater.model.errors import NotFound
from headwater.model.ids import AccountId


def from_row(row: Row) -> Account:
    return Account(
        id=AccountId(row["id"]),
        email=row["email"],
        name=row["name"],
        role=Role(row["role"]),
        quota_bytes=row["quota_bytes"],
        used_bytes=row["used_bytes"],
        created_at=row["created_at"],
    )


async def get(session: Session, account: AccountId) -> Account:
    """Raises NotFound."""
    row = await session.row(select(accounts).where(accounts.c.id == account))
    if row is None:
        raise NotFound("There is no such account.")
    return from_row(row)


async def find_by_email(session: Session, email: str) -> tuple[Account, str] | None:
    """Return the account and its password's hash."""
    row = await session.row(select(accounts).where(accounts.c.email == email))
    return (from_row(row), row["password_hash"]) if row else None


async def list_owners(session: Session) -> list[Account]:
    rows = await session.rows(
        select(accounts).where(accounts.c.role == Role.OWNER.value).order_by(accounts.c.created_at)
    )
    return [from_row(row) for row in rows]


async def has_owner(session: Session) -> bool:
    count = select(func.count().label("n")).where(accounts.c.role == Role.OWNER.value)
    row = await session.row(count)
    return bool(row and row["n"])


async def add(session: Session, account: Account, *, password_hash: str) -> None:
    fields = {name: getattr(account, name) for name in account.__struct_fields__}
    fields["role"] = account.role.value
    await session.execute(insert(accounts).values(**fields, password_hash=password_hash))


async def add_used(session: Session, account: AccountId, size_bytes: int) -> None:
    """Count *size_bytes* (negative: give back) against the account's quota."""
    used = accounts.c.used_bytes + size_bytes
    await session.execute(
        update(accounts)
        .where(accounts.c.id == account)
        .values(used_bytes=case((used < 0, 0), else_=used))
    )


async def replace_setup_link(
    session: Session, token_hash: str, *, issued_by: str, now: float
) -> None:
    """Write the only link of that server; its earlier ones stop working."""
    await session.execute(delete(setup_links).where(setup_links.c.issued_by == issued_by))
    await session.execute(
        insert(setup_links).values(token_hash=token_hash, issued_by=issued_by, created_at=now)
    )


async def has_setup_link(session: Session, token_hash: str) -> bool:
    row = await session.row(select(setup_links).where(setup_links.c.token_hash == token_hash))
    return row is not None


async def drop_setup_links(session: Session) -> None:
    await session.execute(delete(setup_links))
