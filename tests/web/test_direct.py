"""Uploading from the page straight into a bucket, and playing what became of it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Request, expect

from headwater.engines.blobs.s3 import S3Blobs
from headwater.engines.blobs.s3_place import place_of
from headwater.engines.clock import Clock
from tests.support import ceph
from tests.support.server import Server, serving
from tests.web.conftest import OpenPage
from tests.web.player import open_video, watch_until

pytestmark = pytest.mark.anyio

READY = ".upload[data-stage=ready]"
PADDING_BYTES = 20_000_000  # three parts


@pytest.fixture
async def bucket(bucket_url: str) -> AsyncIterator[str]:
    """A bucket as `headwater check` leaves it."""
    blobs = S3Blobs(bucket_url, clock=Clock())
    await blobs.check(thoroughly=True)
    yield bucket_url
    blobs.close()


@pytest.fixture
def far(tmp_path: Path, bucket: str) -> Iterator[Server]:
    """A server whose blobs are in a bucket."""
    with serving(tmp_path / "data", blobs=bucket) as running:
        yield running


@pytest.fixture
def large(ladder: Path, tmp_path: Path) -> Path:
    path = tmp_path / "walk.mp4"
    box = PADDING_BYTES.to_bytes(4) + b"free" + bytes(PADDING_BYTES - 8)
    path.write_bytes(ladder.read_bytes() + box)
    return path


async def test_parts_go_to_the_bucket_and_play(
    open_page: OpenPage, far: Server, bucket: str, large: Path
) -> None:
    """No byte of the file passes the server, and what it became plays from the bucket."""
    place = place_of(bucket)
    asked: list[Request] = []
    async with open_page(of=far, signed_in=True) as page:
        page.on("request", lambda request: asked.append(request))  # noqa: PLW0108 (it is marked)
        await page.goto("/upload")
        await page.set_input_files(".drop input", large)
        card = page.locator(READY)
        await expect(card).to_have_count(1, timeout=60_000)
        assert {r.method for r in asked if r.url.startswith(place.endpoint)} >= {"PUT"}
        assert not [r for r in asked if r.method == "PATCH"]

        video = await card.get_attribute("data-video")
        assert video is not None
        await open_video(page, video)
        await watch_until(page, lambda seen: seen["time"] > 0.5)


async def test_without_the_bucket_bytes_go_through_the_server(
    open_page: OpenPage, far: Server, bucket: str, large: Path
) -> None:
    """As where the bucket's rules do not let this page in; what arrived there counts."""
    place = place_of(bucket)
    ceph.client(place.endpoint).delete_bucket_cors(Bucket=place.bucket)
    refused = ("CORS", "Failed to load resource")
    async with open_page(of=far, signed_in=True, allow=refused) as page:
        await page.goto("/upload")
        patched: list[Request] = []
        page.on("request", lambda r: patched.append(r) if r.method == "PATCH" else None)
        await page.set_input_files(".drop input", large)
        await expect(page.locator(READY)).to_have_count(1, timeout=60_000)
        assert patched
