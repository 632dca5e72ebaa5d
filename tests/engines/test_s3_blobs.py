"""What only a bucket promises, beyond the contract every Blobs adapter keeps."""

import asyncio
import hashlib
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from headwater.engines.blobs.port import BlobKey, PartTicket
from headwater.engines.blobs.s3 import S3Blobs
from headwater.engines.blobs.s3_place import place_of
from headwater.engines.clock import Clock
from headwater.forces.budget import RetryBudget
from headwater.model.errors import BlobNotFound, SettingsError, StorageFull, Unavailable
from headwater.model.upload import Extent
from tests.support import careless, ceph

pytestmark = pytest.mark.anyio

KEY = BlobKey("v1/g1/v720/0")
PART = b"the bytes of a part"


@contextmanager
def opened(url: str, *, tries: float = 20) -> Iterator[S3Blobs]:
    blobs = S3Blobs(url, clock=Clock(), budget=RetryBudget(most=tries))
    try:
        yield blobs
    finally:
        blobs.close()


@pytest.fixture
def blobs(bucket_url: str) -> Iterator[S3Blobs]:
    with opened(bucket_url) as found:
        yield found


async def test_a_bucket_is_proven(blobs: S3Blobs) -> None:
    """32 writers, the hash, the addresses of parts; rules are made once and then left alone."""
    first = await blobs.check(thoroughly=True)
    assert "the first of many writers wins" in first
    assert first.count("set now") == 2
    assert "set now" not in await blobs.check(thoroughly=True)
    assert "appsecret" not in first


async def test_a_store_that_forgets_conditions_is_refused(bucket_url: str) -> None:
    place = place_of(bucket_url)
    loses = frozenset({"if-none-match"})
    with (
        careless.gateway(place.endpoint, loses=loses) as address,
        opened(ceph.url(address, place.bucket)) as forgetful,
    ):
        for thoroughly in (True, False):
            with pytest.raises(SettingsError, match="conditional writes"):
                await forgetful.check(thoroughly=thoroughly)


async def test_a_put_whose_answer_was_lost_is_ours(bucket_url: str) -> None:
    """It was carried out: the next try finds its own object, and says that it won."""
    place = place_of(bucket_url)
    with (
        careless.gateway(place.endpoint, failing=1) as address,
        opened(ceph.url(address, place.bucket)) as unlucky,
    ):
        assert (await unlucky.put_absent(KEY, b"mine")).won
        assert not (await unlucky.put_absent(KEY, b"mine")).won


async def put(ticket: PartTicket, body: bytes, **headers: str) -> int:
    sent = {**ticket.headers, "Content-Length": str(len(body)), **headers}
    async with httpx.AsyncClient() as http:
        answer = await http.request(ticket.method, ticket.url, content=body, headers=sent)
    return answer.status_code


async def ticket_for(blobs: S3Blobs, body: bytes, *, lasts_s: float = 60.0) -> PartTicket:
    return await blobs.part_url(
        KEY,
        length=len(body),
        checksum=hashlib.sha256(body).hexdigest(),
        expires_at=Clock().now() + lasts_s,
    )


async def test_an_address_takes_its_bytes_only(blobs: S3Blobs) -> None:
    """The store itself refuses other bytes, and more or fewer of them."""
    ticket = await ticket_for(blobs, PART)
    other = hashlib.sha256(PART[::-1]).hexdigest()
    assert await put(ticket, PART[::-1]) == 400
    assert await put(ticket, PART[::-1], **{"X-Amz-Content-SHA256": other}) == 403
    assert await put(ticket, PART + b".") == 403
    assert await put(ticket, PART[:-1]) == 403
    with pytest.raises(BlobNotFound):
        await blobs.stat(KEY)

    assert await put(ticket, PART) == 200
    assert await put(ticket, PART) == 200  # a client that heard no answer sends it again
    assert (await blobs.stat(KEY)).size == len(PART)


