"""The file responder: an immutable blob out, whole or one range, with validators.

Bytes go from the page cache to the socket in chunks of the blob store's own; a page that is not in
memory is read in a thread by the store, so a cold file never holds up anybody else.
"""

import asyncio
import contextlib
from typing import Self

from starlette.types import Receive, Scope, Send

from headwater.delivery.ranges import matches, range_still_valid, wanted_range
from headwater.engines.blobs.port import OpenBlob, Stored
from headwater.model.errors import RangeNotSatisfiable

Headers = list[tuple[bytes, bytes]]
WHOLE, PART, NOT_MODIFIED, NOT_SATISFIABLE = 200, 206, 304, 416
CONDITIONS = frozenset({b"if-none-match", b"if-range", b"range"})
SHARED_BYTES = 64 << 20
LEAST_BYTES = 256 << 10
WATCHED_BYTES = 4 << 20  # send() never says that a client left; long bodies listen for it


def header(scope: Scope, name: bytes) -> str | None:
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return None


class Share:
    """The memory for bodies on their way: few of them go out in large pieces, many in small ones.

    A piece lies in memory, twice, until its client took it; each costs a hand-over to the server.
    """

    __slots__ = ("_bodies",)

    def __init__(self) -> None:
        self._bodies = 0

    def __enter__(self) -> Self:
        self._bodies += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._bodies -= 1

    def end(self, start: int, stop: int) -> int:
        """Return where the piece from *start* on ends, at most *stop*."""
        return min(stop, start + max(LEAST_BYTES, SHARED_BYTES // self._bodies))


async def respond(
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    blob: OpenBlob,
    content_type: bytes,
    headers: Headers,
    share: Share,
) -> None:
    """Answer a GET or HEAD with the blob: 200, 206, 304 or 416 (RFC 9110 §13.2.2, §14.2).

    *share* is entered for as long as this takes.
    """
    stored = blob.stored
    status, start, stop = _choose(scope, stored)
    said = [*headers, (b"etag", b'"%b"' % stored.etag.encode()), (b"accept-ranges", b"bytes")]
    if status != NOT_MODIFIED:
        said.append((b"content-length", b"%d" % (stop - start)))
    if status in (WHOLE, PART):
        said.append((b"content-type", content_type))
    if status == PART:
        said.append((b"content-range", b"bytes %d-%d/%d" % (start, stop - 1, stored.size)))
    elif status == NOT_SATISFIABLE:
        # What is right for ever is the blob: a cache that kept this would answer everybody with it.
        said = [(name, value) for name, value in said if name != b"cache-control"]
        said += [(b"cache-control", b"no-store"), (b"content-range", b"bytes */%d" % stored.size)]
    is_empty = start == stop or scope["method"] == "HEAD"
    # May fail: before anything is sent.
    chunk = b"" if is_empty else await blob.read(start, share.end(start, stop))
    start = stop if is_empty else start + len(chunk)
    await send({"type": "http.response.start", "status": status, "headers": said})
    await send({"type": "http.response.body", "body": chunk, "more_body": start < stop})
    if stop - start > WATCHED_BYTES:
        await _send_while_connected(blob, start, stop, receive, send, share)
    elif start < stop:
        await _send_all(blob, start, stop, send, share)


def _choose(scope: Scope, stored: Stored) -> tuple[int, int, int]:
    """Return the status, and from where to where to send."""
    asked = {
        name: value.decode("latin-1") for name, value in scope["headers"] if name in CONDITIONS
    }
    if not asked:
        return WHOLE, 0, stored.size
    if matches(asked.get(b"if-none-match"), stored.etag):
        return NOT_MODIFIED, 0, 0
    is_part = scope["method"] == "GET" and range_still_valid(asked.get(b"if-range"), stored.etag)
    if not is_part:  # a range of anything but a GET is none
        return WHOLE, 0, stored.size
    try:
        part = wanted_range(asked.get(b"range"), stored.size)
    except RangeNotSatisfiable:
        return NOT_SATISFIABLE, 0, 0
    return (PART, *part) if part else (WHOLE, 0, stored.size)


async def _send_all(blob: OpenBlob, start: int, stop: int, send: Send, share: Share) -> None:
    while start < stop:
        chunk = await blob.read(start, share.end(start, stop))
        start += len(chunk)
        await send({"type": "http.response.body", "body": chunk, "more_body": start < stop})


async def _send_while_connected(
    blob: OpenBlob, start: int, stop: int, receive: Receive, send: Send, share: Share
) -> None:
    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    watcher = asyncio.ensure_future(gone())
    sender = asyncio.ensure_future(_send_all(blob, start, stop, send, share))
    try:
        await asyncio.wait((watcher, sender), return_when=asyncio.FIRST_COMPLETED)
        if sender.done():
            sender.result()
    finally:
        for task in (watcher, sender):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
