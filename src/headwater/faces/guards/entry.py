"""Entry: what happens to every request before and after anybody answers it.

Address and scheme (trusted proxies only), a trail, the security headers, errors as problems, one
line of log, two metrics.
"""

import logging
from collections.abc import Awaitable, Iterable, Sequence
from ipaddress import ip_address, ip_network

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headwater.engines.clock import Clock
from headwater.faces.guards.trails import close, headers_of, trail_of
from headwater.faces.kit import REQUEST_ID
from headwater.faces.problems import plain_problem, problem_response
from headwater.model.errors import HeadwaterError
from headwater.observe.metrics import REQUESTS, REQUESTS_OPEN, Counted
from headwater.operations.run import INTERNAL

log = structlog.get_logger("headwater.http")
Header = tuple[bytes, bytes]
CONTENT_POLICY = (
    b"default-src 'self'; "
    b"img-src 'self' blob: data:; "
    b"media-src 'self' blob:; "
    b"worker-src 'self' blob:; "
    b"object-src 'none'; "
    b"base-uri 'none'; "
    b"form-action 'self'; "
    b"frame-ancestors 'self'"
)
QUIET = ("/health/",)  # probed every few seconds; not worth a line
PIECES = (".m4s", ".mp4", ".jpg")  # below /streams/: a player asks for one every few seconds


class TrustedProxies:
    """Believes X-Forwarded-For and -Proto of the named networks and of nobody else."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = [ip_network(network, strict=False) for network in networks]

    def trusts(self, address: str) -> bool:
        if not self._networks:
            return False
        try:
            found = ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._networks)

    def client_of(self, peer: str, forwarded_for: str) -> str:
        """Return the last address in the chain that no trusted proxy has."""
        client = peer
        for hop in reversed([part.strip() for part in forwarded_for.split(",") if part.strip()]):
            if not self.trusts(client):
                return client
            client = hop
        return client


class Answering:
    """The `send` of one request: adds what every answer carries, and knows how it began."""

    __slots__ = ("_added", "_named", "_send", "status")

    def __init__(self, send: Send, added: Sequence[Header], named: frozenset[bytes]) -> None:
        self._send, self._added, self._named = send, added, named
        self.status = 0  # until it begins

    def __call__(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = self._with_ours(message.get("headers", ()))
        return self._send(message)

    def _with_ours(self, headers: Iterable[Header]) -> list[Header]:
        """Add the headers that the answer does not set itself."""
        said = [name for name, _ in headers if name in self._named]
        if not said:
            return [*headers, *self._added]
        return [*headers, *(pair for pair in self._added if pair[0] not in said)]


class Entry:
    def __init__(
        self,
        app: ASGIApp,
        *,
        clock: Clock,
        proxies: TrustedProxies,
        is_https: bool,
        part_origin: str = "",
    ) -> None:
        self._app, self._clock, self._proxies = app, clock, proxies
        self._headers = security_headers(is_https=is_https, part_origin=part_origin)
        self._named = frozenset(name for name, _ in self._headers)
        self._counted: dict[tuple[str, int], Counted] = {}
        self._log = log.bind()  # a bound logger costs a tenth of one that binds itself at each line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_proxied = self._look_through_proxies(scope)
        trail = trail_of(scope, is_believed=is_proxied)
        scope[REQUEST_ID] = trail.id
        started = self._clock.monotonic()
        answering = Answering(send, [*self._headers, *headers_of(trail)], self._named)
        REQUESTS_OPEN.inc()
        with trail:
            try:
                await self._answer(scope, receive, answering)
            finally:
                REQUESTS_OPEN.dec()
                face = face_of(scope["path"])
                self._count(face, answering.status // 100)
                self._write_line(scope, answering.status, started)
                close(trail, scope, face=face, status=answering.status)

    def _count(self, face: str, hundreds: int) -> None:
        counter = self._counted.get((face, hundreds))
        if counter is None:
            counter = self._counted[face, hundreds] = REQUESTS.labels(face, f"{hundreds}xx")
        counter.inc()

    async def _answer(self, scope: Scope, receive: Receive, answering: Answering) -> None:
        """Let the rest of the application answer; what it raises becomes a problem."""
        try:
            await self._app(scope, receive, answering)
        except HeadwaterError as error:
            response = problem_response(error)
        except HTTPException as error:
            response = plain_problem(error.status_code)
            response.headers.update(error.headers or {})
        except Exception:
            log.exception("request_failed", path=scope["path"])
            response = plain_problem(500, "internal", INTERNAL)
        else:
            return
        if not answering.status:
            await response(scope, receive, answering)

    def _look_through_proxies(self, scope: Scope) -> bool:
        """Take address and scheme from a trusted proxy; say whether there is one."""
        peer = scope["client"][0] if scope.get("client") else ""
        if not self._proxies.trusts(peer):
            return False
        said = {
            name: value.decode("latin-1")
            for name, value in scope["headers"]
            if name in {b"x-forwarded-for", b"x-forwarded-proto"}
        }
        client = self._proxies.client_of(peer, said.get(b"x-forwarded-for", ""))
        scope["client"] = (client, 0)
        if said.get(b"x-forwarded-proto") in {"http", "https"}:
            scope["scheme"] = said[b"x-forwarded-proto"]
        return True

    def _write_line(self, scope: Scope, status: int, started: float) -> None:
        path = scope["path"]
        level = level_of(path, status)
        if path.startswith(QUIET) or not self._log.is_enabled_for(level):
            return
        self._log.log(
            level,
            "request",
            method=scope["method"],
            path=path,
            status=status,
            ms=round((self._clock.monotonic() - started) * 1000, 1),
            client=scope["client"][0] if scope.get("client") else "",
        )


def security_headers(*, is_https: bool, part_origin: str = "") -> list[tuple[bytes, bytes]]:
    """Return what every answer carries unless it says otherwise.

    Pages may put parts of uploads to *part_origin*.
    """
    policy = CONTENT_POLICY
    if part_origin:
        policy += b"; connect-src 'self' " + part_origin.encode()
    headers = [
        (b"content-security-policy", policy),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"strict-origin-when-cross-origin"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    ]
    if is_https:
        headers.append((b"strict-transport-security", b"max-age=63072000"))
    return headers


def level_of(path: str, status: int) -> int:
    """Say how loud the line of a request is: pieces sent well are only counted."""
    is_piece = path.startswith("/streams/") and path.endswith(PIECES)
    return logging.DEBUG if is_piece and status < 400 else logging.INFO


def face_of(path: str) -> str:
    """Name the face for metrics; few values, whatever paths people try."""
    if path.startswith("/api/v1/uploads"):
        return "tus"
    if path.startswith("/api/"):
        return "rest"
    return "streaming" if path.startswith("/streams/") else "web"
