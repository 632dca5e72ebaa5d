"""A gateway that dies or stands still: an error within a deadline, or no error at all."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from headwater.engines.blobs.port import CHUNK_BYTES, BlobKey
from headwater.engines.blobs.s3 import S3Blobs
from headwater.engines.blobs.s3_calls import CALL_S
from headwater.engines.clock import Clock
from headwater.forces.budget import RetryBudget
from headwater.model.errors import Unavailable
from headwater.model.upload import Extent
from tests.support import ceph

pytestmark = pytest.mark.anyio

KEY = BlobKey("v1/g1/v720/0")
BODY = bytes(range(256)) * (3 * CHUNK_BYTES // 256)


@pytest.fixture(scope="module")
def cluster() -> Iterator[ceph.Ceph]:
    with ceph.cluster() as running:
        yield running


@contextmanager
def opened(cluster: ceph.Ceph, *, tries: float) -> Iterator[S3Blobs]:
    url = ceph.url(cluster.endpoint(), ceph.bucket(cluster.endpoint()))
    blobs = S3Blobs(url, clock=Clock(), budget=RetryBudget(most=tries))
    try:
        yield blobs
    finally:
        blobs.close()


async def test_a_gateway_that_stands_still(cluster: ceph.Ceph) -> None:
    """Whoever reads is told in time; when it goes on, so does the same open blob."""
    with opened(cluster, tries=0) as blobs:
        await blobs.put_absent(KEY, BODY)
        reading = await blobs.open(KEY)
        first = await reading.read(0, len(BODY))
        reader = blobs.reader([Extent(KEY, len(BODY))])

        cluster.freeze("rgw0")
        began = time.monotonic()
        try:
            answers = await asyncio.gather(
                reading.read(len(first), len(BODY)),
                blobs.stat(KEY),
                asyncio.to_thread(reader.read_at, 0, 10),
                return_exceptions=True,
            )
        finally:
            cluster.thaw("rgw0")
        assert [type(answer) for answer in answers] == [Unavailable] * 3
        assert time.monotonic() - began < CALL_S

        assert await reading.read(len(first), len(BODY)) == BODY[len(first) : 2 * len(first)]
        assert reader.read_at(0, 10) == BODY[:10]


async def test_a_gateway_that_comes_back(cluster: ceph.Ceph) -> None:
    """Who asks while it is away waits a moment and notices nothing more."""
    with opened(cluster, tries=20) as blobs:
        await blobs.put_absent(KEY, BODY)
        reading = await blobs.open(KEY)
        first = await reading.read(0, len(BODY))

        cluster.kill("rgw0")
        going_on = asyncio.gather(
            reading.read(len(first), len(BODY)), blobs.put_absent(BlobKey("other"), b"other")
        )
        await asyncio.to_thread(cluster.start, "rgw0")
        chunk, put = await going_on
        assert chunk == BODY[len(first) : 2 * len(first)]
        assert put.won
