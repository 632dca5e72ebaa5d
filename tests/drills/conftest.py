from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import Server, serving


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of its own, as it comes; a drill that wants another says so."""
    with serving(tmp_path / "data") as server:
        yield server
