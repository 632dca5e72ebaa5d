"""A bare Starlette route of 3 kB behind the same server program: what pages are compared with."""

import asyncio
import sys

from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

BODY = b'{"a": "' + b"x" * 2890 + b'"}'


async def answer(_: Request) -> Response:
    return Response(BODY, media_type="application/json")


async def serve(port: int) -> None:
    app = Starlette(routes=[Route("/", answer)])
    await Server(
        app,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        backlog=4096,
        log_enabled=False,
    ).serve()


if __name__ == "__main__":
    import uvloop

    uvloop.install()
    asyncio.run(serve(int(sys.argv[1])))
