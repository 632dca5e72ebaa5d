"""A tus client that can be interrupted anywhere and goes on where the server says."""

import base64
import time
from collections.abc import Callable, Iterator
from copy import copy
from urllib.parse import urlsplit

import httpx

from tests.support.server import Door

TUS = {"Tus-Resumable": "1.0.0"}
BODY = {**TUS, "Content-Type": "application/offset+octet-stream"}
LOCKED_FOR_S = 15.0  # a writer that died keeps its turn for some seconds
POLL_S = 0.2
PIECE_BYTES = 8192


class Sending:
    """One upload of *content*; *acknowledged* is how many bytes an answer has confirmed."""

    def __init__(self, server: Door, content: bytes, name: str) -> None:
        self._server, self._content = server, content
        self.acknowledged = 0
        named = base64.b64encode(name.encode()).decode()
        with server.client() as client:
            answer = client.post(
                "/api/v1/uploads/",
                headers={
                    **TUS,
                    "Upload-Length": str(len(content)),
                    "Upload-Metadata": f"filename {named}",
                },
            ).raise_for_status()
        self._address = answer.headers["location"]
        self.video: str = answer.headers["headwater-video"]

    def on(self, server: Door) -> "Sending":
        """The same upload on a server that took over its data."""
        found = copy(self)
        found._server = server
        found._address = urlsplit(self._address).path
        return found

    def offset(self) -> int:
        """Ask the server how far it is."""
        with self._server.client() as client:
            answer = client.head(self._address, headers=TUS).raise_for_status()
        return int(answer.headers["upload-offset"])

    def send(self, size: int, *, at: Callable[[int], None] | None = None) -> int:
        """Send up to *size* bytes in one request and return the status of its answer.

        *at* is told each offset that is about to be sent. Raises httpx.TransportError.
        """
        start = self.acknowledged
        part = self._content[start : start + size]

        def pieces() -> Iterator[bytes]:
            for here in range(0, len(part), PIECE_BYTES):
                if at is not None:
                    at(start + here)
                yield part[here : here + PIECE_BYTES]

        headers = {**BODY, "Upload-Offset": str(start), "Content-Length": str(len(part))}
        with self._server.client() as client:
            answer = client.patch(self._address, headers=headers, content=pieces())
        if answer.status_code == httpx.codes.NO_CONTENT:
            self.acknowledged = int(answer.headers["upload-offset"])
        return answer.status_code

    def resume(self, size: int) -> None:
        """Take the server's word for the offset, which forgets nothing, and send the rest."""
        offset = self.offset()
        assert self.acknowledged <= offset <= len(self._content)
        self.acknowledged = offset
        deadline = time.monotonic() + LOCKED_FOR_S
        while self.acknowledged < len(self._content):
            status = self.send(size)
            if status == httpx.codes.LOCKED:
                assert time.monotonic() < deadline
                time.sleep(POLL_S)
            else:
                assert status == httpx.codes.NO_CONTENT
