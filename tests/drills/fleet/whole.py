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
    bucket: str


@contextmanager
def whole_fleet(folder: Path, **settings: str) -> Iterator[Whole]:
    with ExitStack() as stack:
        enter = stack.enter_context
        net = enter(network(*HOSTS))
        door = net.host("door")
        enter(door.entered())
        rows = enter(replicas.cluster(2, on=[net.host(name) for name in DATABASES]))
        rows.synchronous(rows.primary)
        rows.primary.sql(f"CREATE DATABASE headwater OWNER {USER}")
        cache = enter(redis.server(on=net.host("redis")))
        broker = enter(rabbitmq.server(net.host("rabbitmq")))
        broker_url = broker.new_host()
        disks = enter(ceph.cluster(store="bluestore", osds=3, gateways=2, on=net.host("store")))
        gateways = f"http://{door.address}:{free_port(HERE.address)}"
        enter(balancing(gateways, [disks.endpoint(0), disks.endpoint(1)], ready="/", alive="/"))
        bucket = ceph.bucket(gateways)
        deployment = enter(
            fleet.fleet(
                folder,
                on=[net.host(name) for name in PROCESSES],
                door=door,
                database=rows.url("headwater"),
                database_replicas=",".join(one.url("headwater") for one in rows.all),
                cache=cache.url(0),
                notices=cache.url(1),
                events=broker_url,
                blobs=ceph.url(gateways, bucket),
                log_level="warning",
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
            broker_url=broker_url,
            ceph=disks,
            store=ceph.client(gateways),
            bucket=bucket,
        )
