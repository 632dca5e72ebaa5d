"""One slow server for all pytest workers of a run: the first to ask starts it, the last to leave
ends it.

Flow      shared(folder, "ceph", start) asks under a lock whether it runs; if not, start() brings it
          up and says where it is and which processes it is; those and a folder are ended after.
Promises  the server outlives the worker that started it, and never the run: a worker that died
          without leaving is not counted, because it no longer holds its lock.
"""

import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree

import msgspec

ENDED_S = 10.0
POLL_S = 0.02


class Started(msgspec.Struct, frozen=True):
    """*address* is for its users; *groups* are process groups, killed after; *folder* goes."""

    address: str
    groups: list[int]
    folder: str


@contextmanager
def shared(run: Path, name: str, start: Callable[[], Started]) -> Iterator[str]:
    """Yield the address of the run's one server *name*; *run* is a folder all workers share."""
    place = run / f"shared-{name}"
    (place / "users").mkdir(parents=True, exist_ok=True)
    note = place / "started.json"
    user = place / "users" / str(os.getpid())
    with user.open("w") as life:
        with _locked(place):
            fcntl.flock(life, fcntl.LOCK_EX)  # ends with this process, however that ends
            if not note.exists():
                note.write_bytes(msgspec.json.encode(start()))
            started = msgspec.json.decode(note.read_bytes(), type=Started)
        try:
            yield started.address
        finally:
            with _locked(place):
                user.unlink()
                if not any(map(_is_held, (place / "users").iterdir())):
                    _end(started)
                    note.unlink()


@contextmanager
def _locked(place: Path) -> Iterator[None]:
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_held(user: Path) -> bool:
    with suppress(FileNotFoundError), user.open() as life:
        try:
            fcntl.flock(life, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _end(started: Started) -> None:
    for group in started.groups:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
    deadline = time.monotonic() + ENDED_S
    while any(map(_runs, started.groups)):
        assert time.monotonic() < deadline, f"{started.groups} do not end"
        time.sleep(POLL_S)
    rmtree(started.folder, ignore_errors=True)


def _runs(group: int) -> bool:
    """Say whether a process of *group* runs; one that only waits to be counted as dead does not."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, _, of = entry.read_text().rpartition(")")[2].split()[:3]
            if int(of) == group and state not in "ZX":
                return True
    return False
