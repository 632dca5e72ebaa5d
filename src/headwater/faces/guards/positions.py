"""Positions: what a caller has written is known by a token that the caller keeps.

Flow      the request's Headwater-Position, else the cookie beside the session's → what its reads
          must have → after a write the new one goes back both ways; `Headwater-Age` says how old
          an answer is that is older than it should be.
Promises  a token that was made up costs its maker a question to every host of the database at
          most, or an older answer. Only there where there are replicas, or other processes.

Browsers keep the cookie and send it with every request of a page's, also those of its parts that
live on. Whoever uses a key sends the header back; without it the primary answers.
"""

from math import ceil, isfinite

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headwater.faces.guards.principals import cookie_named
from headwater.faces.kit import SEEN, Faces
from headwater.model.freshness import Position, Seen

HEADER = "headwater-position"
AGE = "headwater-age"
KEPT_S = 30 * 86_400  # a browser without it asks the primary


class Positions:
    def __init__(self, app: ASGIApp, faces: Faces) -> None:
        self._app, self._faces = app, faces
        self._cookie = f"{faces.cookie_name}-position"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        came_with, by_key = self._told(scope)
        seen = scope[SEEN] = Seen(came_with)

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=list(message.get("headers", ())))
                if seen.age_s:
                    headers[AGE] = str(ceil(seen.age_s)) if isfinite(seen.age_s) else "unknown"
                if seen.position is not None and seen.position != came_with:
                    self._tell(headers, str(seen.position), by_key=by_key)
                message["headers"] = headers.raw
            await send(message)

        await self._app(scope, receive, telling)

    def _told(self, scope: Scope) -> tuple[Position | None, bool]:
        """Return the position the request came with, and whether it came with a key."""
        header = cookie = ""
        by_key = False
        for name, value in scope["headers"]:
            if name == b"cookie":
                cookie += f"; {value.decode('latin-1')}"
            elif name == b"authorization":
                by_key = True
            elif name == HEADER.encode():
                header = value.decode("latin-1")
        return Position.read(header or cookie_named(self._cookie, cookie)), by_key

    def _tell(self, headers: MutableHeaders, position: str, *, by_key: bool) -> None:
        headers[HEADER] = position
        if by_key:
            return
        kept = Response()
        kept.set_cookie(
            self._cookie,
            position,
            max_age=KEPT_S,
            path="/",
            secure=self._faces.is_https,
            httponly=True,
            samesite="lax",
        )
        headers.append("set-cookie", kept.headers["set-cookie"])
        headers["cache-control"] = "no-store"  # it is this caller's own
