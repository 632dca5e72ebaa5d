"""The deployments that the journeys are made on."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import databases, fleet, replicas
from tests.support.collector import Collector, check_tree, collecting
from tests.support.fleet import Deployment

DEPLOYMENTS = ("one process", "one host", "fleet")


@pytest.fixture(params=DEPLOYMENTS)
def deployment(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    """A deployment of each kind; what its processes wrote is shown when the test fails."""
    with deployed(request, tmp_path) as running:
        yield running
        sys.stderr.write(running.log)


@contextmanager
def deployed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    if request.param == "one process":
        with fleet.one_process(tmp_path) as running:
            yield running
    elif request.param == "one host":
        fresh = databases.fresh("postgres", tmp_path, request)
        with fresh as url, fleet.one_host(tmp_path, url) as running:
            yield running
    else:
        settings = request.getfixturevalue("fleet_settings")
        with collecting() as collector:
            with fleet.fleet(tmp_path, **settings, traces=collector.url) as running:
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


@pytest.fixture
def fleet_settings(
    redis_url: str, bucket_url: str, rabbitmq_hosts: Iterator[str]
) -> Iterator[dict[str, str]]:
    """Every engine a server of its own, the database three."""
    with replicas.cluster(2) as cluster:
        cluster.primary.sql("CREATE DATABASE headwater TEMPLATE template0")
        cluster.wait()
        yield {
            "database": cluster.url("headwater"),
            "events": next(rabbitmq_hosts),
            "notices": redis_url,
            "blobs": bucket_url,
        }
