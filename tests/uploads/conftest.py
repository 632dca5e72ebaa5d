from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.databases import MIGRATED, fresh
from tests.uploads.system import System, open_system


@pytest.fixture(scope="package")
def kept_in(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database: SQLite, unless a test is parametrised with others."""
    kind, folder = getattr(request, "param", "sqlite"), tmp_path_factory.mktemp("rows")
    with fresh(kind, folder, request, like=MIGRATED) as url:
        yield url


@pytest.fixture(scope="package")
async def opened(kept_in: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    async with open_system(tmp_path_factory.mktemp("uploads"), database=kept_in) as system:
        yield system


@pytest.fixture
async def system(opened: System) -> AsyncIterator[System]:
    """The open system, with room for everything; a test may change what it uses."""
    yield opened
    opened.use()
