"""A request's body as it comes from the wire, for use cases that read it piece by piece."""

from collections.abc import AsyncIterator

import anyio
from starlette.requests import Request
from starlette.types import Receive

DRAINED_BYTES = 16 << 20
DRAINED_S = 2.0


class RequestBody:
    """Iterate it once. A connection that dies ends it early: then *is_interrupted* says so."""

    def __init__(self, request: Request, receive: Receive) -> None:
        self._receive = receive
        length = request.headers.get("content-length", "")
        self.content_length = int(length) if length.isascii() and length.isdigit() else None
        self._waits_for_us = "100-continue" in request.headers.get("expect", "").lower()
        self._started = False
        self._ended = self.content_length == 0
        self._received = 0
        self._gone = False

    @property
    def is_interrupted(self) -> bool:
        """The client went away before it had sent what it announced."""
        short = self.content_length is not None and self._received < self.content_length
        return self._gone or (self._ended and short)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while not self._ended and (chunk := await self._next()) is not None:
            yield chunk

    async def drain(self) -> None:
        """Read a little of what nobody wants before answering an error.

        A server that answers and closes while the client still sends makes the client's kernel
        throw the answer away (a reset): it would see a broken connection, not our reason.
        """
        if self._waits_for_us and not self._started:
            return
        drained = 0
        with anyio.move_on_after(DRAINED_S):
            while not self._ended and drained < DRAINED_BYTES:
                drained += len(await self._next() or b"")

    async def _next(self) -> bytes | None:
        self._started = True
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._ended = self._gone = True
            return None
        self._ended = not message.get("more_body", False)
        chunk: bytes = message.get("body", b"")
        self._received += len(chunk)
        return chunk
