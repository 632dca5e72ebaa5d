"""The internal address: metrics and health of one process, apart from everything public.

A few lines of HTTP/1.0 instead of a second web server: two clients, three paths, no bodies.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from headwater.faces.health import LIVE, READY
from headwater.observe.metrics import EXPOSITION_TYPE, exposition

PATIENCE_S = 5.0
METRICS = "/metrics"
TEXT, JSON = "text/plain", "application/json"
OK, NOT_FOUND, UNAVAILABLE = "200 OK", "404 Not Found", "503 Service Unavailable"
Ready = Callable[[], Awaitable[tuple[bool, bytes]]]  # see health.tell_readiness
Answer = tuple[str, str, bytes]  # status, content type, body


async def open_internal(host: str, port: int, ready: Ready) -> asyncio.Server:
    """Listen until the server is closed; *ready* tells whether this process can do its work."""
    return await asyncio.start_server(partial(_serve, ready), host, port, limit=16_384)


async def _serve(ready: Ready, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            request = await reader.readuntil(b"\r\n\r\n")
            status, kind, body = await _answer(request.split(b" ", 2)[:2], ready)
            head = f"content-type: {kind}\r\ncontent-length: {len(body)}\r\nconnection: close"
            writer.write(f"HTTP/1.0 {status}\r\n{head}\r\n\r\n".encode() + body)
            await writer.drain()
    except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
        pass  # a client that sends nothing sensible gets nothing
    finally:
        writer.close()


async def _answer(line: list[bytes], ready: Ready) -> Answer:
    match line:
        case [b"GET", path] if path == METRICS.encode():
            return OK, EXPOSITION_TYPE, exposition()
        case [b"GET", path] if path == READY.encode():
            is_ready, told = await ready()
            return OK if is_ready else UNAVAILABLE, JSON, told
        case [b"GET", path] if path == LIVE.encode():
            return OK, TEXT, b"ok"
    return NOT_FOUND, TEXT, f"only {METRICS}, {LIVE} and {READY} are here\n".encode()
