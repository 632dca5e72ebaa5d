"""A segment that takes longer than a request is held: an error, or a promise to who prefers one."""

from typing import Any, cast

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from headwater.faces.kit import ACTOR, Faces
from headwater.faces.streaming.app import PieceEndpoint
from headwater.model.actor import SYSTEM
from headwater.model.errors import BeingMade, HeadwaterError, Unavailable

pytestmark = pytest.mark.anyio


class Refusing:
    """A face whose one operation ends in *error*."""

    def __init__(self, error: HeadwaterError) -> None:
        self._error, self.runner = error, self

    async def run(self, *_: object, **__: object) -> object:
        raise self._error


async def ask(error: HeadwaterError, **headers: str) -> httpx.Response:
    endpoint = PieceEndpoint(cast("Faces", Refusing(error)), "streams.segment", b"video/mp4")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope |= {ACTOR: SYSTEM, "path_params": {"id": "walk", "stream": "s", "track": "v240"}}
        await endpoint(scope, receive, send)

    transport = httpx.ASGITransport(app=cast("Any", app))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get("/", headers=headers)


async def test_who_prefers_to_wait_is_told_when_to_come_back() -> None:
    """202 with Retry-After, never to be kept (RFC 7240 §4.1)."""
    answer = await ask(BeingMade("Soon.", retry_after_s=1.5), prefer="wait=8, respond-async")

    assert answer.status_code == httpx.codes.ACCEPTED
    assert answer.headers["retry-after"] == "2"
    assert answer.headers["preference-applied"] == "respond-async"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.content == b""


async def test_everybody_else_hears_an_error() -> None:
    """Players that know nothing of 202 retry a 503; and what is not being made is no promise."""
    with pytest.raises(BeingMade):
        await ask(BeingMade("Soon.", retry_after_s=1))
    with pytest.raises(Unavailable):
        await ask(Unavailable("Too many wait.", retry_after_s=1), prefer="respond-async")
