"""A balancer of the tests' own: haproxy, which gives every request to the next process.

Flow      balancing(url, urls) answers on *url* with what the processes at *urls* say, in turn.
Promises  nothing outlives the block; one that is not ready is sent nothing while another is, as in
          real use: where none is, as when a database is away, those that live still play videos.
"""

import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree, which

import httpx

START_S = 20.0
POLL_S = 0.05
CONF = """
defaults
    mode http
    option forwardfor
    option redispatch
    retries 3
    timeout connect 2s
    timeout client 60s
    timeout server 60s
frontend door
    bind {address}
    use_backend ready if {{ nbsrv(ready) gt 0 }}
    default_backend alive
backend ready
    balance roundrobin
    option httpchk GET {ready}
    default-server check inter 500ms fall 2 rise 1
{servers}
backend alive
    balance roundrobin
    option httpchk GET {alive}
    default-server check inter 500ms fall 2 rise 1
{servers}
"""


@contextmanager
def balancing(
    url: str, urls: Sequence[str], *, ready: str = "/health/ready", alive: str = "/health/live"
) -> Iterator[None]:
    """Answer on *url* for those at *urls* while the block runs.

    Each is asked at the paths *ready* and *alive* how it is.
    """
    program = which("haproxy") or which("haproxy", path="/usr/sbin")
    assert program, "haproxy is missing; tools/test_programs.sh installs it"
    folder = Path(tempfile.mkdtemp(prefix="headwater-haproxy-"))
    servers = [f"    server s{n} {_address(to)}" for n, to in enumerate(urls)]
    conf = CONF.format(address=_address(url), servers="\n".join(servers), ready=ready, alive=alive)
    (folder / "haproxy.cfg").write_text(conf)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "-db", "-f", folder / "haproxy.cfg"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _until_ready(url + ready, process, folder / "log")
        yield
    finally:
        process.kill()
        process.wait()
        rmtree(folder)


def _until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while not _answers(url):
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"The balancer did not start:\n{log.read_text()[-4000:]}")
        time.sleep(POLL_S)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _address(url: str) -> str:
    return url.removeprefix("http://")
