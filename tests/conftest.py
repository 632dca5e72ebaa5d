from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that make_clip fills, shared by the workers of one run."""
    folder = tmp_path_factory.getbasetemp().parent / "clips"
    folder.mkdir(exist_ok=True)
    return folder
