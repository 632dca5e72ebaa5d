"""Answers of this face: problems with the statuses of tus, and what surrounds every handler."""

import math
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from headwater.faces.problems import MEDIA_TYPE, Problem, status_of
from headwater.faces.tus import wire
from headwater.faces.tus.body import RequestBody
from headwater.model.errors import (
    ChecksumMismatch,
    HeadwaterError,
    InvalidInput,
    Unauthenticated,
    UploadLocked,
)
from headwater.observe.traces import current_id

CHECKSUM_MISMATCH = 460  # tus's own
STATUS: dict[type[HeadwaterError], int] = {  # where tus asks for another than problems.py
    ChecksumMismatch: CHECKSUM_MISMATCH,
    UploadLocked: 423,
    InvalidInput: 400,
}
Handler = Callable[[Request, RequestBody], Awaitable[Response]]


class NotTus(Exception):
    """The request breaks the protocol before it asks for anything."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Endpoint:
    """A bare ASGI endpoint around *handle*, which gets the request and its unread body."""

    def __init__(self, handle: Handler) -> None:
        self._handle = handle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        body = RequestBody(request, receive)
        try:
            response = await self._handle(request, body)
        except HeadwaterError as error:
            response = problem(error)
        except NotTus as error:
            response = _problem(error.status, HTTPStatus(error.status).name, str(error))
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            await body.drain()
        if request.method == "HEAD":
            response = Response(status_code=response.status_code, headers=response.headers)
        response.headers.setdefault("tus-resumable", wire.VERSION)
        response.headers.setdefault("cache-control", "no-store")
        await response(scope, receive, send)


def problem(error: HeadwaterError) -> Response:
    kinds = type(error).__mro__
    status = next((STATUS[kind] for kind in kinds if kind in STATUS), status_of(error))
    response = _problem(status, error.code, str(error), retryable=error.retryable)
    if error.retry_after_s is not None:
        response.headers["retry-after"] = str(math.ceil(error.retry_after_s))
    if isinstance(error, Unauthenticated):
        response.headers["www-authenticate"] = 'Bearer realm="headwater"'
    return response


def json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(value), status, headers, media_type="application/json")


def _problem(status: int, code: str, detail: str, *, retryable: bool = False) -> Response:
    own = status == CHECKSUM_MISMATCH
    code = code.lower().replace("_", "-")
    body = Problem(
        type=f"urn:headwater:{code}",
        title="Checksum Mismatch" if own else HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        retryable=retryable,
        trace=current_id(),
    )
    headers = {"tus-version": wire.VERSION} if status == HTTPStatus.PRECONDITION_FAILED else None
    return Response(msgspec.json.encode(body), status, headers, media_type=MEDIA_TYPE)
