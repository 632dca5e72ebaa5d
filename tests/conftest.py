import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import databases, postgres

if TYPE_CHECKING:
    from headwater.compose.core import Core


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that make_clip fills, shared by the workers of one run."""
    folder = tmp_path_factory.getbasetemp().parent / "clips"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
async def core(tmp_path: Path) -> "AsyncIterator[Core]":
    """The whole system on a fresh folder, without loops: nothing that is asked for is made."""
    from tests.support.system import system  # noqa: PLC0415 (most tests do without its imports)

    async with system(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Postgres]:
    """One PostgreSQL for the run, with a migrated database to copy; made when first asked for."""
    with postgres.server() as running:
        running.sql(f"CREATE DATABASE {databases.MIGRATED} TEMPLATE template0")
        asyncio.run(databases.open_at(running.url(databases.MIGRATED)).migrate())
        yield running


@pytest.fixture(params=databases.KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of each kind that nobody has used; of PostgreSQL, one that is migrated."""
    with databases.fresh(request.param, tmp_path, request, like=databases.MIGRATED) as url:
        yield url
