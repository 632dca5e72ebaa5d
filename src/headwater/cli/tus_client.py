"""A tus 1.0.0 client: one file to one server, in parts, resumed after whatever broke.

Flow      upload.py asks for a file to be sent → creation, then PATCH by PATCH, HEAD after trouble;
          straight to a bucket: for each part its address, the bytes to there, its name to here.
Promises  tests/cli/test_tus_client.py, tests/cli/test_direct.py.
"""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import msgspec

from headwater.cli.unfinished import Started, Unfinished
from headwater.forces.backoff import pause_s

PART_BYTES = 8 << 20  # few requests, and little to send again after a break
SLICE_BYTES = 256 << 10  # how often the progress bar moves
TRIES = 8  # breaks in a row without one new byte: about half a minute
FIRST_TRIES = 3  # before anything began, who types wants to know soon that nobody is there
FIRST_PAUSE_S, MOST_PAUSE_S = 0.25, 10.0
UPLOADS = "/api/v1/uploads/"
PROTOCOL = {"Tus-Resumable": "1.0.0"}
JSON = {"Content-Type": "application/json"}
PASSING = {  # the same request may succeed later
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.CONFLICT,
    HTTPStatus.LOCKED,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
RESUMES = " The same command goes on where it stopped."
OVERLOADED = "overloaded"  # the code of a server that asks new uploads to come later
LATER_S = 10.0  # where it does not say when
Moved = Callable[[int], None]
Waits = Callable[[float], None]


class Refused(Exception):
    """The server will not have it, or does not answer: *code* for scripts, *reason* to read."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class Broken(Exception):
    """One request failed, another may do; *after_s* is when the server said to come back."""

    def __init__(self, reason: str, after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.after_s = after_s


class Later(Broken):
    """Nothing is wrong: the server is busy with others and says when it is our turn."""


class TusClient:
    """Sends files through *http*, which knows the server's address and the key."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        unfinished: Unfinished,
        first_pause_s: float = FIRST_PAUSE_S,
        later_s: float = LATER_S,
        bucket: httpx.AsyncClient | None = None,
    ) -> None:
        """With *bucket*, which knows no key, parts go where the server says, not through it."""
        self._http = http
        self._unfinished = unfinished
        self._first_pause_s, self._later_s = first_pause_s, later_s
        self._bucket = bucket

    async def send(self, path: Path, *, title: str, moved: Moved, waits: Waits) -> str:
        """Send *path* whole and return the id of its video.

        *moved* hears how many bytes the server has, each time that changes; *waits* how many
        seconds pass before it is asked again, each time it asks to come later.

        Raises:
            Refused: for good, or after TRIES breaks in a row.
        """
        size = (await asyncio.to_thread(path.stat)).st_size
        started, offset, breaks = None, 0, 0
        while started is None or offset < size:
            before = offset
            try:
                if started is None:
                    started, offset = await self._begin(path, size, title)
                elif breaks:
                    offset = await self._offset(started)
                if offset < size:
                    moved(offset)
                    offset = await self._part(started, path, offset, moved)
            except Later as later:
                waits(later.after_s)
                await asyncio.sleep(later.after_s)
            except Broken as broken:
                breaks = 1 if offset > before else breaks + 1
                if breaks > (TRIES if started else FIRST_TRIES):
                    raise Refused("unreachable", f"{broken}{RESUMES if started else ''}") from None
                await asyncio.sleep(
                    broken.after_s
                    or pause_s(breaks, first_s=self._first_pause_s, most_s=MOST_PAUSE_S, jitter=0.0)
                )
            else:
                breaks = 0
        moved(size)
        self._unfinished.forget(path)
        return started.video

    async def _begin(self, path: Path, size: int, title: str) -> tuple[Started, int]:
        """Take up what an earlier run left, or create the upload."""
        left = self._unfinished.find(path)
        if left is not None:
            try:
                return left, await self._offset(left)
            except Refused:
                self._unfinished.forget(path)
        words = {"filename": path.name, "title": title}
        metadata = ",".join(
            f"{name} {base64.b64encode(word.encode()).decode()}"
            for name, word in words.items()
            if word
        )
        answer = await self._ask(
            "POST", UPLOADS, {"Upload-Length": str(size), "Upload-Metadata": metadata}
        )
        url = str(answer.url.join(answer.headers["Location"]))
        started = Started(url=url, video=answer.headers["Headwater-Video"])
        self._unfinished.remember(path, started)
        return started, int(answer.headers.get("Upload-Offset", "0"))

    async def _offset(self, started: Started) -> int:
        answer = await self._ask("HEAD", started.url, {})
        return int(answer.headers["Upload-Offset"])

    async def _part(self, started: Started, path: Path, offset: int, moved: Moved) -> int:
        """Send one part from *offset* on and return the offset after it."""
        part = await asyncio.to_thread(read_part, path, offset)
        if self._bucket is not None:
            return await self._place(self._bucket, started, part, offset, moved)
        headers = {
            "Upload-Offset": str(offset),
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(len(part)),
        }
        answer = await self._ask("PATCH", started.url, headers, slices(part, offset, moved))
        return int(answer.headers["Upload-Offset"])

    async def _place(
        self, bucket: httpx.AsyncClient, started: Started, part: bytes, offset: int, moved: Moved
    ) -> int:
        """Put one part at the address the server signs for it, then name it to the server."""
        url = f"{started.url}/parts"
        digest = (await asyncio.to_thread(hashlib.sha256, part)).hexdigest()
        named = msgspec.json.encode(
            {"parts": [{"start": offset, "length": len(part), "sha256": digest}]}
        )
        ticket = (await self._ask("POST", url, JSON, named)).json()["parts"][0]
        try:
            answer = await bucket.request(
                ticket["method"],
                ticket["url"],
                headers=ticket["headers"],
                content=slices(part, offset, moved),
            )
        except httpx.TransportError as error:
            raise Broken(f"The bucket does not answer ({error}).") from None
        if answer.is_error:  # a new address may do: this one expires, and is for these bytes
            raise Broken(f"The bucket answered {answer.status_code}.", after_s(answer))
        return int((await self._ask("PUT", url, JSON, named)).json()["offset"])

    async def _ask(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        body: AsyncIterator[bytes] | bytes | None = None,
    ) -> httpx.Response:
        """Ask once. Raises Broken for what may pass, Refused for what will not."""
        try:
            answer = await self._http.request(method, url, headers=PROTOCOL | headers, content=body)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
            raise Refused("usage", f"{self._http.base_url} cannot be asked: {error}.") from None
        except httpx.TransportError as error:
            raise Broken(f"{self._http.base_url} does not answer ({error}).") from None
        if answer.is_success:
            return answer
        code, reason = problem(answer)
        if code == OVERLOADED:
            raise Later(reason, after_s(answer) or self._later_s)
        if answer.status_code in PASSING:
            raise Broken(reason, after_s(answer))
        raise Refused(code, reason)


def read_part(path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(PART_BYTES)


async def slices(part: bytes, offset: int, moved: Moved) -> AsyncIterator[bytes]:
    """Hand *part* out in slices and say how far it got."""
    for start in range(0, len(part), SLICE_BYTES):
        yield part[start : start + SLICE_BYTES]
        moved(offset + min(start + SLICE_BYTES, len(part)))


def after_s(answer: httpx.Response) -> float:
    """Return when to come back; 0 where the server did not say it in seconds (RFC 9110 §10.2.3)."""
    said = answer.headers.get("Retry-After", "")
    return float(said) if said.isdecimal() else 0.0


def problem(answer: httpx.Response) -> tuple[str, str]:
    """Return code and reason of an answer that is an error (RFC 9457, or any other server's)."""
    try:
        said: dict[str, Any] = answer.json()
        return str(said["code"]), str(said["detail"])
    except (ValueError, KeyError, TypeError):
        return f"http-{answer.status_code}", f"The server answered {answer.status_code}."
