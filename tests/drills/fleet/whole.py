"""A whole fleet on hosts of its own: every engine real, every line cuttable.

Flow      whole_fleet() makes the network, starts PostgreSQL with two replicas, Redis, RabbitMQ, a
          store of three disks behind two gateways, then the processes, and one door for people.
Promises  the thread that entered the block is at the door, whose lines nobody cuts.
"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headwater.roles import free_port
from tests.support import ceph, fleet, rabbitmq, redis, replicas
from tests.support.balancer import balancing
from tests.support.network import HERE, Network, network
from tests.support.postgres import USER

DATABASES = ("database1", "database2", "database3")
PROCESSES = ("api1", "api2", "worker1", "worker2", "scheduler")
HOSTS = ("door", *DATABASES, "redis", "rabbitmq", "store", *PROCESSES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Where one installation keeps what it has; *settings* say so to its processes."""

    database: str
    bucket: str
    broker_url: str
    settings: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """*store* is a client past our own; everything of ours there is in *bucket*."""

    net: Network
    deployment: fleet.Deployment
    rows: replicas.Cluster
    redis: redis.Redis
    rabbitmq: rabbitmq.RabbitMQ
    broker_url: str
    ceph: ceph.Ceph
    store: Any
    gateways: str
    bucket: str

    def another_room(self, database: str) -> Room:
        """Make room for one more installation in the same engines."""
        return _room(database, self.rows, self.redis, self.rabbitmq, self.gateways)


@contextmanager
def whole_fleet(folder: Path, **settings: str) -> Iterator[Whole]:
    with ExitStack() as stack:
        enter = stack.enter_context
        net = enter(network(*HOSTS))
        door = net.host("door")
        enter(door.entered())
        rows = enter(replicas.cluster(2, on=[net.host(name) for name in DATABASES]))
        rows.synchronous(rows.primary)
        cache = enter(redis.server(on=net.host("redis")))
        broker = enter(rabbitmq.server(net.host("rabbitmq")))
        disks = enter(ceph.cluster(store="bluestore", osds=3, gateways=2, on=net.host("store")))
        gateways = f"http://{door.address}:{free_port(HERE.address)}"
        enter(balancing(gateways, [disks.endpoint(0), disks.endpoint(1)], ready="/", alive="/"))
        room = _room("headwater", rows, cache, broker, gateways)
        deployment = enter(
            fleet.fleet(
                folder,
                on=[net.host(name) for name in PROCESSES],
                door=door,
                log_level="warning",
                **room.settings,
                **settings,
            )
        )
        stack.callback(lambda: sys.stderr.write(deployment.log))
        yield Whole(
            net=net,
            deployment=deployment,
            rows=rows,
            redis=cache,
            rabbitmq=broker,
            broker_url=room.broker_url,
            ceph=disks,
            store=ceph.client(gateways),
            gateways=gateways,
            bucket=room.bucket,
        )


def _room(
    database: str,
    rows: replicas.Cluster,
    cache: redis.Redis,
    broker: rabbitmq.RabbitMQ,
    gateways: str,
) -> Room:
    """Make what nobody has used: a database, a bucket, a host in the broker, two of the cache."""
    rows.primary.sql(f"CREATE DATABASE {database} OWNER {USER}")
    bucket, broker_url = ceph.bucket(gateways), broker.new_host()
    return Room(
        database=database,
        bucket=bucket,
        broker_url=broker_url,
        settings={
            "database": rows.url(database),
            "database_replicas": ",".join(one.url(database) for one in rows.all),
            "cache": cache.unused(),
            "notices": cache.unused(),
            "events": broker_url,
            "blobs": ceph.url(gateways, bucket),
        },
    )
