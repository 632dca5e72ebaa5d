"""The file responder: an immutable blob out, whole or one range, with validators.

Bytes go from the page cache to the socket in chunks of the blob store's own; a page that is not in
memory is read in a thread by the store, so a cold file never holds up anybody else.
"""

import asyncio
import contextlib
from collections.abc import Mapping

from starlette.types import Receive, Scope, Send

from headwater.delivery.ranges import matches, range_still_valid, wanted_range
from headwater.engines.blobs.port import OpenBlob
from headwater.model.errors import RangeNotSatisfiable

Headers = list[tuple[bytes, bytes]]
CONDITIONS = frozenset({b"if-none-match", b"if-range", b"range"})
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
    blob: OpenBlob,
    content_type: bytes,
    headers: Headers,
) -> None:
    """Answer a GET or HEAD with the blob: 200, 206, 304 or 416 (RFC 9110 §13.2.2, §14.2)."""
    stored = blob.stored
    asked = {name: value for name, value in scope["headers"] if name in CONDITIONS}
    common = [*headers, (b"etag", b'"%b"' % stored.etag.encode()), (b"accept-ranges", b"bytes")]
    if asked and matches(_text(asked, b"if-none-match"), stored.etag):
        await _empty(send, 304, common)
        return
    part = None
    if asked and range_still_valid(_text(asked, b"if-range"), stored.etag):
        try:
            part = wanted_range(_text(asked, b"range"), stored.size)
        except RangeNotSatisfiable:
            common += [(b"content-range", b"bytes */%d" % stored.size), (b"content-length", b"0")]
            await _empty(send, 416, common)
            return
    start, stop = part or (0, stored.size)
    common += [(b"content-type", content_type), (b"content-length", b"%d" % (stop - start))]
    if part:
        common.append((b"content-range", b"bytes %d-%d/%d" % (start, stop - 1, stored.size)))
    status = 206 if part else 200
    if scope["method"] == "HEAD" or start == stop:
        await _empty(send, status, common)
        return
    await send({"type": "http.response.start", "status": status, "headers": common})
    if stop - start <= WATCHED_BYTES:
        await _send_all(blob, start, stop, send)
    else:
        await _send_while_connected(blob, start, stop, receive, send)


def _text(asked: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = asked.get(name)
    return None if value is None else value.decode("latin-1")


async def _empty(send: Send, status: int, headers: Headers) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _send_all(blob: OpenBlob, start: int, stop: int, send: Send) -> None:
    while start < stop:
        chunk = await blob.read(start, stop)
        start += len(chunk)
        await send({"type": "http.response.body", "body": chunk, "more_body": start < stop})


async def _send_while_connected(
    blob: OpenBlob, start: int, stop: int, receive: Receive, send: Send
) -> None:
    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    watcher = asyncio.ensure_future(gone())
    sender = asyncio.ensure_future(_send_all(blob, start, stop, send))
    try:
        await asyncio.wait((watcher, sender), return_when=asyncio.FIRST_COMPLETED)
        if sender.done():
            sender.result()
    finally:
        for task in (watcher, sender):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
