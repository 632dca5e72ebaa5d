"""Problems: how an error looks over HTTP, as application/problem+json with a stable code.

Source: RFC 9457. *type* is `urn:headwater:{code}`; *code* repeats it for those who compare strings.
"""

import math
from http import HTTPStatus

import msgspec
from starlette.responses import Response

from headwater.model.errors import (
    Conflict,
    Forbidden,
    Gone,
    HeadwaterError,
    InvalidInput,
    KeyReused,
    NotFound,
    RangeNotSatisfiable,
    RateLimited,
    RefusedMedia,
    StaleWrite,
    StorageFull,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnreadableMedia,
)
from headwater.observe.traces import current_id

MEDIA_TYPE = "application/problem+json"
STATUS: dict[type[HeadwaterError], int] = {
    HeadwaterError: 500,
    InvalidInput: 422,
    RangeNotSatisfiable: 416,
    UnreadableMedia: 415,
    RefusedMedia: 415,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Gone: 410,
    Conflict: 409,
    StaleWrite: 412,
    KeyReused: 422,
    TooLarge: 413,
    RateLimited: 429,
    StorageFull: 507,
    Unavailable: 503,
}
CODES = {  # of statuses that the framework finds before we do
    400: "malformed",
    404: "not-found",
    405: "method-not-allowed",
    415: "unsupported-media-type",
}


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457 §3.1; *retryable* says whether the same request may succeed later.

    *trace* is what to quote to whoever runs the server: its logs and traces know it.
    """

    type: str
    title: str
    status: int
    code: str
    detail: str = ""
    retryable: bool = False
    trace: str = ""


def status_of(error: HeadwaterError) -> int:
    """Return the status of the nearest named ancestor, so that a new leaf needs no entry."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem_response(error: HeadwaterError) -> Response:
    response = plain_problem(status_of(error), error.code, str(error), retryable=error.retryable)
    if error.retry_after_s is not None:
        response.headers["retry-after"] = str(math.ceil(error.retry_after_s))
    if isinstance(error, Unauthenticated):
        response.headers["www-authenticate"] = 'Bearer realm="headwater"'
    return response


def plain_problem(
    status: int, code: str = "", detail: str = "", *, retryable: bool = False
) -> Response:
    """Answer a problem that is no error of ours, such as an unknown method."""
    code = code or CODES.get(status, "http-error")
    problem = Problem(
        type=f"urn:headwater:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        retryable=retryable,
        trace=current_id(),
    )
    return Response(
        msgspec.json.encode(problem),
        status,
        {"cache-control": "no-store"},
        media_type=MEDIA_TYPE,
    )
