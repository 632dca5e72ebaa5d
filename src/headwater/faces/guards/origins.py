"""Origins: a write that does not carry a key must come from our own pages.

SameSite cookies stop most of it; this stops the rest (sibling sites, old browsers, login forgery).
A client that sends neither Origin nor Sec-Fetch-Site is no browser and cannot be misused by a page.

Source: Fetch Metadata; OWASP CSRF prevention, "verifying origin with standard headers".
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from headwater.faces.kit import PRINCIPAL, Faces
from headwater.model.account import Principal
from headwater.model.actor import ActorKind
from headwater.model.errors import Forbidden

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Origins:
    def __init__(self, app: ASGIApp, faces: Faces) -> None:
        self._app, self._public_origin = app, faces.public_origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in SAFE:
            principal: Principal | None = scope[PRINCIPAL]
            by_key = principal is not None and principal.kind is ActorKind.KEY
            if not by_key and not self.is_ours(Headers(scope=scope)):
                raise Forbidden(
                    "This request came from another site. Open the page here, then try again."
                )
        await self._app(scope, receive, send)

    def is_ours(self, headers: Headers) -> bool:
        """Say whether the page behind the request is one of this server's."""
        origin = headers.get("origin")
        if origin is None:
            return headers.get("sec-fetch-site", "none") in {"same-origin", "none"}
        if self._public_origin:
            return origin.lower() == self._public_origin
        return urlsplit(origin).netloc.lower() == headers.get("host", "").lower() != ""
