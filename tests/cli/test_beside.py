"""Commands and workers beside a server on the same data: heard at once, or refused in words."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.cli.command import COMMAND, bare_environment, headwater
from tests.cli.running import EMAIL, PASSWORD, Running, serving
from tests.support.waiting import until

OWNER = {"HEADWATER_OWNER_EMAIL": EMAIL, "HEADWATER_OWNER_PASSWORD": PASSWORD}
SETTINGS = {"HEADWATER_SANDBOX": "none", "HEADWATER_INTERNAL_PORT": "0"}
TABLE = {"HEADWATER_NOTICES": "table:"}
SOON_S = 5.0  # a proof that nobody purges is believed for ten
PATIENCE_S = 20.0


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server as it comes, which keeps its notices in its memory."""
    with serving(tmp_path_factory.mktemp("alone") / "data", **OWNER) as running:
        yield running


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server whose notices are in the database."""
    with serving(tmp_path_factory.mktemp("together") / "data", **OWNER, **TABLE) as running:
        yield running


@pytest.mark.parametrize("name", ["alone", "together"])
def test_a_key_that_a_command_revokes_ends_at_once(
    name: str, request: pytest.FixtureRequest
) -> None:
    """Though the server has just recognised it, and would go on doing so for a while."""
    server: Running = request.getfixturevalue(name)
    made = headwater("keys", "create", "--name", "leaked", "--data", server.data)
    number = made.err.strip().rstrip(".").split()[-1]
    bearer = {"authorization": f"Bearer {made.out.strip()}"}
    with httpx.Client(base_url=server.url, headers=bearer) as http:
        assert http.get("/api/v1/account").status_code == httpx.codes.OK

        revoked = headwater("keys", "revoke", number, "--data", server.data)

        assert revoked.out == f"Revoked {number}.\n"
        until(lambda: http.get("/api/v1/account").is_client_error, within_s=SOON_S)


@pytest.mark.parametrize(
    ("words", "variables"), [(["worker"], {}), (["serve", "--port", "0"], TABLE)]
)
def test_who_would_not_be_heard_is_refused(
    alone: Running, words: list[str], variables: dict[str, str]
) -> None:
    """One sentence says what to do, and the server goes on."""
    answer = headwater(*words, "--data", alone.data, **SETTINGS, **variables)

    assert answer.status == 2
    assert answer.err.count("\n") == 1
    assert answer.err.startswith(f"headwater: Headwater already runs on {alone.data}.")
    assert "start both with HEADWATER_NOTICES=table:." in answer.err
    assert httpx.get(f"{alone.url}/health/ready").status_code == httpx.codes.OK


def test_a_worker_works_beside_a_server_that_hears_it(together: Running) -> None:
    """Each is one more life in the data folder."""
    lives: Path = together.data / "processes"
    with subprocess.Popen(
        [COMMAND, "worker", "--data", str(together.data)],
        env=bare_environment() | SETTINGS,
        stderr=subprocess.PIPE,
        text=True,
    ) as worker:
        try:
            until(lambda: len(list(lives.iterdir())) == 2, within_s=PATIENCE_S)
            assert worker.poll() is None
        finally:
            worker.send_signal(signal.SIGTERM)
        assert worker.wait(PATIENCE_S) == 0
        assert worker.stderr is not None
        assert "The worker is at work; Ctrl-C ends it.\n" in worker.stderr.read()
