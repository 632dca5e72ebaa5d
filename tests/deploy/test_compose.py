"""deploy/compose: as Compose reads it, and as Headwater reads what it is told there."""

import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from headwater.roles import ROLES
from headwater.settings import load
from tests.architecture.source import ROOT
from tests.deploy.told import settings_told

FOLDER = ROOT / "deploy" / "compose"


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The services as Compose understands them, over the example's settings."""
    folder = tmp_path_factory.mktemp("deploy") / "compose"
    shutil.copytree(FOLDER, folder)
    shutil.copy(folder / "headwater.env.example", folder / "headwater.env")
    program = shutil.which("docker-compose")
    assert program
    command = [program, "--file", str(folder / "compose.yaml"), "config"]
    answer = subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert answer.returncode == 0, answer.stderr
    return yaml.safe_load(answer.stdout)["services"]


def test_every_role_of_a_fleet_is_there(services: Any) -> None:
    ours = [one for one in services.values() if one["image"] == "headwater"]
    roles = sorted(shlex.split(one["command"])[-1] for one in ours)
    assert roles == ["api", "api", "scheduler", "worker"]
    assert set(roles) == set(ROLES) - {"all"}


def test_what_headwater_is_told_are_settings(
    services: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in services.values():
        if one["image"] == "headwater":
            settings_told(one["environment"], monkeypatch)
            assert load().database_replicas


def test_every_engine_is_asked_whether_it_is_well(services: Any) -> None:
    for name, one in services.items():
        assert "healthcheck" in one or one["image"] == "headwater", name  # the image has its own


def test_a_commit_waits_for_the_replica(services: Any) -> None:
    """And the replica follows under the name the primary waits for."""
    assert "synchronous_standby_names=ANY 1 (replica)" in services["primary"]["command"]
    assert "application_name=replica" in (FOLDER / "replica.sh").read_text()


@pytest.mark.parametrize("script", sorted(FOLDER.glob("*.sh")), ids=lambda path: path.name)
def test_scripts_are_understood(script: Path) -> None:
    subprocess.run(["/bin/sh", "-n", str(script)], check=True)
