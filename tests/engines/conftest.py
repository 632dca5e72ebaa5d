import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.disks import disk

MIB = 1 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder that takes 4 MiB: a disk of that size, or where none may be mounted, a limit."""
    try:
        with disk(tmp_path / "disk", 4 * MIB) as folder:
            yield folder
    except subprocess.CalledProcessError:
        with small_files(4 * MIB):
            yield tmp_path / "disk"


@contextmanager
def small_files(size_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
