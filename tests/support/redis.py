"""A Redis of the tests' own: one server for a run, one of its numbered databases for a test.

Flow      server() starts one below a temporary folder; url(n) names its database n.
Promises  nothing outlives the block; it listens on a free port of this machine and nowhere else.
          It keeps nothing over a restart unless it was made to.
"""

import itertools
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree, which

from headwater.roles import free_port
from tests.support.network import HERE, Host

START_S = 30.0
POLL_S = 0.01
DATABASES = 4096


class Redis:
    """A server that runs; *port* is its own. With *keeps*, every write is on disk at once."""

    def __init__(self, folder: Path, *, keeps: bool = False, on: Host = HERE) -> None:
        self.on, self.port = on, free_port(HERE.address)
        self._folder, self._keeps = folder, keeps
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = itertools.count(1)

    def unused(self) -> str:
        """Return the URL of a database that nobody was given before."""
        return self.url(next(self._databases))

    def url(self, database: int = 0) -> str:
        return f"redis://{self.on.address}:{self.port}/{database}"

    def start(self) -> None:
        program = which("redis-server")
        assert program, "redis-server is missing; tools/test_programs.sh installs it"
        options = {
            "port": self.port,
            "bind": self.on.address,
            "protected-mode": "no",
            "dir": self._folder,
            "databases": DATABASES,
            "save": "",
            "appendonly": "yes" if self._keeps else "no",
            "appendfsync": "always",
            "loglevel": "warning",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        with (self._folder / "log").open("ab") as log, self.on.entered():
            self._process = subprocess.Popen(
                [program, *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )
        deadline = time.monotonic() + START_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self._folder / "log").read_text()[-2000:])
            time.sleep(POLL_S)

    def freeze(self) -> None:
        """Let the server stand still, its connections open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the server as a crash does."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        self.kill()
        self.start()

    def say(self, *words: str) -> bytes:
        """Send one command to database 0 and return the start of what is answered, as it came."""
        with socket.create_connection((self.on.address, self.port), timeout=5.0) as line:
            line.sendall(" ".join(words).encode() + b"\r\n")
            return line.recv(65536)

    def _is_ready(self) -> bool:
        with suppress(OSError):
            return self.say("PING").startswith(b"+PONG")
        return False

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


@contextmanager
def server(*, keeps: bool = False, on: Host = HERE) -> Iterator[Redis]:
    """Start a server, and end it after."""
    folder = Path(tempfile.mkdtemp(prefix="headwater-redis-"))
    running = Redis(folder, keeps=keeps, on=on)
    try:
        running.start()
        yield running
    finally:
        running.kill()
        rmtree(folder)
