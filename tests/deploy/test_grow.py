"""docs/grow.md: what it tells people to write is understood by those who read it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from headwater.compose.engines import blobs_url, is_redis
from headwater.engines.blobs.s3_place import place_of
from headwater.settings import load
from tests.architecture.source import ROOT
from tests.deploy.told import settings_told

PAPER = (ROOT / "docs" / "grow.md").read_text()
TOLD = re.findall(r"^ {4}(HEADWATER_\w+)=([^\s#]+)(?: +#.*)?$", PAPER, re.MULTILINE)
BALANCERS = re.findall(r"^```haproxy\n(.*?)^```", PAPER, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("name", "value"), TOLD)
def test_a_line_of_settings_is_one(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings_told({name: value.replace("…", "secret")}, monkeypatch)
    settings = load(data=tmp_path)
    if name == "HEADWATER_BLOBS":
        assert place_of(blobs_url(settings)).secret == "SECRET"
    if name in {"HEADWATER_NOTICES", "HEADWATER_CACHE"}:
        assert is_redis(value, setting=name)


def test_all_that_grows_is_told() -> None:
    assert {name for name, _ in TOLD} >= {
        *("HEADWATER_DATABASE", "HEADWATER_DATABASE_REPLICAS", "HEADWATER_BLOBS"),
        *("HEADWATER_NOTICES", "HEADWATER_CACHE", "HEADWATER_EVENTS", "HEADWATER_TRACES"),
    }


@pytest.mark.parametrize("conf", BALANCERS, ids=["people", "primary"])
def test_haproxy_understands_its_part(conf: str, tmp_path: Path) -> None:
    """Its effect is that of tests/support/balancer.py."""
    (tmp_path / "haproxy.cfg").write_text(conf)
    program = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    assert program, "haproxy is missing; tools/test_programs.sh installs it"
    command = [program, "-c", "-f", str(tmp_path / "haproxy.cfg")]
    answer = subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert answer.returncode == 0, answer.stderr
    assert "WARNING" not in answer.stderr
