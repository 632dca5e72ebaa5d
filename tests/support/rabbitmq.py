"""A RabbitMQ of the tests' own: one broker for a run, a virtual host for a test.

Flow      shared_hosts() starts one for all workers of the run, and yields hosts to each; server()
          is one that a test may kill and freeze.
Promises  nothing outlives the block; it listens on free ports of this machine and nowhere else.
"""

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree

import msgspec

from headwater.engines.entropy import public_id
from headwater.roles import free_port
from tests.support.network import HERE, Host
from tests.support.shared import Started, shared

START_S = 90.0  # five seconds on an idle machine
POLL_S = 0.05
PROGRAMS = "/usr/lib/rabbitmq/lib"
HOSTS = 8
MAKE_HOSTS = """
[begin
   rabbit_vhost:add(Name, <<"tests">>),
   rabbit_auth_backend_internal:set_permissions(
     <<"guest">>, Name, <<".*">>, <<".*">>, <<".*">>, <<"tests">>)
 end || Name <- [{names}]].
"""
CONF = """
listeners.tcp.1 = {address}:{port}
loopback_users = none
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 50MB
log.file = false
log.console = true
log.console.level = warning
"""


def program(name: str) -> Path:
    """Return *name* of the newest RabbitMQ installed: /usr/sbin's wrapper would change users."""
    found = sorted(Path(PROGRAMS).glob(f"rabbitmq_server-*/sbin/{name}"))
    assert found, "RabbitMQ is missing; tools/test_programs.sh installs it"
    return found[-1]


class RabbitMQ:
    """A broker that runs below *folder*; *port* is its own."""

    def __init__(self, folder: Path, on: Host = HERE) -> None:
        """Only its AMQP is heard by other hosts than *on*."""
        self.on, self.port = on, free_port(HERE.address)
        self.folder = folder
        self._names, self._distribution = free_port(HERE.address), free_port(HERE.address)
        self._node: subprocess.Popen[bytes] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None

    def new_host(self) -> str:
        """Make a virtual host that nobody has used, and return its URL."""
        name = public_id()
        with self.on.entered():
            _make_hosts(Address(self.port, self.environment), [name])
        return f"amqp://guest:guest@{self.on.address}:{self.port}/{name}"

    def make(self) -> None:
        """Write its files, and start the daemon by which its tools find it.

        The broker would start one of its own that leaves its group and outlives it.
        """
        (self.folder / "rabbitmq.conf").write_text(
            CONF.format(address=self.on.address, port=self.port)
        )
        (self.folder / "enabled_plugins").write_text("[].\n")
        self._epmd = self._start("epmd", "-port", str(self._names), "-address", "127.0.0.1")

    def start(self) -> None:
        self._node = self._start(str(program("rabbitmq-server")))
        deadline = time.monotonic() + START_S
        while not self._answers():
            if self._node.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self.folder / "log").read_text()[-4000:])
            time.sleep(POLL_S)

    def freeze(self) -> None:
        """Let the broker stand still, its connections open."""
        assert self._node is not None
        os.killpg(self._node.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._node is not None
        os.killpg(self._node.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End the broker as a crash does; its files stay."""
        if self._node is not None:
            _kill(self._node)
            self._node = None

    def end(self) -> None:
        self.kill()
        if self._epmd is not None:
            _kill(self._epmd)
            self._epmd = None

    def remembers(self, queue: str) -> bool:
        """Say whether *queue* is in the broker's directory on the disk.

        That is written twice a second; killed before, the broker begins a new queue from nothing.
        """
        return any(
            queue.encode() in directory.read_bytes()
            for directory in self.folder.glob("mnesia/*/quorum/*/names.dets")
        )

    def leave(self) -> list[int]:
        """Let it outlive us, and return the groups of processes that somebody else ends."""
        processes = [process for process in (self._node, self._epmd) if process is not None]
        for process in processes:
            process.returncode = 0  # not ours to wait for any more
        return [process.pid for process in processes]

    @property
    def environment(self) -> dict[str, str]:
        folder = self.folder
        return {
            "PATH": os.defpath,
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"headwater{self._names}@localhost",
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "logs"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "ERL_EPMD_PORT": str(self._names),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-setcookie tests -kernel inet_dist_use_interface {127,0,0,1}"
            ),
            "RABBITMQ_CTL_ERL_ARGS": "-setcookie tests",
            "ERL_MAX_PORTS": "4096",
        }

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log, self.on.entered():
            return subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=self.environment,
                start_new_session=True,
            )

    def _answers(self) -> bool:
        """Say whether it speaks AMQP: it names its first method, Connection.Start."""
        address = (self.on.address, self.port)
        with suppress(OSError), self.on.entered(), socket.create_connection(address, 1) as peer:
            peer.settimeout(5)
            peer.sendall(b"AMQP\x00\x00\x09\x01")
            return peer.recv(1) == b"\x01"
        return False


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def server(on: Host = HERE) -> Iterator[RabbitMQ]:
    """Make and start a broker of one's own, and end it after."""
    running = RabbitMQ(_new_folder(), on)
    try:
        running.make()
        running.start()
        yield running
    finally:
        running.end()
        rmtree(running.folder)


@contextmanager
def shared_hosts(run: Path) -> Iterator[Iterator[str]]:
    """Use the run's one broker: yield the URLs of virtual hosts that nobody has used."""
    with shared(run, "rabbitmq", _start_shared) as address:
        yield _hosts(msgspec.json.decode(address, type=Address))


class Address(msgspec.Struct, frozen=True):
    """What another process needs to use a broker and to make hosts in it."""

    port: int
    environment: dict[str, str]


def _start_shared() -> Started:
    running = RabbitMQ(_new_folder())
    try:
        running.make()
        running.start()
    except BaseException:
        running.end()
        raise
    address = msgspec.json.encode(Address(running.port, running.environment)).decode()
    return Started(address=address, groups=running.leave(), folder=str(running.folder))


def _new_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="headwater-rabbitmq-"))


def _hosts(broker: Address) -> Iterator[str]:
    """Make several at once: the tool that asks the broker takes a second to start."""
    while True:
        names = [public_id() for _ in range(HOSTS)]
        _make_hosts(broker, names)
        yield from (f"amqp://guest:guest@127.0.0.1:{broker.port}/{name}" for name in names)


def _make_hosts(broker: Address, names: list[str]) -> None:
    listed = ",".join(f'<<"{name}">>' for name in names)
    made = subprocess.run(
        [program("rabbitmqctl"), "--quiet", "eval", MAKE_HOSTS.format(names=listed)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
        env=broker.environment,
    )
    assert made.returncode == 0, made.stderr + made.stdout
