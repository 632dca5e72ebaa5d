"""The deployments that the journeys are made on."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from headwater.engines.blobs.s3 import S3Blobs
from headwater.engines.clock import Clock
from tests.support import databases, fleet, replicas
from tests.support.collector import Collector, check_tree, collecting
from tests.support.fleet import Deployment
from tests.support.network import HERE
from tests.web.conftest import browser, ladder

__all__ = ["browser", "ladder"]  # fixtures of the pages' tests


@contextmanager
def deployed(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Deployment]:
    """A deployment of that *kind* on this machine."""
    if kind == "one process":
        with fleet.one_process(folder) as running, shown(running):
            yield running
        return
    fresh = databases.fresh("postgres", folder, request)
    with fresh as url, fleet.one_host(folder, url) as running, shown(running):
        yield running


@pytest.fixture
def a_fleet(fleet_settings: dict[str, str], tmp_path: Path) -> Iterator[Deployment]:
    """Five processes; whatever befell a video in them is traced under one id."""
    with collecting() as collector:
        settings = fleet_settings | {"traces": collector.url}
        started = fleet.fleet(tmp_path, on=(HERE,) * 5, door=HERE, **settings)
        with started as running, shown(running):
            yield running
        _check_traces(collector)


def _check_traces(collector: Collector) -> None:
    """Whatever befell a video is under one id, whichever of the five processes did it."""
    opened = [span for span in collector.spans if span.name == "uploads.create"]
    assert opened
    for span in opened:
        spans = collector.of(span.trace)
        check_tree(spans)
        assert {one.process["headwater.role"] for one in spans} == {"api", "worker", "scheduler"}


@contextmanager
def shown(running: Deployment) -> Iterator[None]:
    """Show what the processes wrote, should the test fail."""
    try:
        yield
    finally:
        sys.stderr.write(running.log)


@pytest.fixture
def fleet_settings(
    redis_url: str, bucket_url: str, rabbitmq_hosts: Iterator[str]
) -> Iterator[dict[str, str]]:
    """Every engine a server of its own, the database three; the bucket as check leaves it."""
    asyncio.run(prove(bucket_url))
    with replicas.cluster(2) as cluster:
        cluster.primary.sql("CREATE DATABASE headwater TEMPLATE template0")
        cluster.wait()
        yield {
            "database": cluster.url("headwater"),
            "database_replicas": cluster.replicas_url("headwater"),
            "events": next(rabbitmq_hosts),
            "notices": redis_url,
            "cache": redis_url,
            "blobs": bucket_url,
        }


async def prove(bucket_url: str) -> None:
    blobs = S3Blobs(bucket_url, clock=Clock())
    try:
        await blobs.check(thoroughly=True)
    finally:
        blobs.close()
