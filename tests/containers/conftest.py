from collections.abc import Callable
from pathlib import Path

import pytest

from tests.containers.material import make


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Make a clip of material.CLIPS when a test first asks for it."""
    folder = tmp_path_factory.mktemp("containers")
    return lambda name: make(name, folder)
