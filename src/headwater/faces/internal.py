"""The internal address: metrics for a Prometheus server, apart from everything public.

A few lines of HTTP/1.0 instead of a second web server: one client, one path, no bodies.
"""

import asyncio

from headwater.observe.metrics import EXPOSITION_TYPE, exposition

PATIENCE_S = 5.0


async def open_internal(host: str, port: int) -> asyncio.Server:
    """Listen for `GET /metrics` until the server is closed."""
    return await asyncio.start_server(_answer, host, port, limit=16_384)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            request = await reader.readuntil(b"\r\n\r\n")
            found = request.startswith(b"GET /metrics ")
            body = exposition() if found else b"only /metrics is here\n"
            status = b"200 OK" if found else b"404 Not Found"
            kind = EXPOSITION_TYPE if found else "text/plain"
            head = f"content-type: {kind}\r\ncontent-length: {len(body)}\r\nconnection: close"
            writer.write(b"HTTP/1.0 " + status + b"\r\n" + head.encode() + b"\r\n\r\n" + body)
            await writer.drain()
    except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
        pass  # a client that sends nothing sensible gets nothing
    finally:
        writer.close()
