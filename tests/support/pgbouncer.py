"""A pgbouncer of the tests' own, which gives each transaction any of the server's connections."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree, which
from typing import Any

from headwater.roles import free_port
from tests.support.postgres import POLL_S, START_S, USER, Postgres, programs

CONF = """
[databases]
* = host=127.0.0.1 port={server} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 3
"""


@contextmanager
def pooling(server: Postgres) -> Iterator[str]:
    """Start a pooler of transactions before *server*; return user, host and port of it."""
    program = which("pgbouncer") or which("pgbouncer", path="/usr/sbin")
    assert program, "pgbouncer is missing; tools/test_programs.sh installs it"
    folder, port = Path(tempfile.mkdtemp(prefix="headwater-pgbouncer-")), free_port("127.0.0.1")
    folder.chmod(0o755)
    (folder / "users").write_text(f'"{USER}" ""\n')
    conf = CONF.format(server=server.port, user=USER, port=port, folder=folder)
    (folder / "conf").write_text(conf)
    user: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []}
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(
            [program, folder / "conf"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            **(user if os.getuid() == 0 else {}),
        )
    try:
        _wait(running, port, folder / "log")
        yield f"{USER}@127.0.0.1:{port}"
    finally:
        running.kill()
        running.wait()
        rmtree(folder)


def _wait(running: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + START_S
    asked = [programs() / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    while subprocess.run(asked, check=False).returncode:
        if running.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(log.read_text())
        time.sleep(POLL_S)
