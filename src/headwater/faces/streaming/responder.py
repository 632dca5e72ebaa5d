"""The file responder: an immutable blob out, whole or one range, with validators.

Bytes go from the page cache to the socket in chunks of the blob store's own; a page that is not in
memory is read in a thread by the store, so a cold file never holds up anybody else.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator

from starlette.types import Receive, Scope, Send

from headwater.delivery.ranges import matches, range_still_valid, wanted_range
from headwater.engines.blobs.port import BlobKey, Blobs, Stored
from headwater.model.errors import RangeNotSatisfiable

Headers = list[tuple[bytes, bytes]]
WATCHED_BYTES = 4 << 20  # send() never says that a client left; long bodies listen for it


def header(scope: Scope, name: bytes) -> str | None:
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return None


async def respond(
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    blobs: Blobs,
    key: BlobKey,
    stored: Stored,
    content_type: bytes,
    headers: Headers,
) -> None:
    """Answer a GET or HEAD with the blob: 200, 206, 304 or 416 (RFC 9110 §13.2.2, §14.2)."""
    common = [
        *headers,
        (b"etag", b'"' + stored.etag.encode() + b'"'),
        (b"accept-ranges", b"bytes"),
    ]
    if matches(header(scope, b"if-none-match"), stored.etag):
        await _start(send, 304, common)
        return
    asked = header(scope, b"range")
    if asked and not range_still_valid(header(scope, b"if-range"), stored.etag):
        asked = None
    try:
        part = wanted_range(asked, stored.size)
    except RangeNotSatisfiable:
        content_range = b"bytes */%d" % stored.size
        await _start(send, 416, [*common, (b"content-range", content_range)], length=0)
        return
    start, stop = part or (0, stored.size)
    common.append((b"content-type", content_type))
    if part:
        common.append((b"content-range", b"bytes %d-%d/%d" % (start, stop - 1, stored.size)))
    chunks = blobs.read(key, start, stop) if scope["method"] != "HEAD" and stop > start else None
    first = await anext(chunks) if chunks else b""  # raises BlobNotFound before anything is sent
    await send(
        {
            "type": "http.response.start",
            "status": 206 if part else 200,
            "headers": [*common, (b"content-length", b"%d" % (stop - start))],
        }
    )
    if chunks is None or len(first) == stop - start:
        await send({"type": "http.response.body", "body": first})
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()  # left alone, the loop would start a task to do it
        return
    await send({"type": "http.response.body", "body": first, "more_body": True})
    if stop - start <= WATCHED_BYTES:
        await _send_all(chunks, send)
    else:
        await _send_while_connected(chunks, receive, send)


async def _start(send: Send, status: int, headers: Headers, *, length: int | None = None) -> None:
    if length is not None:
        headers = [*headers, (b"content-length", b"%d" % length)]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _send_all(chunks: AsyncIterator[bytes], send: Send) -> None:
    async for chunk in chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _send_while_connected(chunks: AsyncIterator[bytes], receive: Receive, send: Send) -> None:
    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    watcher = asyncio.ensure_future(gone())
    sender = asyncio.ensure_future(_send_all(chunks, send))
    try:
        await asyncio.wait((watcher, sender), return_when=asyncio.FIRST_COMPLETED)
        if sender.done():
            sender.result()
    finally:
        for task in (watcher, sender):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
