"""A PostgreSQL with streaming replicas of the tests' own, and what befalls such a thing.

Flow      cluster(2) makes a primary and two replicas below one temporary folder; a test kills,
          freezes, cuts, pauses and promotes them by name; rejoin() makes an old primary a replica.
Promises  nothing outlives the block; a step has happened when its function returns.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

from tests.support.network import HERE, Host
from tests.support.postgres import USER, Postgres
from tests.support.waiting import until

CAUGHT_UP_S = 20.0
CONF = """
wal_log_hints = on  # pg_rewind wants it, and what was written since the last checkpoint
wal_keep_size = 256MB
wal_receiver_timeout = 2s
wal_sender_timeout = 2s
wal_retrieve_retry_interval = 100ms
hot_standby_feedback = on
"""


class Server(Postgres):
    """One of a cluster; *name* is what synchronous_standby_names calls it."""

    def __init__(self, folder: Path, name: str, on: Host = HERE) -> None:
        folder.mkdir()
        folder.chmod(0o777)
        super().__init__(folder, on)
        self.name = name

    def copy_from(self, primary: "Server") -> None:
        """Make this server's folder a copy of *primary*'s that follows it."""
        self._run(
            *("pg_basebackup", "-d", primary.url("postgres"), "-D", self._data),
            *("-R", "-X", "stream", "-c", "fast", "--no-sync"),
        )
        self._say(self._own)
        self._follow(primary)

    def follow(self, primary: "Server") -> None:
        """Follow another primary from now on; running."""
        self.sql(f"ALTER SYSTEM SET primary_conninfo = '{self._source(primary)}'")
        self.sql("SELECT pg_reload_conf()")

    def cut(self) -> None:
        """Let nothing from the primary arrive any more."""
        self.sql("ALTER SYSTEM SET primary_conninfo = ''")
        self.sql("SELECT pg_reload_conf()")
        until(lambda: self.sql("SELECT count(*) FROM pg_stat_wal_receiver") == "0", within_s=20)

    def pause(self) -> None:
        """Go on receiving, but let nothing of it be seen."""
        self.sql("SELECT pg_wal_replay_pause()")
        until(lambda: self.sql("SELECT pg_get_wal_replay_pause_state()") == "paused", within_s=20)

    def resume(self) -> None:
        self.sql("SELECT pg_wal_replay_resume()")

    def promote(self) -> None:
        """Take writes from now on."""
        assert self.sql("SELECT pg_promote(true, 20)") == "t"

    def rejoin(self, primary: "Server") -> None:
        """Come back, after a kill, as a replica of *primary*, without what only this one had."""
        primary.sql("CHECKPOINT")  # else it does not know its own timeline yet
        self._run(
            *("pg_rewind", "-D", self._data, "--no-sync", "-R"),
            *("--source-server", f"{primary.url('postgres')}"),
        )
        self._say(self._own)
        self._follow(primary)
        self.start()

    def has_all_of(self, primary: "Server") -> bool:
        """Say whether everything written there until now is seen here."""
        written = primary.sql("SELECT pg_current_wal_flush_lsn()")
        return self.sql(f"SELECT pg_last_wal_replay_lsn() >= '{written}'") == "t"

    def _follow(self, primary: "Server") -> None:
        self._say(f"primary_conninfo = '{self._source(primary)}'\n")

    @property
    def _own(self) -> str:
        """What a copy of another's folder still says of the other."""
        return (
            f"listen_addresses = '{self.on.address}'\nport = {self.port}\n"
            f"unix_socket_directories = '{self._folder}'\n"
        )

    def _source(self, primary: "Server") -> str:
        at = f"host={primary.on.address} port={primary.port}"
        return f"{at} user={USER} application_name={self.name}"

    def _say(self, conf: str) -> None:
        with (self._data / "postgresql.auto.conf").open("a") as file:
            file.write(conf)


class Cluster:
    """A primary and its replicas, as they began."""

    def __init__(self, folder: Path, on: Sequence[Host]) -> None:
        names = ("p", *(f"r{i}" for i in range(1, len(on))))
        self.all = [Server(folder / name, name, host) for name, host in zip(names, on, strict=True)]
        self.primary, *self.replicas = self.all

    def start(self) -> None:
        self.primary.make(CONF)
        self.primary.start()
        for replica in self.replicas:
            replica.copy_from(self.primary)
            replica.start()
        self.wait()

    def url(self, database: str) -> str:
        """Return HEADWATER_DATABASE: every host, whichever is the primary."""
        hosts = ",".join(f"{server.on.address}:{server.port}" for server in self.all)
        return f"postgresql://{USER}@{hosts}/{database}"

    def replicas_url(self, database: str) -> str:
        """Return HEADWATER_DATABASE_REPLICAS."""
        return ",".join(replica.url(database) for replica in self.replicas)

    def synchronous(self, primary: Server, count: int = 1) -> None:
        """Let *primary* acknowledge what *count* of the others have."""
        names = ", ".join(server.name for server in self.all if server is not primary)
        primary.sql(f"ALTER SYSTEM SET synchronous_standby_names = 'ANY {count} ({names})'")
        primary.sql("SELECT pg_reload_conf()")
        until(lambda: primary.sql("SHOW synchronous_standby_names").startswith("ANY"), within_s=20)

    def wait(self) -> None:
        """Return once every replica has everything."""
        for replica in self.replicas:
            until(lambda r=replica: r.has_all_of(self.primary), within_s=CAUGHT_UP_S)  # type: ignore[misc]

    def end(self) -> None:
        for server in self.all:
            server.kill()


@contextmanager
def cluster(replicas: int, on: Sequence[Host] = ()) -> Iterator[Cluster]:
    """Make and start a primary with *replicas*, each *on* its host, and end all of them after."""
    folder = Path(tempfile.mkdtemp(prefix="headwater-cluster-"))
    folder.chmod(0o777)
    made = Cluster(folder, on or [HERE] * (1 + replicas))
    try:
        made.start()
        yield made
    finally:
        made.end()
        rmtree(folder)
