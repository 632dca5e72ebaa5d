"""The application: every face under one address, behind the same guards.

/api/v1/uploads → tus · /api/v1 → rest · /streams → streaming · everything else → web;
POST /api/v1/videos carries a whole file, so it is an upload and goes to tus as well.
"""

from collections.abc import Mapping, Sequence

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from headwater.faces.guards.body_limit import BodyLimit, is_plain_upload
from headwater.faces.guards.entry import Entry, TrustedProxies
from headwater.faces.guards.origins import Origins
from headwater.faces.guards.pages import ErrorPage, Pages
from headwater.faces.guards.positions import Positions
from headwater.faces.guards.principals import Principals
from headwater.faces.health import LIVE, READY, tell_readiness
from headwater.faces.kit import Faces
from headwater.model.errors import NotFound

UPLOADS = "/api/v1/uploads"
REST = "/api/v1"
STREAMS = "/streams"
HEALTH = "/health"
WEB = ""


class Dispatch:
    """Picks the face by the longest prefix of the path; a handful of comparisons, no table walk."""

    def __init__(self, mounts: Mapping[str, ASGIApp]) -> None:
        longest_first = sorted(mounts.items(), key=lambda mount: len(mount[0]), reverse=True)
        self._mounts = [(prefix, f"{prefix}/", app) for prefix, app in longest_first]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = UPLOADS if is_plain_upload(scope) else scope["path"]
        scope["app"] = self  # routers raise instead of answering plain text when there is one
        for prefix, below, app in self._mounts:
            if path.startswith(below) or path == prefix:
                await app(scope, receive, send)
                return
        raise NotFound("There is nothing under this address.")


def create_app(
    faces: Faces,
    mounts: Mapping[str, Sequence[BaseRoute] | ASGIApp],
    *,
    trusted_proxies: Sequence[str] = (),
    page: ErrorPage | None = None,
) -> ASGIApp:
    """Put the faces together; a mount is a list of routes with full paths, or an application.

    *page* renders errors for people; without it everybody reads problems.
    """
    apps: dict[str, ASGIApp] = {HEALTH: _router(health_routes(faces))}
    for prefix, mount in mounts.items():
        apps[prefix] = _router(mount) if isinstance(mount, Sequence) else mount
    streams = apps.pop(STREAMS, _nothing)
    app: ASGIApp = BodyLimit(Dispatch(apps), free=(UPLOADS,))
    app = Principals(Origins(app, faces), faces)
    if page is not None:
        app = Pages(app, page)
    app = Entry(
        # Players ask for most, send nothing and read no pages: who asks is all that matters there.
        Dispatch({STREAMS: Principals(streams, faces), WEB: app}),
        clock=faces.clock,
        proxies=TrustedProxies(trusted_proxies),
        is_https=faces.is_https,
        part_origin=faces.blobs.part_origin,
    )
    return Positions(app, faces) if faces.tells_positions else app  # around errors as well


def health_routes(faces: Faces) -> list[BaseRoute]:
    async def live(_: Request) -> Response:
        return PlainTextResponse("ok")

    async def ready(_: Request) -> Response:
        is_ready, told = await tell_readiness(faces.runner, closing=faces.closing.is_set())
        return Response(
            told,
            200 if is_ready else 503,
            {"cache-control": "no-store"},
            media_type="application/json",
        )

    return [Route(LIVE, live), Route(READY, ready)]


def _router(routes: Sequence[BaseRoute]) -> Router:
    return Router(routes=list(routes), redirect_slashes=False, default=_nothing)


async def _nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise NotFound("There is nothing under this address.")
