"""What every face is given, and how it learns who is asking."""

import asyncio
import re
from dataclasses import dataclass, field

from starlette.requests import HTTPConnection

from headwater.engines.blobs.port import Blobs
from headwater.engines.clock import Clock
from headwater.engines.notices.port import Notices
from headwater.faces.cursors import Cursors
from headwater.model.account import Principal
from headwater.model.actor import Actor
from headwater.operations.run import Runner

ACTOR = "headwater.actor"
PRINCIPAL = "headwater.principal"
SEEN = "headwater.seen"
REQUEST_ID = "headwater.request_id"
HOST = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Faces:
    """Built once by compose. *public_origin* is scheme://host as people type it, "" if not set.

    With *tells_positions* callers are told how far the rows were when they wrote, so that no
    replica or other process shows them less (guards/positions.py).
    *closing* is set when the server stops: a stream without an end finishes then.
    """

    runner: Runner
    notices: Notices
    blobs: Blobs
    clock: Clock
    cursors: Cursors
    public_origin: str = ""
    tells_positions: bool = False
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_https(self) -> bool:
        return self.public_origin.startswith("https://")

    @property
    def cookie_name(self) -> str:
        """`__Host-` makes browsers refuse the cookie from anywhere but this host over https."""
        return "__Host-headwater" if self.is_https else "headwater"

    def public_url(self, request: HTTPConnection) -> str:
        """Return scheme://host for absolute addresses: the setting's, else the request's."""
        if self.public_origin:
            return self.public_origin
        host = request.headers.get("host", "")
        return f"{request.scope['scheme']}://{host if HOST.fullmatch(host) else 'localhost'}"


def actor_of(request: HTTPConnection) -> Actor:
    """Return who is asking, as the middleware of faces/asgi.py found."""
    actor: Actor = request.scope[ACTOR]
    return actor


def principal_of(request: HTTPConnection) -> Principal | None:
    """Return the account behind the request's cookie or key, None if nobody is signed in."""
    principal: Principal | None = request.scope.get(PRINCIPAL)  # an error may come before it
    return principal
