from collections.abc import AsyncIterator

import pytest

from tests.uploads.system import System, open_system


@pytest.fixture(scope="package")
async def opened(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    async with open_system(tmp_path_factory.mktemp("uploads")) as system:
        yield system


@pytest.fixture
async def system(opened: System) -> AsyncIterator[System]:
    """The open system, with room for everything; a test may change what it uses."""
    yield opened
    opened.use()
