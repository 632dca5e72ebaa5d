from collections.abc import AsyncIterator

import pytest

from tests.faces.tus.serving import Served, serve_system


@pytest.fixture(scope="package")
async def opened(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with serve_system(tmp_path_factory.mktemp("served")) as served:
        yield served


@pytest.fixture
async def served(opened: Served) -> AsyncIterator[Served]:
    """The server; a test may change its limits and its time."""
    yield opened
    opened.system.use()
