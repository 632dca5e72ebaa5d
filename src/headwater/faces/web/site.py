"""What every page shares: templates, texts, who is looking, and how a failure looks as a page."""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from headwater.faces.kit import REQUEST_ID, Faces, actor_of, principal_of
from headwater.faces.web.assets import Assets
from headwater.faces.web.texts import Texts
from headwater.model.actor import Role
from headwater.model.errors import (
    Conflict,
    Forbidden,
    Gone,
    HeadwaterError,
    InvalidInput,
    KeyReused,
    NotFound,
    RateLimited,
    StorageFull,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from headwater.model.video import Video

Handler = Callable[[Request], Awaitable[Response]]
PAGE_HEADERS = {"cache-control": "private, no-store"}  # what a page says depends on who looks
FAILURES: dict[type[HeadwaterError], tuple[int, str]] = {  # the second level of the error tree
    InvalidInput: (400, "invalid"),
    Unauthenticated: (401, "forbidden"),
    Forbidden: (403, "forbidden"),
    NotFound: (404, "not_found"),
    Gone: (410, "gone"),
    Conflict: (409, "invalid"),
    KeyReused: (422, "invalid"),
    TooLarge: (413, "invalid"),
    RateLimited: (429, "slow"),
    StorageFull: (507, "busy"),
    Unavailable: (503, "busy"),
}
OWN_WORDS = frozenset({"invalid", "forbidden", "gone"})  # where the error's own sentence says more
UNEXPECTED = 500


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at the page, as far as its frame shows it."""

    signed_in: bool
    email: str
    initial: str
    is_owner: bool


class Site:
    """The pages' own services beside the face's; one per process.

    *warms* says which rungs are made ahead of being watched, so that the player knows what waits;
    *undo_s* how long a deletion can be taken back.

    Raises:
        SettingsError: the scripts and styles are not built.
    """

    def __init__(
        self, faces: Faces, *, warms: Literal["all", "low", "none"], undo_s: float
    ) -> None:
        self.faces = faces
        self.warms, self.undo_s = warms, undo_s
        self.texts = Texts()
        environment = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
        )
        environment.globals.update(text=self.texts, assets=Assets())
        self._templates = {
            name: environment.get_template(name) for name in environment.list_templates()
        }

    async def ask(self, request: Request, operation: str, **inputs: Any) -> Any:
        return await self.faces.runner.run(operation, actor_of(request), **inputs)

    @property
    def now(self) -> float:
        return self.faces.clock.now()

    def can_restore(self, video: Video) -> bool:
        """Say whether *video* is deleted and its undo window still open."""
        return video.deleted_at is not None and self.now < video.deleted_at + self.undo_s

    def render(
        self, request: Request, template: str, *, status: int = 200, here: str = "", **values: Any
    ) -> Response:
        body = self._templates[template].render(page=visitor_of(request), here=here, **values)
        return Response(body, status, PAGE_HEADERS, media_type="text/html; charset=utf-8")

    def failure(
        self, request: Request, error: HeadwaterError, *, status: int | None = None
    ) -> Response:
        """Render *error* as a page that says what happened and offers the next step."""
        found = (answer for kind, answer in FAILURES.items() if isinstance(error, kind))
        usual, name = next(found, (500, "broken"))
        status = status or usual
        own = str(error) if name in OWN_WORDS else ""
        action, href = _next_step(request, name)
        response = self.render(
            request,
            "message.html",
            status=status,
            code=self._code(request, status),
            heading=self.texts(f"error.{name}"),
            sentence=own or self.texts(f"error.{name}_more"),
            action=self.texts(f"error.{action}"),
            action_href=href,
        )
        if error.retry_after_s is not None:
            response.headers["retry-after"] = str(math.ceil(error.retry_after_s))
        return response

    def _code(self, request: Request, status: int) -> str:
        """Name the error for whoever is told of it; one of ours with the line in the log."""
        if status != UNEXPECTED:
            return self.texts("error.code", status=status)
        return self.texts("error.reference", status=status, id=request.scope.get(REQUEST_ID, ""))

    def page(self, handler: Handler) -> Handler:
        """Turn expected errors of *handler* into pages; one who must log in is sent there."""

        @wraps(handler)
        async def guarded(request: Request) -> Response:
            try:
                return await handler(request)
            except Unauthenticated:
                return redirect(f"/login?next={quote(local_path(str(request.url)))}")
            except HeadwaterError as error:
                return self.failure(request, error)

        return guarded

    async def missing(self, request: Request) -> Response:
        return self.failure(request, NotFound())


def _next_step(request: Request, name: str) -> tuple[str, str]:
    """Return what the page offers, and its address: what was posted is not posted again."""
    if request.method in {"GET", "HEAD"}:
        here = local_path(str(request.url))
        if name in {"slow", "busy", "broken"}:
            return "retry", here
        if name == "forbidden" and principal_of(request) is None:
            return "login", f"/login?next={quote(here)}"
    return "home", "/"


def visitor_of(request: Request) -> Visitor:
    principal = principal_of(request)
    if principal is None:
        return Visitor(False, "", "", False)
    initial = (principal.name or principal.email or "?")[0].upper()
    return Visitor(True, principal.email, initial, principal.role is Role.OWNER)


def require_visitor(request: Request) -> None:
    """Raises Unauthenticated: nobody is signed in."""
    if principal_of(request) is None:
        raise Unauthenticated


def redirect(path: str) -> Response:
    return RedirectResponse(path, 303, PAGE_HEADERS)


def local_path(address: str) -> str:
    """Return path and query of *address* if it stays on this site, else "/".

    Browsers read "//host" and "/\\host" as another site, so a second slash of either kind is
    refused.
    """
    parts = urlsplit(address)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    if not path.startswith("/") or path[1:2] in {"/", "\\"} or any(ord(c) < 32 for c in path):
        return "/"
    return path
