"""A tus server on a real socket that hangs up, forgets and refuses exactly when a test says so."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class FlakyTus:
    """Holds one upload. *hang_ups* are offsets at which it drops the connection, once each."""

    hang_ups: list[int] = field(default_factory=list)
    busy_answers: int = 0
    overloads: int = 0
    retry_after: str = ""
    refusal: tuple[int, str, str] | None = None
    videos: list[dict[str, object]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    requests: list[tuple[str, str]] = field(default_factory=list)
    metadata: str = ""
    url: str = ""

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["FlakyTus"]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            yield self

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._answered(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])
        }
        self.requests.append((method, path))
        if method == "PATCH":
            if not await self._received(reader, int(headers["content-length"])):
                return False
            await self._say(writer, 204, {"Upload-Offset": str(len(self.body))})
        elif self.refusal:
            status, code, detail = self.refusal
            await self._say(writer, status, {}, {"code": code, "detail": detail})
        elif self.busy_answers:
            self.busy_answers -= 1
            await self._say(writer, 503, {}, {"code": "unavailable", "detail": "Busy."})
        elif self.overloads:
            self.overloads -= 1
            problem = {"code": "overloaded", "detail": "Come later."}
            await self._say(writer, 503, {"Retry-After": self.retry_after}, problem)
        elif method == "POST":
            self.metadata = headers["upload-metadata"]
            await self._say(writer, 201, {"Location": "/files/1", "Headwater-Video": "video1"})
        elif method == "HEAD":
            await self._say(writer, 200, {"Upload-Offset": str(len(self.body))})
        else:
            await self._say(writer, 200, {}, self.videos.pop(0))
        return True

    async def _received(self, reader: asyncio.StreamReader, length: int) -> bool:
        """Read a part; keep what came before the next hang-up and say whether all of it did."""
        end = len(self.body) + length
        if self.hang_ups and self.hang_ups[0] < end:
            self.body += await reader.readexactly(self.hang_ups.pop(0) - len(self.body))
            return False
        self.body += await reader.readexactly(length)
        return True

    @staticmethod
    async def _say(
        writer: asyncio.StreamWriter,
        status: int,
        headers: dict[str, str],
        body: dict[str, object] | None = None,
    ) -> None:
        content = json.dumps(body).encode() if body else b""
        lines = [f"HTTP/1.1 {status} -", f"Content-Length: {len(content)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + content)
        await writer.drain()
