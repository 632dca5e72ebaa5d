"""Three PostgreSQL servers that Patroni looks after, with an etcd, of the tests' own.

Flow      patroni() starts etcd, one node that makes the database and two that copy it; a drill
          kills or freezes a node whole, and Patroni promotes another.
Promises  nothing outlives the block.

Source: Patroni 3.0 documentation, "YAML configuration settings"; small times, as 3.0 still takes.
"""

import json
import os
import signal
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from typing import Any

from headwater.roles import free_port
from tests.support.postgres import programs
from tests.support.waiting import until

START_S = 60.0
HERE = "127.0.0.1"


class Node:
    """One server and the Patroni that looks after it."""

    def __init__(self, folder: Path, name: str, etcd: int) -> None:
        self.name, self.port, self.rest = name, free_port(HERE), free_port(HERE)
        self._folder, self._etcd = folder, etcd
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        conf = self._folder / f"{self.name}.yml"
        conf.write_text(json.dumps(self._conf()))  # JSON is YAML
        self._process = _started(self._folder, self.name, "patroni", str(conf))

    def answers(self, path: str) -> bool:
        """Say whether it is what *path* asks: /primary or /replica."""
        return _answers(f"http://{HERE}:{self.rest}{path}")

    def signal(self, number: signal.Signals) -> None:
        """Send *number* to Patroni, its server, and all that serve there."""
        for pid in self._processes():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def end(self) -> None:
        if self._process is not None:
            self.signal(signal.SIGKILL)
            self._process.wait()

    def _processes(self) -> list[int]:
        assert self._process is not None
        found = [self._process.pid]
        postmaster = self._folder / self.name / "postmaster.pid"
        with suppress(FileNotFoundError, IndexError, ValueError):
            found.append(int(postmaster.read_text().splitlines()[0]))
        for pid in list(found):
            with suppress(FileNotFoundError):
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
                found += map(int, children.split())
        return list(dict.fromkeys(found))

    def _conf(self) -> dict[str, Any]:
        trusted = [f"host {of} all {HERE}/32 trust" for of in ("all", "replication")]
        return {
            "scope": "tests",
            "name": self.name,
            "restapi": {
                "listen": f"{HERE}:{self.rest}",
                "connect_address": f"{HERE}:{self.rest}",
            },
            "etcd3": {"hosts": f"{HERE}:{self._etcd}"},
            "bootstrap": {
                "dcs": {
                    "ttl": 5,
                    "loop_wait": 1,
                    "retry_timeout": 2,
                    "synchronous_mode": True,
                    "postgresql": {
                        "use_pg_rewind": True,
                        "use_slots": True,
                        "parameters": {"shared_buffers": "32MB", "wal_log_hints": "on"},
                    },
                },
                "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, "no-sync"],
                "pg_hba": [*trusted, "local all all trust"],
            },
            "postgresql": {
                "listen": f"{HERE}:{self.port}",
                "connect_address": f"{HERE}:{self.port}",
                "data_dir": str(self._folder / self.name),
                "bin_dir": str(programs()),
                "pgpass": str(self._folder / f"{self.name}.pgpass"),
                "parameters": {"unix_socket_directories": str(self._folder)},
                "authentication": {
                    "superuser": {"username": "postgres", "password": "x"},
                    "replication": {"username": "repl", "password": "x"},
                },
                "basebackup": ["no-sync", {"checkpoint": "fast"}],
            },
            "watchdog": {"mode": "off"},
        }


class Looked:
    """The three nodes."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes

    @property
    def leader(self) -> Node:
        return next(node for node in self.nodes if node.answers("/primary"))

    def url(self) -> str:
        hosts = ",".join(f"{HERE}:{node.port}" for node in self.nodes)
        return f"postgresql://postgres:x@{hosts}/postgres"

    def replicas_url(self) -> str:
        each = (f"postgresql://postgres:x@{HERE}:{node.port}/postgres" for node in self.nodes)
        return ",".join(each)


@contextmanager
def patroni() -> Iterator[Looked]:
    """Start etcd and three nodes, of which one is in step with the primary, and end them after."""
    folder = Path(tempfile.mkdtemp(prefix="headwater-patroni-"))
    folder.chmod(0o777)
    client, peer = free_port(HERE), free_port(HERE)
    etcd = _etcd(folder, client, peer)
    nodes = [Node(folder, f"n{i}", client) for i in (1, 2, 3)]
    try:
        until(lambda: _answers(f"http://{HERE}:{client}/health"), within_s=START_S)
        nodes[0].start()
        until(lambda: nodes[0].answers("/primary"), within_s=START_S)
        for node in nodes[1:]:
            node.start()
        for node in nodes[1:]:
            until(lambda n=node: n.answers("/replica"), within_s=START_S)  # type: ignore[misc]
        until(lambda: any(n.answers("/sync") for n in nodes), within_s=START_S)
        yield Looked(nodes)
    finally:
        for node in nodes:
            node.end()
        etcd.kill()
        etcd.wait()
        rmtree(folder)


def _etcd(folder: Path, client: int, peer: int) -> "subprocess.Popen[bytes]":
    ours, theirs = f"http://{HERE}:{client}", f"http://{HERE}:{peer}"
    return _started(
        folder,
        "etcd",
        *("etcd", "--name", "e1", "--data-dir", str(folder / "etcd")),
        *("--listen-client-urls", ours, "--advertise-client-urls", ours),
        *("--listen-peer-urls", theirs, "--initial-advertise-peer-urls", theirs),
        *("--initial-cluster", f"e1={theirs}", "--unsafe-no-fsync", "--log-level", "error"),
    )


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:  # nobody there, or another part is played
        return False


def _started(folder: Path, name: str, *words: str) -> "subprocess.Popen[bytes]":
    user: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []}
    with (folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            ["env", f"HOME={folder}", *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
            **(user if os.getuid() == 0 else {}),
        )
