"""Codec processes of a server: found, killed, and whether any of them outlives it."""

import ctypes
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.server import Server

SET_CHILD_SUBREAPER = 36  # include/uapi/linux/prctl.h
GONE_WITHIN_S = 5.0
POLL_S = 0.01


class Orphans:
    """What servers leave behind while the block of adopting_orphans() runs."""

    def __init__(self) -> None:
        self._before = set(children(os.getpid()))

    def survivors(self, *, within_s: float = GONE_WITHIN_S) -> list[str]:
        """Return what of killed servers still runs after a moment: the command lines."""
        deadline = time.monotonic() + within_s
        while adopted := [pid for pid in children(os.getpid()) if self._is_adopted(pid)]:
            for pid in adopted:
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            if time.monotonic() > deadline:
                return [_command(pid) for pid in adopted]
            time.sleep(POLL_S)
        return []

    def _is_adopted(self, pid: int) -> bool:
        """A server leads a session of its own, so nothing it started is in ours."""
        try:
            return pid not in self._before and os.getsid(pid) != os.getsid(0)
        except ProcessLookupError:
            return False


@contextmanager
def adopting_orphans() -> Iterator[Orphans]:
    """Become the parent of whatever the servers of the block leave behind."""
    orphans = Orphans()
    prctl = ctypes.CDLL(None).prctl
    prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield orphans
    finally:
        prctl(SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def children(pid: int) -> list[int]:
    """Return the processes that *pid* is the parent of."""
    found: list[int] = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def kill_codec(server: Server, *, within_s: float) -> bool:
    """Kill a codec process of *server*; False if none shows up in time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        for pid in children(server.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                return True
        time.sleep(POLL_S)
    return False


def _command(pid: int) -> str:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_text().strip("\0").replace("\0", " ")
    return f"{pid}, gone by now"
