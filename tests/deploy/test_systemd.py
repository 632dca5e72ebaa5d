"""deploy/systemd: as systemd reads the units, and as the codec's walls need them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from headwater.roles import ROLES
from tests.architecture.source import ROOT

FOLDER = ROOT / "deploy" / "systemd"
UNITS = sorted(FOLDER.glob("*.service"))
INSTALLED = "/opt/headwater/bin/headwater"
MOST_EXPOSED = 2.5  # of 10, as `systemd-analyze security` counts
# What engines/media/launch.py calls that a filter might forbid.
CALLS = {
    "unshare",
    "prctl",
    "execveat",
    "sched_setscheduler",
    "setrlimit",
    "pidfd_open",
    "landlock_create_ruleset",
    "landlock_add_rule",
    "landlock_restrict_self",
}


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """The units as they are installed, with a program that exists."""
    program = str(Path(sys.executable).with_name("headwater"))
    for unit in UNITS:
        text = unit.read_text()
        assert text.count(INSTALLED) == 1, unit.name
        (tmp_path / unit.name).write_text(text.replace(INSTALLED, program))
    return sorted(tmp_path.glob("*.service"))


def analyze(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = ["systemd-analyze", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


def test_systemd_understands_every_line(units: list[Path]) -> None:
    answer = analyze("verify", "--man=no", *units)
    assert (answer.returncode, answer.stderr.strip()) == (0, "")


def test_little_is_exposed(units: list[Path]) -> None:
    for unit in units:
        answer = analyze("security", "--offline=true", "--no-pager", unit)
        found = re.search(r"exposure level for \S+: ([\d.]+)", answer.stdout)
        assert found, answer.stderr
        assert float(found[1]) <= MOST_EXPOSED, answer.stdout


def test_every_role_has_a_unit() -> None:
    said = [re.search(r"serve(?: --role (\w+))?", unit.read_text()) for unit in UNITS]
    assert {(found[1] or "all") for found in said if found} == set(ROLES)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_the_walls_of_the_codec_can_be_raised(unit: Path) -> None:
    """A filter that is too tight would leave a server that refuses to encode."""
    lines = unit.read_text().splitlines()
    named = {
        word
        for line in lines
        if line.startswith("SystemCallFilter=")
        for word in line.partition("=")[2].split()
    }
    allowed = set().union(*(calls_of(name) for name in named))
    assert not CALLS - allowed
    assert "RestrictNamespaces=user net ipc uts mnt" in lines
    assert "KillMode=mixed" in lines  # a drain needs its codec processes


def calls_of(name: str) -> set[str]:
    if not name.startswith("@"):
        return {name}
    lines = analyze("syscall-filter", name).stdout.split("\n")[1:]
    words = {line.strip() for line in lines if line.strip() and not line.strip().startswith("#")}
    return set().union(*(calls_of(word) for word in words))
