"""deploy/Dockerfile: every path it takes is one that a clone has."""

import re

from tests.architecture.source import ROOT, tracked_files

DOCKERFILE = ROOT / "deploy" / "Dockerfile"


def test_what_is_copied_is_there() -> None:
    tracked = [path.relative_to(ROOT).as_posix() for path in tracked_files()]
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE.read_text(), re.MULTILINE)
    sources = " ".join(copied).split()
    ignored = (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text().splitlines()

    assert sources
    for source in sources:
        assert any(path == source or path.startswith(f"{source}/") for path in tracked), source
        assert f"!{source}" in ignored, source


def test_nobody_is_root_in_it() -> None:
    assert re.search(r"^USER 10001:10001$", DOCKERFILE.read_text(), re.MULTILINE)
