"""The file responder: what RFC 9110 says of ranges and validators, over a real store."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from headwater.delivery.streams import Piece
from headwater.engines.blobs.filesystem import FileBlobs
from headwater.engines.blobs.port import CHUNK_BYTES, BlobKey, Blobs
from headwater.faces.kit import ACTOR, Faces
from headwater.faces.streaming.app import PieceEndpoint, segment_of
from headwater.faces.streaming.responder import LEAST_BYTES, WATCHED_BYTES, Share
from headwater.model.actor import SYSTEM

pytestmark = pytest.mark.anyio
KEY = BlobKey("v/g/v720/0")
BODY = os.urandom(CHUNK_BYTES + 700_001)  # two pieces, the last one odd


class Stored:
    """A face whose one operation opens the blob."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs, self.runner = blobs, self

    async def run(self, *_: object, **__: object) -> Piece:
        return Piece(blob=await self._blobs.open(KEY), shared=True)


@pytest.fixture
async def blobs(tmp_path: Path) -> AsyncIterator[FileBlobs]:
    opened = FileBlobs(tmp_path, secret=b"")
    yield opened
    opened.close()


@pytest.fixture
async def etag(blobs: FileBlobs) -> str:
    return f'"{(await blobs.put_absent(KEY, BODY)).etag}"'


async def ask(blobs: Blobs, method: str = "GET", **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(app=cast("Any", application(blobs)))
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, "/", headers=names)


def application(blobs: Blobs) -> object:
    endpoint = PieceEndpoint(cast("Faces", Stored(blobs)), "streams.segment", b"video/mp4")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path = {"id": "v", "stream": "s", "track": "v720"}
        await endpoint({**scope, ACTOR: SYSTEM, "path_params": path}, receive, send)

    return app


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=300000-499999", 300_000, 500_000),
        (f"bytes={len(BODY) - 1}-", len(BODY) - 1, len(BODY)),
        ("bytes=-5", len(BODY) - 5, len(BODY)),
        ("bytes=5-9999999", 5, len(BODY)),
    ],
)
async def test_a_range_is_a_part(
    blobs: FileBlobs, etag: str, asked: str, start: int, stop: int
) -> None:
    answer = await ask(blobs, range=asked, if_range=etag)

    assert answer.status_code == httpx.codes.PARTIAL_CONTENT
    assert answer.content == BODY[start:stop]
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(BODY)}"
    assert answer.headers["content-length"] == str(stop - start)
    assert answer.headers["etag"] == etag


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"range": "bytes=0-1,5-6"},
        {"range": "pages=1-2"},
        {"range": "bytes=0-1", "if_range": '"another"'},
        {"range": "bytes=0-1", "if_range": "Sat, 21 Nov 2026 10:00:00 GMT"},
        {"if_none_match": '"another"'},
    ],
)
async def test_everything_else_is_the_whole(
    blobs: FileBlobs, etag: str, headers: dict[str, str]
) -> None:
    """Several ranges, other units, and a range of something that has changed since."""
    answer = await ask(blobs, **headers)

    assert (answer.status_code, answer.content) == (httpx.codes.OK, BODY)
    assert answer.headers["content-length"] == str(len(BODY))
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["etag"] == etag
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("prefix", ["", "W/", '"another", '])
async def test_who_has_it_is_told_so(blobs: FileBlobs, etag: str, prefix: str) -> None:
    """Whatever range is asked of it: If-None-Match is looked at first (§13.2.2)."""
    answer = await ask(blobs, if_none_match=prefix + etag, range="bytes=0-0")

    assert (answer.status_code, answer.content) == (httpx.codes.NOT_MODIFIED, b"")
    assert answer.headers["etag"] == etag


async def test_a_range_behind_the_end_cannot_be_had(blobs: FileBlobs, etag: str) -> None:
    answer = await ask(blobs, range=f"bytes={len(BODY)}-", if_range=etag)

    assert answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE
    assert answer.headers["content-range"] == f"bytes */{len(BODY)}"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.content == b""


async def test_a_range_of_head_is_ignored(blobs: FileBlobs, etag: str) -> None:
    """Ranges are defined for GET alone (§14.2)."""
    for asked in ("bytes=0-0", f"bytes={len(BODY)}-"):
        answer = await ask(blobs, "HEAD", range=asked, if_range=etag)

        assert answer.status_code == httpx.codes.OK
        assert answer.headers["content-length"] == str(len(BODY))


async def test_head_is_get_without_a_body(blobs: FileBlobs, etag: str) -> None:
    answer = await ask(blobs, "HEAD")

    assert (answer.status_code, answer.content) == (httpx.codes.OK, b"")
    assert answer.headers["content-length"] == str(len(BODY))
    assert answer.headers["etag"] == etag


def test_many_bodies_share_the_memory() -> None:
    """However many slow clients there are, what each holds is bounded, and all of it for long."""
    share, taken = Share(), []
    with contextlib.ExitStack() as stack:
        for _ in range(400):
            stack.enter_context(share)
            taken.append(share.end(10, 10 + CHUNK_BYTES) - 10)

    assert taken[:32] == [CHUNK_BYTES] * 32
    assert taken == sorted(taken, reverse=True)
    assert taken[-1] == LEAST_BYTES
    with share:
        assert share.end(0, CHUNK_BYTES) == CHUNK_BYTES


async def test_who_leaves_a_long_body_is_noticed(blobs: FileBlobs) -> None:
    """Then nothing more is read, and nothing stays open."""
    await blobs.put_absent(KEY, bytes(WATCHED_BYTES * 2))
    open_files = len(list(Path("/proc/self/fd").iterdir()))
    sent: list[Message] = []

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)
        await asyncio.sleep(0)

    app = cast("Any", application(blobs))
    await app({"type": "http", "method": "GET", "headers": []}, gone, send)

    assert sum(len(message.get("body", b"")) for message in sent) < WATCHED_BYTES * 2
    await blobs.delete(KEY)  # until then the store may keep it open for the next
    assert len(list(Path("/proc/self/fd").iterdir())) == open_files


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/streams/v/s/v720/12.m4s", True),
        ("/streams/v/s/v720/x.m4s", False),
        ("/streams/v/s/v720/1.mp4", False),
        ("/streams/v/s/v720/1.m4s/", False),
        ("/streams/v//v720/1.m4s", False),
        ("/streams/v/s/v720/1234567890.m4s", False),
        ("/streams/v/s/v720/².m4s", False),
        ("/streams/v/s/1.m4s", False),
    ],
)
def test_what_names_a_segment(path: str, found: object) -> None:
    assert (segment_of(path) is not None) is found
