"""The deployments that the journeys are made on."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import databases, fleet
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
        return
    with databases.fresh("postgres", tmp_path, request) as url:
        if request.param == "one host":
            with fleet.one_host(tmp_path, url) as running:
                yield running
        else:
            with fleet.fleet(tmp_path, database=url, blobs=f"file:{tmp_path}/blobs") as running:
                yield running
