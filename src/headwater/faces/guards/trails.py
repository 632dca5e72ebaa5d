"""Trails: one id for each request, in its answer, its lines of the log, its problem and its trace.

A trusted proxy that traces says the id in `traceparent`; else it is ours. Whoever else says one is
not believed, or anybody could write into the traces of others.

Source: W3C Trace Context §3 (traceparent), and its level 3 draft §4 (traceresponse).
"""

from starlette.types import Scope

from headwater.engines.entropy import trace_id
from headwater.observe.spans import REQUEST
from headwater.observe.trace_ids import is_sampled, read_parent
from headwater.observe.traces import Trail

READING = frozenset({"GET", "HEAD", "OPTIONS"})
Header = tuple[bytes, bytes]


def trail_of(scope: Scope, *, is_believed: bool) -> Trail:
    """Return the trail of the request; *is_believed*: its peer is a trusted proxy.

    What writes is kept, and of what reads a sample; who asks about health is neither.
    """
    said = _said(scope) if is_believed else None
    trace, parent, asked = said or (trace_id(), "", False)
    if scope["path"].startswith("/health/"):
        return Trail(trace, REQUEST, parent=parent)
    kept = asked or scope["method"] not in READING or is_sampled(trace)
    return Trail(trace, REQUEST, parent=parent, kept=kept)


def headers_of(trail: Trail) -> list[Header]:
    """Return what every answer says of its trail."""
    headers = [(b"x-request-id", trail.id.encode())]
    if header := trail.header:
        headers.append((b"traceresponse", header.encode()))
    return headers


def close(trail: Trail, scope: Scope, *, face: str, status: int) -> None:
    """Say how the request ended; one that failed on our side is kept."""
    if trail.into is None:
        return
    trail.attributes |= {
        "http.request.method": scope["method"],
        "http.response.status_code": status,
        "face": face,
    }
    if status >= 500:
        trail.failed, trail.kept = str(status), True


def _said(scope: Scope) -> tuple[str, str, bool] | None:
    for name, value in scope["headers"]:
        if name == b"traceparent":
            return read_parent(value.decode("latin-1"))
    return None
