"""A network of the tests' own: hosts that can be cut off from one another.

Flow      network("primary", "api") makes a namespace for each host and one that joins them; in
          host.entered() what this thread opens or starts is on that host; cut() and isolate() drop
          packets without a word, as a broken line does; heal() mends them all.
Promises  this machine's own network is untouched, and nothing outlives the block. Needs root.
"""

import ctypes
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from headwater.engines.entropy import public_id

CLONE_NEWNET = 0x40000000  # linux/sched.h
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Host:
    """Where a server of the tests runs: it listens on *address*, and is started in entered()."""

    address: str = "127.0.0.1"
    name: str = "localhost"
    entered: Callable[[], AbstractContextManager[None]] = nullcontext


HERE = Host()  # this machine


class Network:
    """Hosts by name. Addresses are the same in every network: they never meet."""

    def __init__(self, hosts: tuple[str, ...]) -> None:
        self._run = f"hw{public_id()[:6].replace('_', 'x').replace('-', 'y')}"
        self._addresses = {host: f"10.77.0.{number}" for number, host in enumerate(hosts, 1)}

    def host(self, name: str) -> Host:
        return Host(self._addresses[name], name, lambda: self._entered(name))

    @contextmanager
    def _entered(self, host: str) -> Iterator[None]:
        """Be on *host* while the block runs: this thread's sockets, and processes it starts."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        there = os.open(f"/run/netns/{self._space(host)}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(there)
            try:
                yield
            finally:
                _enter(before)
        finally:
            os.close(there)
            os.close(before)

    def cut(self, one: str, other: str) -> None:
        """Let nothing pass between the two, in either direction."""
        for here, there in ((one, other), (other, one)):
            rule = ("INPUT", "-s", self._addresses[there], "-j", "DROP")
            _do("ip", "netns", "exec", self._space(here), "iptables", "-w", "-A", *rule)

    def isolate(self, host: str) -> None:
        """Let nothing pass to or from *host*; what it does by itself goes on."""
        _do("ip", "-n", self._space(""), "link", "set", self._port(host), "down")

    def heal(self) -> None:
        """Mend every line."""
        for host in self._addresses:
            _do("ip", "netns", "exec", self._space(host), "iptables", "-w", "-F", "INPUT")
            _do("ip", "-n", self._space(""), "link", "set", self._port(host), "up")

    def make(self) -> None:
        switch = self._space("")
        _do("ip", "netns", "add", switch)
        _do("ip", "-n", switch, "link", "add", "bridge", "type", "bridge")
        _do("ip", "-n", switch, "link", "set", "bridge", "up")
        for host, address in self._addresses.items():
            space, port = self._space(host), self._port(host)
            _do("ip", "netns", "add", space)
            pair = ("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", space)
            _do("ip", "-n", switch, *pair)
            _do("ip", "-n", switch, "link", "set", port, "master", "bridge", "up")
            _do("ip", "-n", space, "address", "add", f"{address}/24", "dev", "eth0")
            _do("ip", "-n", space, "link", "set", "eth0", "up")
            _do("ip", "-n", space, "link", "set", "lo", "up")

    def remove(self) -> None:
        for host in ("", *self._addresses):
            subprocess.run(["ip", "netns", "delete", self._space(host)], check=False)

    def _space(self, host: str) -> str:
        return f"{self._run}-{host or 'switch'}"

    def _port(self, host: str) -> str:
        return f"port{self._addresses[host].rpartition('.')[2]}"


@contextmanager
def network(*hosts: str) -> Iterator[Network]:
    """Make a network of *hosts*, and remove it after."""
    made = Network(hosts)
    try:
        made.make()
        yield made
    finally:
        made.remove()


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _do(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, check=False, text=True)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
