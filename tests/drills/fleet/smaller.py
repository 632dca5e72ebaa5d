"""A fleet for questions about rows: PostgreSQL with two replicas, Redis, two apis, one folder.

Flow      smaller_fleet() makes the network and starts everything; the thread that entered is at
          the door, whose lines nobody cuts; Rows lets replicas lag and primaries change.
Promises  a change of primary loses nothing acknowledged, with the old one fenced or not: replicas
          that hear the old one no more are asked which of them has received most.
"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import redis
from tests.support.fleet import API, OWNER, SCHEDULER, WORKER, Deployment, running
from tests.support.network import Network, network
from tests.support.postgres import USER
from tests.support.replicas import CAUGHT_UP_S, Cluster
from tests.support.replicas import Server as Database
from tests.support.replicas import cluster as database_cluster
from tests.support.server import Server
from tests.support.waiting import until

DATABASE = "headwater"
DATABASES = ("database1", "database2", "database3")
PROCESSES = ("api1", "api2", "worker", "scheduler")
HOSTS = ("door", *DATABASES, "redis", *PROCESSES)


class Rows:
    """The servers of the rows, *primary* being the one that shall take writes."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.primary = cluster.primary

    @property
    def replicas(self) -> list[Database]:
        return [one for one in self.cluster.all if one is not self.primary]

    def change(self, *, fenced: bool) -> Database:
        """Make another server the primary and return the one that was, dead if *fenced*."""
        old = self.primary
        if fenced:
            old.kill()
        for one in self.replicas:  # what one of them acknowledged until here, one of them has
            one.cut()
        new = max(self.replicas, key=_received)
        self.cluster.synchronous(new)  # from its first commit on
        new.promote()
        for one in self.replicas:
            if one is not new:
                one.follow(new)
        self.primary = new
        return old

    def rejoin(self, old: Database) -> None:
        """Bring *old* back as a replica."""
        old.kill()
        old.rejoin(self.primary)

    def wait(self) -> None:
        """Return once every replica has everything."""
        for one in self.replicas:
            until(lambda one=one: one.has_all_of(self.primary), within_s=CAUGHT_UP_S)  # type: ignore[misc]


@dataclass(frozen=True, slots=True, kw_only=True)
class Smaller:
    net: Network
    deployment: Deployment
    rows: Rows

    @property
    def apis(self) -> list[Server]:
        return self.deployment.of_role(API)


@contextmanager
def smaller_fleet(folder: Path) -> Iterator[Smaller]:
    with ExitStack() as stack:
        enter = stack.enter_context
        net = enter(network(*HOSTS))
        door = net.host("door")
        enter(door.entered())
        rows = enter(database_cluster(2, on=[net.host(name) for name in DATABASES]))
        rows.synchronous(rows.primary)
        rows.primary.sql(f"CREATE DATABASE {DATABASE} OWNER {USER}")
        shared = enter(redis.server(on=net.host("redis")))
        settings = OWNER | {
            "database": rows.url(DATABASE),
            "database_replicas": ",".join(one.url(DATABASE) for one in rows.all),
            "cache": shared.url(0),
            "notices": shared.url(1),
        }
        processes = [
            Server(folder / "data", settings, role, name=name, on=net.host(name))
            for name, role in zip(PROCESSES, (API, API, WORKER, SCHEDULER), strict=True)
        ]
        deployment = enter(running(processes, door))
        stack.callback(lambda: sys.stderr.write(_told(deployment.log)))
        yield Smaller(net=net, deployment=deployment, rows=Rows(rows))


def _received(server: Database) -> int:
    return int(server.sql("SELECT (pg_last_wal_receive_lsn() - '0/0')::bigint"))


def _told(log: str) -> str:
    """Leave the lines of single requests out: there are thousands."""
    return "".join(
        line for line in log.splitlines(keepends=True) if '"event":"request"' not in line
    )
