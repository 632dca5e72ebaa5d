"""The databases that tests run on: each a URL, as HEADWATER_DATABASE names it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from headwater.engines.database.following import FollowingDatabase
from headwater.engines.database.port import Database
from headwater.engines.database.postgres import PostgresDatabase
from headwater.engines.database.sqlite import SqliteDatabase
from headwater.engines.database.sqlite_leaving import SqliteLeaving
from tests.support import postgres
from tests.support.replicas import Cluster

KINDS = ("sqlite", "postgres")
MIGRATED = "migrated"  # the database of a test server that others are copied from


@contextmanager
def fresh(
    kind: str, folder: Path, request: pytest.FixtureRequest, *, like: str = "template0"
) -> Iterator[str]:
    """Return the URL of a database of that *kind* which nobody has used."""
    if kind == "sqlite":
        yield f"sqlite:{folder / 'headwater.db'}"
        return
    with postgres.database(request.getfixturevalue("postgres_server"), like=like) as url:
        yield url


def left_for(url: str, folder: Path) -> str:
    """Return the URL of a file in *folder* whose rows have moved to the database at *url*."""

    async def leave() -> None:
        await SqliteDatabase(path).migrate()
        async with SqliteLeaving(path).hold(1.0) as last:
            await last.leave_for(url)

    path = folder / "left.db"
    asyncio.run(leave())
    return f"following:{path}"


def with_replicas(made: Cluster, url: str) -> str:
    """Return the URL of a database at *url* that *made*'s replicas have as well."""
    return f"replicated:{url} {made.replicas_url(url.rpartition('/')[2])}"


def open_at(url: str, *, deadline_s: float = 10.0) -> Database:
    """Open one more handle, which plays another process."""
    if url.startswith("replicated:"):
        primary, replicas = url.removeprefix("replicated:").split()
        return PostgresDatabase(primary, replicas=replicas, deadline_s=deadline_s)
    if url.startswith("following:"):
        path = Path(url.removeprefix("following:"))

        async def arrive(there: str) -> Database:
            return PostgresDatabase(there, deadline_s=deadline_s)

        return FollowingDatabase(SqliteDatabase(path, deadline_s=deadline_s), arrive)
    if url.startswith("sqlite:"):
        return SqliteDatabase(Path(url.removeprefix("sqlite:")), deadline_s=deadline_s)
    return PostgresDatabase(url, deadline_s=deadline_s)
