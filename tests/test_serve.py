"""The server as a process: starts, says where it is, drains, and leaves."""

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from headwater.model.errors import SettingsError
from headwater.roles import ROLES, SERVICES, free_port, refuse_taken

PATIENCE_S = 20.0
IDLE_BYTES = 150 << 20


class Running:
    """One `serve` in its own process; *lines* grows with what it says."""

    def __init__(self, folder: Path, role: str, **settings: Any) -> None:
        self.internal_port = free_port("127.0.0.1")
        program = "import json, sys\nfrom headwater import compose, settings\n"
        program += "compose.serve(settings.load(**json.loads(sys.argv[2])), sys.argv[1])"
        given = {
            "data": str(folder),
            "port": 0,
            "internal_port": self.internal_port,
            **settings,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, role, json.dumps(given)],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._said = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as said:
            for line in said:
                with self._said:
                    self.lines.append(line)
                    self._said.notify_all()

    def wait_for(self, pattern: str) -> re.Match[str]:
        def find() -> re.Match[str] | None:
            return next(filter(None, (re.search(pattern, line) for line in self.lines)), None)

        with self._said:
            assert self._said.wait_for(find, PATIENCE_S), "".join(self.lines)
            found = find()
        assert found is not None
        return found

    @property
    def url(self) -> str:
        return self.wait_for(r"Headwater is at (http\S+)")[1]

    @property
    def resident_bytes(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) << 10


@contextmanager
def running(folder: Path, role: str = "api", **settings: Any) -> Iterator[Running]:
    server = Running(folder, role, **settings)
    try:
        yield server
    finally:
        server.close()


def test_it_starts_says_where_serves_and_stops(tmp_path: Path) -> None:
    """With a link for whoever reads its output, metrics aside, within its memory, and exit 0."""
    with running(tmp_path) as server:
        url = server.url
        link = server.wait_for(r"up at (http\S+/setup\?token=\S+)")[1]
        assert link.startswith(url)
        assert httpx.get(f"{url}/health/ready").json()["ready"] is True
        assert httpx.get(f"{url}/api/v1/videos").json() == {"videos": [], "next": None}
        metrics = httpx.get(f"http://127.0.0.1:{server.internal_port}/metrics").text
        assert 'headwater_operations_total{operation="videos.list",outcome="ok"} 1.0' in metrics
        assert httpx.get(f"{url}/metrics").status_code == 404
        assert server.resident_bytes < IDLE_BYTES

        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE_S) == 0


def test_a_stopping_server_ends_streams_that_have_no_end(tmp_path: Path) -> None:
    """An open page must not hold a restart for the whole drain."""
    owner = {"owner_email": "o@example.org", "owner_password": "x" * 12}
    with running(tmp_path, drain_s=15, **owner) as server:
        with httpx.Client(base_url=server.url) as http:
            answer = http.post(
                "/api/v1/session", json={"email": "o@example.org", "password": "x" * 12}
            )
            assert answer.status_code == 200
            assert not any("/setup" in line for line in server.lines)
            with http.stream("GET", "/api/v1/videos/mine/events") as events:
                started = time.monotonic()
                server.process.send_signal(signal.SIGTERM)
                assert events.read() == b""
        assert server.process.wait(PATIENCE_S) == 0
        assert time.monotonic() - started < 10


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
