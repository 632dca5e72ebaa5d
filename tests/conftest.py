from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from headwater.compose import Core


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
