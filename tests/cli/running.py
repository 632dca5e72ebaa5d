"""`headwater serve` as people start it: a process of its own on a fresh folder."""

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from headwater.roles import free_port
from tests.cli.command import COMMAND, bare_environment

EMAIL, PASSWORD = "ada@example.org", "a long enough password"
STOP_S = 30
QUIET = {"HEADWATER_INTERNAL_PORT": "0"}


@dataclass(slots=True)
class Running:
    """*said* grows by what the server writes for people and into its log."""

    url: str
    data: Path
    process: subprocess.Popen[str]
    said: list[str]

    @property
    def resident_bytes(self) -> int:
        """The memory it holds now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) << 10


@contextmanager
def serving(data: Path, *words: str, **variables: str) -> Iterator[Running]:
    """Start a server on *data*, wait until it says where it is, and stop it at the end."""
    process = subprocess.Popen(
        [COMMAND, "serve", "--data", str(data), "--port", str(free_port("127.0.0.1")), *words],
        env=bare_environment()
        | {"HEADWATER_INTERNAL_PORT": "0", "HEADWATER_SANDBOX": "none"}
        | variables,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    said: list[str] = []
    assert process.stderr is not None
    with process.stderr as stderr:
        try:
            for line in stderr:
                said.append(line)
                if line.startswith("Headwater is at "):
                    break
            else:
                raise AssertionError("the server ended before it served: " + "".join(said))
            reading = Thread(target=said.extend, args=(stderr,))
            reading.start()
            yield Running(said[-1].split()[-1], data, process, said)
        finally:
            stop(process)
        reading.join()


def stop(process: subprocess.Popen[str]) -> None:
    """Ask the server to end; one that does not in time is ended, and that is a failure."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