async def test_an_altered_or_expired_address_is_refused(blobs: S3Blobs) -> None:
    ticket = await ticket_for(blobs, PART)
    moved = PartTicket(ticket.url.replace(KEY, "v1/g1/v720/1"), "PUT", ticket.headers)
    later = PartTicket(re.sub(r"Expires=\d+", "Expires=6000", ticket.url), "PUT", ticket.headers)
    assert await put(moved, PART) == 403
    assert await put(later, PART) == 403

    short = await ticket_for(blobs, PART, lasts_s=1)
    until = time.monotonic() + 10
    while await put(short, PART) != 403:
        assert time.monotonic() < until
        await asyncio.sleep(0.2)


async def test_addresses_lead_to_the_public_endpoint(bucket_url: str) -> None:
    public = f"{bucket_url}&public_endpoint=https://files.example&style=host"
    with opened(public) as blobs:
        ticket = await ticket_for(blobs, PART)
        name = blobs.place.bucket
    assert ticket.url.startswith(f"https://{name}.files.example/blobs/{KEY}?")


async def test_a_bucket_as_a_host(bucket_url: str) -> None:
    """Its address is signed as the store reads it; no resolver here knows such a name."""
    place = place_of(bucket_url)
    with opened(f"{bucket_url}&style=host&public_endpoint=http://localhost") as blobs:
        ticket = await ticket_for(blobs, PART)
    host = f"{place.bucket}.localhost"
    assert ticket.url.startswith(f"http://{host}/blobs/{KEY}?")
    here = PartTicket(ticket.url.replace(f"http://{host}", place.endpoint), "PUT", ticket.headers)
    assert await put(here, PART, Host=host) == 200
    with opened(bucket_url) as blobs:
        assert (await blobs.stat(KEY)).size == len(PART)


async def test_a_bucket_holds_several_stores(bucket_url: str) -> None:
    """Each under its prefix, none sees the other's blobs."""
    with opened(bucket_url.replace("?", "/one?")) as one, opened(bucket_url) as two:
        await one.put_absent(KEY, b"one")
        assert [item async for item in two.list("")] == []
        assert (await two.put_absent(KEY, b"two!")).won
        assert [item async for item in one.list("v1/")] == [(KEY, 3)]


async def test_a_listing_has_pages(blobs: S3Blobs) -> None:
    names = [BlobKey(f"many/{number}") for number in range(1005)]
    for some in range(0, len(names), 50):
        await asyncio.gather(*(blobs.put_absent(key, b"") for key in names[some : some + 50]))
    assert len([key async for key, _ in blobs.list("many/")]) == 1005


async def test_a_quota_that_is_used_up(blobs: S3Blobs, ceph_gateway: ceph.Gateway) -> None:
    """A full bucket says so as a full disk does."""

    async def fill() -> None:
        until = time.monotonic() + 20  # a gateway looks at quotas now and then
        for number in range(10_000):
            assert time.monotonic() < until
            await blobs.put_absent(BlobKey(f"full/{number}"), PART)

    ceph_gateway.limit(blobs.place.bucket, objects=3)
    with pytest.raises(StorageFull):
        await fill()


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket?endpoint=http://h",
        "s3://k:s@bucket",
        "s3://k:s@bucket?endpoint=h:80",
        "s3://k:s@bucket?endpoint=http://h&style=other",
        "s3://k:s@bucket?endpoint=http://h&colour=red",
        "s3://k:s@bucket/a b?endpoint=http://h",
        "s3://k:s@?endpoint=http://h",
    ],
)
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        place_of(url)
    assert "k:s" not in str(refused.value)


def test_no_secret_in_what_is_printed() -> None:
    place = place_of("s3://key:se%2Fcret@bucket/p?endpoint=http://h:1")
    assert (place.key, place.secret) == ("key", "se/cret")
    assert repr(place) == "s3://bucket/p at http://h:1"


async def test_nobody_there() -> None:
    """It is tried again, but not without end."""
    with opened(ceph.url("http://127.0.0.1:9", "bucket"), tries=2) as blobs:
        with pytest.raises(Unavailable):
            await blobs.stat(KEY)
        with pytest.raises(Unavailable):
            await blobs.put_absent(KEY, PART)
        reader = blobs.reader([Extent(KEY, 3)])
        with pytest.raises(Unavailable):
            await asyncio.to_thread(reader.read_at, 0, 3)
