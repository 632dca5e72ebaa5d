import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import ceph, databases, postgres, rabbitmq, redis
from tests.support.shared import shared

if TYPE_CHECKING:
    from headwater.compose.core import Core


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that make_clip fills, shared by the workers of one run."""
    folder = tmp_path_factory.getbasetemp().parent / "clips"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
async def core(tmp_path: Path) -> "AsyncIterator[Core]":
    """The whole system on a fresh folder, without loops: nothing that is asked for is made."""
    from tests.support.system import system  # noqa: PLC0415 (most tests do without its imports)

    async with system(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Postgres]:
    """One PostgreSQL for the run, with a migrated database to copy; made when first asked for."""
    with postgres.server() as running:
        running.sql(f"CREATE DATABASE {databases.MIGRATED} TEMPLATE template0")
        asyncio.run(databases.open_at(running.url(databases.MIGRATED)).migrate())
        yield running


@pytest.fixture(params=databases.KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of each kind that nobody has used; of PostgreSQL, one that is migrated."""
    with databases.fresh(request.param, tmp_path, request, like=databases.MIGRATED) as url:
        yield url


@pytest.fixture(scope="session")
def redis_server() -> Iterator[redis.Redis]:
    """One Redis for the run of this worker; made when first asked for."""
    with redis.server() as running:
        yield running


@pytest.fixture
def redis_url(redis_server: redis.Redis) -> str:
    """A database of Redis that nobody has used."""
    return redis_server.unused()


@pytest.fixture(scope="session")
def ceph_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ceph.Gateway]:
    """The S3 gateway that all workers of a run share."""
    with shared(tmp_path_factory.getbasetemp().parent, "ceph", ceph.start) as address:
        yield ceph.Gateway.at(address)


@pytest.fixture
def bucket_url(ceph_gateway: ceph.Gateway) -> str:
    """HEADWATER_BLOBS of a bucket of the test's own."""
    return ceph.url(ceph_gateway.endpoint, ceph.bucket(ceph_gateway.endpoint))


@pytest.fixture(scope="session")
def rabbitmq_hosts(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Iterator[Iterator[str]]:
    """URLs of virtual hosts nobody has used, in the one RabbitMQ of the run."""
    folder = tmp_path_factory.getbasetemp()
    with rabbitmq.shared_hosts(folder if worker_id == "master" else folder.parent) as hosts:
        yield hosts
