"""Pages: to a person at a browser an error is a page; to everybody else it stays a problem.

Whoever names text/html in Accept reads pages. The API is the same for everybody, and so is what has
begun to answer already.
"""

from typing import Protocol

import structlog
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headwater.model.errors import HeadwaterError, InvalidInput, NotFound
from headwater.operations.run import INTERNAL

API = "/api/"
NOT_FOUND = 404

log = structlog.get_logger("headwater.http")


class ErrorPage(Protocol):
    """Render *error* as a page; *status* where it is another than the error's own."""

    def __call__(
        self, request: Request, error: HeadwaterError, *, status: int | None = None
    ) -> Response: ...


class Pages:
    def __init__(self, app: ASGIApp, page: ErrorPage) -> None:
        self._app, self._page = app, page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not reads_pages(scope):
            await self._app(scope, receive, send)
            return
        is_started = False

        async def watched(message: Message) -> None:
            nonlocal is_started
            is_started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if is_started:
                raise
            await self._answer(scope, error)(scope, receive, send)

    def _answer(self, scope: Scope, error: Exception) -> Response:
        request = Request(scope)
        if isinstance(error, HeadwaterError):
            return self._page(request, error)
        if isinstance(error, HTTPException):
            response = self._page(request, _of_framework(error), status=error.status_code)
            response.headers.update(error.headers or {})
            return response
        log.error("request_failed", path=scope["path"], exc_info=error)
        return self._page(request, HeadwaterError(INTERNAL))


def reads_pages(scope: Scope) -> bool:
    """Say whether an error is answered as a page."""
    if scope["path"].startswith(API):
        return False
    accepted = Headers(scope=scope).get("accept", "").lower().split(",")
    kinds = (kind.partition(";") for kind in accepted)
    return any(
        name.strip() == "text/html" and values.replace(" ", "") not in {"q=0", "q=0.0"}
        for name, _, values in kinds
    )


def _of_framework(error: HTTPException) -> HeadwaterError:
    if error.status_code == NOT_FOUND:
        return NotFound()
    return InvalidInput("This address does not take that kind of request.")
