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


@contextmanager
def adopting_orphans() -> Iterator[None]:
    """Become the parent of whatever the servers of the block leave behind."""
    prctl = ctypes.CDLL(None).prctl
    prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
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


def survivors() -> list[str]:
    """Return what of a killed server still runs after a moment: the command lines."""
    deadline = time.monotonic() + GONE_WITHIN_S
    while adopted := children(os.getpid()):
        for pid in adopted:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        if time.monotonic() > deadline:
            return [Path(f"/proc/{pid}/cmdline").read_text() for pid in adopted]
        time.sleep(POLL_S)
    return []
