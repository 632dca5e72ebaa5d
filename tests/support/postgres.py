"""A PostgreSQL of the tests' own: one server for a run, one database for a test.

Flow      server() makes a cluster below a temporary folder and starts it; database() makes a
          database in it, already migrated or empty, and drops it after.
Promises  nothing outlives the block; it listens on a free port of its host and nowhere else.
"""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from typing import Any

from headwater.engines.entropy import public_id
from headwater.roles import free_port
from tests.support.network import HERE, Host

START_S = 30.0
POLL_S = 0.02
USER = "app"
# Whole words sort differently here than by their bytes, as in most people's databases.
INITDB = (
    "--auth=trust",
    "--encoding=UTF8",
    "--locale-provider=icu",
    "--icu-locale=en",
    "--no-sync",
)
CONF = """
listen_addresses = '{address}'
unix_socket_directories = '{folder}'
port = {port}
shared_buffers = 32MB
max_connections = 200
fsync = off  # a test kills processes, not machines
"""

HBA = """
host all,replication all samenet trust
"""


def programs() -> Path:
    """Return the folder of the newest PostgreSQL installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=_version)
    assert found, "PostgreSQL is missing; tools/test_programs.sh installs it"
    return found[-1].parent


def _version(program: Path) -> int:
    return int(program.parts[-3])


class Postgres:
    """A server that runs; *port* is its own."""

    def __init__(self, folder: Path, on: Host = HERE) -> None:
        self.on, self.port = on, free_port(HERE.address)
        self._folder = folder
        self._data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        # It refuses to run as root.
        self._user: dict[str, Any] = (
            {"user": "postgres", "group": "postgres", "extra_groups": []}
            if os.getuid() == 0
            else {}
        )

    def url(self, database: str) -> str:
        return f"postgresql://{USER}@{self.on.address}:{self.port}/{database}"

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")

    def make(self, conf: str = "") -> None:
        """Make the cluster; *conf* goes behind what every test's server has."""
        self._run("initdb", "-D", self._data, "-U", USER, *INITDB)
        conf = CONF.format(folder=self._folder, address=self.on.address, port=self.port) + conf
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(conf)
        with (self._data / "pg_hba.conf").open("a") as file:
            file.write(HBA)

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log, self.on.entered():
            self._process = subprocess.Popen(
                [programs() / "postgres", "-D", self._data],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                **self._user,
            )
        deadline = time.monotonic() + START_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(self.log)
            time.sleep(POLL_S)

    def freeze(self) -> None:
        """Let every process of the server stand still, its connections open."""
        _signal(self._processes(), signal.SIGSTOP)

    def thaw(self) -> None:
        _signal(self._processes(), signal.SIGCONT)

    def kill(self) -> None:
        """End the server as a crash of all its processes does."""
        if self._process is None:
            return
        processes = self._processes()
        _signal(processes, signal.SIGKILL)
        self._process.wait()
        self._process = None
        deadline = time.monotonic() + START_S
        while any(map(_lives, processes)):  # what they hold, the next server could not have
            assert time.monotonic() < deadline
            time.sleep(POLL_S)

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run one statement as an administrator would, and return what it answered."""
        url = self.url(database)
        done = self._run("psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement, url)
        return done.strip()

    def _processes(self) -> list[int]:
        """Return the server's process and its children: each leads a session of its own."""
        assert self._process is not None
        pid = self._process.pid
        with suppress(FileNotFoundError):  # it ended by itself
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
            return [pid, *map(int, children.split())]
        return []

    def _is_ready(self) -> bool:
        asked = [programs() / "pg_isready", "-q", "-h", self.on.address, "-p", str(self.port)]
        return subprocess.run(asked, check=False).returncode == 0

    def _run(self, program: str, *words: str | Path) -> str:
        done = subprocess.run(
            [programs() / program, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            text=True,
            cwd="/",
            **self._user,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def _signal(processes: list[int], number: signal.Signals) -> None:
    for pid in processes:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _lives(pid: int) -> bool:
    """Say whether it runs; one that only waits to be counted as dead holds nothing."""
    with suppress(FileNotFoundError, ProcessLookupError):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state not in "ZX"
    return False


@contextmanager
def server(conf: str = "") -> Iterator[Postgres]:
    """Make and start a server, with *conf* besides what every test's has, and end it after."""
    folder = Path(tempfile.mkdtemp(prefix="headwater-postgres-"))
    folder.chmod(0o777)
    running = Postgres(folder)
    try:
        running.make(conf)
        running.start()
        yield running
    finally:
        running.kill()
        rmtree(folder)


@contextmanager
def database(running: Postgres, *, like: str = "template0") -> Iterator[str]:
    """Make a database, a copy of *like*, and return its URL; drop it after."""
    name = f"t{public_id().lower().replace('-', '_')}"
    running.sql(f'CREATE DATABASE "{name}" TEMPLATE "{like}"')
    try:
        yield running.url(name)
    finally:
        running.sql(f'DROP DATABASE "{name}" WITH (FORCE)')
