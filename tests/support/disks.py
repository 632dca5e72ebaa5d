"""Disks of their own for tests that fill one."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def disk(folder: Path, size_bytes: int) -> Iterator[Path]:
    """Make *folder* a disk of that size. Raises CalledProcessError: none may be mounted here."""
    folder.mkdir(exist_ok=True)
    options = ("-t", "tmpfs", "-o", f"size={size_bytes}")
    subprocess.run(["mount", *options, "tmpfs", str(folder)], check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
