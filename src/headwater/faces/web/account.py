"""Setting the server up, logging in and out: plain forms that work without scripts."""

import math

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from headwater.faces.kit import principal_of
from headwater.faces.signin import sign_in_response, sign_out_response
from headwater.faces.web.site import Site, local_path, redirect
from headwater.model.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    RateLimited,
    Unauthenticated,
)


def routes(site: Site) -> list[BaseRoute]:
    doors = Doors(site)
    return [
        Route("/login", site.page(doors.show_login), methods=["GET"]),
        Route("/login", site.page(doors.log_in), methods=["POST"]),
        Route("/logout", site.page(doors.log_out), methods=["POST"]),
        Route("/setup", site.page(doors.show_setup), methods=["GET"]),
        Route("/setup", site.page(doors.set_up), methods=["POST"]),
    ]


class Doors:
    """The forms that let people in and out."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def show_login(self, request: Request) -> Response:
        after = local_path(request.query_params.get("next", "/"))
        if principal_of(request) is not None:
            return redirect(after)
        if await self._site.ask(request, "accounts.needs_setup"):
            return _no_owner_yet(self._site, request)
        return _login_form(self._site, request, after=after)

    async def log_in(self, request: Request) -> Response:
        form = await request.form()
        email, after = str(form.get("email", "")), local_path(str(form.get("next", "/")))
        principal = principal_of(request)
        try:
            signed_in = await self._site.ask(
                request,
                "sessions.log_in",
                email=email,
                password=str(form.get("password", "")),
                replaces=principal.proof if principal else None,
            )
        except Unauthenticated:
            problem = self._site.texts("login.wrong")
            return _login_form(self._site, request, 401, after=after, email=email, problem=problem)
        except RateLimited as error:
            problem = self._site.texts("login.slow")
            form_again = _login_form(
                self._site, request, 429, after=after, email=email, problem=problem
            )
            form_again.headers["retry-after"] = str(math.ceil(error.retry_after_s or 1))
            return form_again
        response = redirect(after)
        sign_in_response(self._site.faces, response, signed_in)
        return response

    async def log_out(self, request: Request) -> Response:
        principal = principal_of(request)
        if principal is not None:
            await self._site.ask(request, "sessions.log_out", proof=principal.proof)
        response = redirect("/")
        sign_out_response(self._site.faces, response)
        return response

    async def show_setup(self, request: Request) -> Response:
        token = request.query_params.get("token", "")
        if not token or not await self._site.ask(request, "accounts.needs_setup", token=token):
            return _used_link(self._site, request)
        return _setup_form(self._site, request, token=token)

    async def set_up(self, request: Request) -> Response:
        form = await request.form()
        given = {name: str(form.get(name, "")) for name in ("token", "email", "name", "password")}
        try:
            signed_in = await self._site.ask(request, "accounts.set_up", **given)
        except InvalidInput as error:
            del given["password"]
            return _setup_form(self._site, request, 400, **given, problem=str(error))
        except (Forbidden, Conflict):
            return _used_link(self._site, request)
        response = redirect("/upload")
        sign_in_response(self._site.faces, response, signed_in)
        return response


def _login_form(
    site: Site,
    request: Request,
    status: int = 200,
    *,
    after: str,
    email: str = "",
    problem: str = "",
) -> Response:
    return site.render(
        request,
        "login.html",
        status=status,
        here="login",
        next=after,
        email=email,
        problem=problem,
    )


def _setup_form(
    site: Site,
    request: Request,
    status: int = 200,
    *,
    token: str,
    name: str = "",
    email: str = "",
    problem: str = "",
) -> Response:
    return site.render(
        request,
        "setup.html",
        status=status,
        here="setup",
        token=token,
        name=name,
        email=email,
        problem=problem,
    )


def _no_owner_yet(site: Site, request: Request) -> Response:
    """Say what comes before logging in; nobody can until the set-up link was used."""
    return site.render(
        request,
        "message.html",
        here="login",
        code=None,
        heading=site.texts("login.no_owner"),
        sentence=site.texts("login.no_owner_more"),
        action=site.texts("error.retry"),
        action_href="/login",
    )


def _used_link(site: Site, request: Request) -> Response:
    """Say that the link is over, and offer to log in to whoever has not done so."""
    action, href = ("setup.login", "/login")
    if principal_of(request) is not None:
        action, href = ("error.home", "/")
    return site.render(
        request,
        "message.html",
        status=403,
        here="setup",
        code=None,
        heading=site.texts("setup.used"),
        sentence=site.texts("setup.used_more"),
        action=site.texts(action),
        action_href=href,
    )
