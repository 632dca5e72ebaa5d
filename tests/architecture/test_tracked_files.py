"""What a clone must not hold: one machine's paths, registries' hosts, unfinished work."""

import re
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, tracked_files

BINARY = {".png", ".jpg", ".mp4", ".webm", ".woff2", ".ico"}
LARGEST_BYTES = 1_000_000
# Spelled in pieces so that this file does not find itself.
FORBIDDEN = {
    "a path of one machine": re.compile(r"(?<![\w./-])/(?:wo" r"rk|ro" r"ot|ho" r"me/\w+)/"),
    "a registry's host": re.compile(r"python" r"hosted|registry\." r"npmjs|pypi\." r"org"),
    "unfinished work": re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b"),
}


def texts() -> list[Path]:
    return [
        path
        for path in tracked_files()
        if path.suffix not in BINARY and path.stat().st_size <= LARGEST_BYTES
    ]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_tracked_file_holds(what: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in texts()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if FORBIDDEN[what].search(line)
    ]
    assert not found


def test_no_tracked_file_is_large() -> None:
    """Media are made by tests or kept beside the repository."""
    assert not [path for path in tracked_files() if path.stat().st_size > LARGEST_BYTES]
