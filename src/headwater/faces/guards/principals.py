"""Principals: the request's cookie or key becomes an actor, once, before any face looks.

Source: RFC 6750 §2.1 (Bearer). A wrong key is an error; a cookie that is no session any more is
nobody, because browsers keep sending it.
"""

from dataclasses import replace

from starlette.types import ASGIApp, Receive, Scope, Send

from headwater.access.tokens import hash_of
from headwater.faces.kit import ACTOR, PRINCIPAL, SEEN, Faces
from headwater.model.account import Principal
from headwater.model.actor import SYSTEM, Actor, ActorKind, anonymous
from headwater.model.errors import Unauthenticated
from headwater.model.freshness import Seen

TOUCH_S = 3600.0  # precision of a key's "last used"
LONGEST_TOKEN = 200


class Principals:
    def __init__(self, app: ASGIApp, faces: Faces) -> None:
        self._app, self._faces = app, faces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            address = scope["client"][0] if scope.get("client") else ""
            principal = scope[PRINCIPAL] = await self._principal(scope)
            actor = actor_from(principal, address) if principal else anonymous(address)
            scope[ACTOR] = replace(actor, seen=scope[SEEN]) if SEEN in scope else actor
        await self._app(scope, receive, send)

    async def _principal(self, scope: Scope) -> Principal | None:
        cookie = authorization = b""
        for name, value in scope["headers"]:
            if name == b"cookie":
                cookie += b"; " + value if cookie else value
            elif name == b"authorization":
                authorization = value
        if authorization:
            return await self._by_key(authorization.decode("latin-1"), scope.get(SEEN))
        if cookie:
            return await self._by_session(cookie.decode("latin-1"), scope.get(SEEN))
        return None

    async def _by_key(self, authorization: str, seen: Seen | None) -> Principal:
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not 0 < len(token) <= LONGEST_TOKEN:
            raise Unauthenticated("Send the API key as `Authorization: Bearer KEY`.")
        principal = await self._recognise(ActorKind.KEY, token, seen)
        if principal is None:
            raise Unauthenticated("This API key is not valid (any more).")
        used_at = principal.last_used_at or 0.0
        if self._faces.clock.now() - used_at > TOUCH_S:
            await self._faces.runner.run("keys.touch", SYSTEM, proof=principal.proof)
        return principal

    async def _by_session(self, header: str, seen: Seen | None) -> Principal | None:
        token = cookie_named(self._faces.cookie_name, header)
        if not 0 < len(token) <= LONGEST_TOKEN:
            return None
        principal = await self._recognise(ActorKind.SESSION, token, seen)
        if principal is None or (principal.expires_at or 0.0) <= self._faces.clock.now():
            return None
        return principal

    async def _recognise(self, kind: ActorKind, token: str, seen: Seen | None) -> Principal | None:
        asker = replace(SYSTEM, seen=seen) if seen else SYSTEM  # who just signed in is known
        principal: Principal | None = await self._faces.runner.run(
            "sessions.recognise", asker, kind=kind, proof=hash_of(token)
        )
        return principal


def cookie_named(name: str, header: str) -> str:
    """Return the value of the first cookie of that name (RFC 6265 §5.4), "" without one.

    Ours are plain tokens, so nothing is unquoted, and every segment a viewer asks for has one.
    """
    for pair in header.split(";"):
        found, _, value = pair.partition("=")
        if found.strip() == name:
            return value.strip()
    return ""


def actor_from(principal: Principal, address: str) -> Actor:
    return Actor(
        kind=principal.kind, account=principal.account, role=principal.role, address=address
    )
