"""The databases that tests run on: each a URL, as HEADWATER_DATABASE names it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from headwater.engines.database.port import Database
from headwater.engines.database.postgres import PostgresDatabase
from headwater.engines.database.sqlite import SqliteDatabase
from tests.support import postgres

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


def open_at(url: str, *, deadline_s: float = 10.0) -> Database:
    """Open one more handle, which plays another process."""
    if url.startswith("sqlite:"):
        return SqliteDatabase(Path(url.removeprefix("sqlite:")), deadline_s=deadline_s)
    return PostgresDatabase(url, deadline_s=deadline_s)
