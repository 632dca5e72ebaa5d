"""Rows of the preferences table: small values that every process of a deployment shares."""

from sqlalchemy import delete, insert, select

from headwater.engines.database.port import Session
from headwater.engines.database.schema import preferences


async def find(session: Session, name: str) -> bytes | None:
    row = await session.row(select(preferences).where(preferences.c.name == name))
    return bytes(row["value"]) if row else None


async def add(session: Session, name: str, value: bytes) -> None:
    await session.execute(insert(preferences).values(name=name, value=value))


async def put(session: Session, name: str, value: bytes) -> None:
    """Let *name* have *value*, whatever it had."""
    await remove(session, name)
    await add(session, name, value)


async def remove(session: Session, name: str) -> None:
    await session.execute(delete(preferences).where(preferences.c.name == name))
