"""A real server for tests that need all of it: `headwater serve` in a process of its own.

Flow      serving(folder, name="value of HEADWATER_NAME") starts it on a free port, waits for
          /health/ready, and ends it after.
Promises  nothing outlives the block; what the server wrote is in `Server.log` when a test fails.
"""

import os
import re
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from headwater.roles import free_port
from tests.support.network import HERE, Host

EMAIL, PASSWORD = "owner@example.org", "a long enough password"
START_S = 30.0
STOP_S = 20.0
POLL_S = 0.05
SETUP = re.compile(r"/setup\?token=([\w-]+)")


class Door(ABC):
    """Where people come in: one process, or whatever stands before several."""

    def __init__(self, on: Host = HERE) -> None:
        self.on = on
        self.url = f"http://{on.address}:{free_port(HERE.address)}"
        self._cookies = httpx.Cookies()

    @property
    @abstractmethod
    def log(self) -> str:
        """What the processes behind it wrote."""

    @contextmanager
    def client(self) -> Iterator[httpx.Client]:
        """Open a client that is signed in as the owner of `serving(…, owner=True)`."""
        with httpx.Client(base_url=self.url, timeout=30, cookies=self._cookies) as client:
            if not self._cookies:
                signed = {"email": EMAIL, "password": PASSWORD}
                client.post("/api/v1/session", json=signed).raise_for_status()
                self._cookies = httpx.Cookies(client.cookies)  # each with the host it is of
            yield client


class Server(Door):
    """One process on *data*; it can be stopped or killed and started again on the same folder."""

    def __init__(
        self,
        data: Path,
        settings: dict[str, str],
        role: str = "all",
        *,
        name: str = "",
        on: Host = HERE,
    ) -> None:
        """*name* tells it from others on the same folder."""
        super().__init__(on)
        self.data, self.role = data, role
        self.internal_url = f"http://{on.address}:{free_port(HERE.address)}"
        self._log = data.parent / f"{name or data.name}.log"
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("HEADWATER_")},  # noqa: TID251
            "HEADWATER_DATA": str(data),
            "HEADWATER_HOST": on.address,
            "HEADWATER_PORT": self.url.rpartition(":")[2],
            "HEADWATER_INTERNAL_HOST": on.address,
            "HEADWATER_INTERNAL_PORT": self.internal_url.rpartition(":")[2],
            **_named(settings),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def metrics_url(self) -> str:
        return f"{self.internal_url}/metrics"

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def environment(self) -> dict[str, str]:
        """What it is started with; commands that are given it work on the same installation."""
        return dict(self._environment)

    @property
    def is_running(self) -> bool:
        """Whether it was started and neither stopped nor killed since."""
        return self._process is not None

    @property
    def is_alive(self) -> bool:
        """Whether the process that was started last has not ended by itself."""
        return self._process is not None and self._process.poll() is None

    @property
    def setup_path(self) -> str:
        """The newest one-time set-up link, without the host."""
        return f"/setup?token={SETUP.findall(self.log)[-1]}"

    def upgrade(self, code: Path, **settings: str) -> None:
        """Be what is imported from the folder *code* from the next start on, and set so."""
        self._environment |= {"PYTHONPATH": str(code)} | _named(settings)

    def start(self) -> None:
        """Start and wait until it answers that it is ready."""
        command = [str(Path(sys.executable).with_name("headwater")), "serve", "--role", self.role]
        with self._log.open("ab") as log, self.on.entered():
            self._process = subprocess.Popen(
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that kill() takes the codec processes with it
            )
        deadline = time.monotonic() + START_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"The server did not start:\n{self.log}")
            time.sleep(POLL_S)

    def freeze(self) -> None:
        """Let the server and every process it started stand still, its connections open."""
        os.killpg(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.killpg(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        """Ask it to end, as a service manager would; kill what does not."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        finally:
            self.kill()

    def kill(self) -> None:
        """End the server and every process it started, at once (kill -9)."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def _is_ready(self) -> bool:
        url = self.url if self.role in {"all", "api"} else self.internal_url
        try:
            return httpx.get(f"{url}/health/ready", timeout=2).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


def _named(settings: dict[str, str]) -> dict[str, str]:
    return {f"HEADWATER_{name.upper()}": value for name, value in settings.items()}


@contextmanager
def serving(data: Path, *, owner: bool = True, **settings: str) -> Iterator[Server]:
    """Serve *data* while the block runs; with *owner* there is an account from the start."""
    if owner:
        settings = {"owner_email": EMAIL, "owner_password": PASSWORD} | settings
    server = Server(data, settings)
    server.start()
    try:
        yield server
    finally:
        server.stop()
