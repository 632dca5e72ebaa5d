"""The server as a process: starts, says where it is, drains, and leaves."""

import signal
import socket
import time
from pathlib import Path

import httpx
import pytest

from headwater.model.errors import SettingsError
from headwater.roles import ROLES, SERVICES, free_port, refuse_taken
from tests.cli.command import headwater
from tests.cli.running import EMAIL, PASSWORD, serving
from tests.support.waiting import until

PATIENCE_S = 20.0
IDLE_BYTES = 150 << 20
API = ("--role", "api")


def test_it_starts_says_where_serves_and_stops(tmp_path: Path) -> None:
    """With a link for whoever reads its output, metrics aside, within its memory, and exit 0."""
    internal_port = free_port("127.0.0.1")
    with serving(tmp_path, *API, HEADWATER_INTERNAL_PORT=str(internal_port)) as server:
        url = server.url
        assert any(f"up at {url}/setup?token=" in line for line in server.said)
        assert httpx.get(f"{url}/health/ready").json()["ready"] is True
        assert httpx.get(f"{url}/api/v1/videos").json() == {"videos": [], "next": None}
        metrics = httpx.get(f"http://127.0.0.1:{internal_port}/metrics").text
        assert 'headwater_operations_total{operation="videos.list",outcome="ok"} 1.0' in metrics
        assert httpx.get(f"{url}/metrics").status_code == 404
        inside = httpx.get(f"http://127.0.0.1:{internal_port}/health/ready").json()
        assert inside == httpx.get(f"{url}/health/ready").json()
        assert server.resident_bytes < IDLE_BYTES

        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE_S) == 0


def test_a_stopping_server_ends_streams_that_have_no_end(tmp_path: Path) -> None:
    """An open page must not hold a restart for the whole drain."""
    owner = {"HEADWATER_OWNER_EMAIL": EMAIL, "HEADWATER_OWNER_PASSWORD": PASSWORD}
    with serving(tmp_path, *API, **owner, HEADWATER_DRAIN_S="15") as server:
        with httpx.Client(base_url=server.url) as http:
            answer = http.post("/api/v1/session", json={"email": EMAIL, "password": PASSWORD})
            assert answer.status_code == 200
            assert not any("/setup" in line for line in server.said)
            with http.stream("GET", "/api/v1/videos/mine/events") as events:
                started = time.monotonic()
                server.process.send_signal(signal.SIGTERM)
                assert events.read() == b""
        assert server.process.wait(PATIENCE_S) == 0
        assert time.monotonic() - started < 10


def test_a_second_interrupt_ends_it_at_once(tmp_path: Path) -> None:
    """The first waits for a request that is still arriving."""
    with serving(tmp_path, *API, HEADWATER_DRAIN_S="60") as server:
        host, _, port = server.url.removeprefix("http://").rpartition(":")
        with socket.create_connection((host, int(port))) as slow:
            slow.sendall(
                b"POST /api/v1/session HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                b"Content-Length: 99\r\nExpect: 100-continue\r\n\r\n"
            )
            assert slow.recv(1 << 10).startswith(b"HTTP/1.1 100")  # it waits for the body
            server.process.send_signal(signal.SIGINT)
            until(lambda: any("stopping" in line for line in server.said), within_s=PATIENCE_S)
            assert server.process.poll() is None

            server.process.send_signal(signal.SIGINT)

            assert server.process.wait(PATIENCE_S) == 128 + signal.SIGINT


def test_a_link_that_leads_nowhere_is_not_printed(tmp_path: Path) -> None:
    """Somebody else has the port: a fresh server says so, and nothing else."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        answer = headwater("serve", "--data", tmp_path / "data", "--port", port, *API)

    assert answer.status == 2
    assert answer.err == f"headwater: Cannot listen on 127.0.0.1:{port}: Address already in use.\n"


def test_a_taken_address_is_refused_by_name() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SettingsError, match="Cannot listen"):
            refuse_taken("127.0.0.1", taken.getsockname()[1])


def test_a_role_starts_what_its_services_need_first() -> None:
    assert set(ROLES["all"]) == set(SERVICES)
    for services in ROLES.values():
        for name in services:
            for needed in SERVICES[name]:
                if needed in services:
                    assert services.index(needed) < services.index(name)
