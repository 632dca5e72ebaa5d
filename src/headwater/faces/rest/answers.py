"""Answers: structs to bytes, entity tags, and the way back from If-Match to a version."""

import hashlib
import re
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from headwater.model.errors import StaleWrite

TAG = re.compile(r'"(\d{1,18})-[0-9a-f]+"')


def json_answer(value: Any, status: int = 200) -> Response:
    """Answer *value* to this caller alone."""
    return Response(
        msgspec.json.encode(value),
        status,
        {"cache-control": "private, no-store"},
        media_type="application/json",
    )


def tagged_answer(request: Request, value: Any, *, version: int) -> Response:
    """Answer with a strong entity tag, or 304 if the caller has just this.

    The tag names *version*, which an edit compares, and hashes the bytes, because progress changes
    them without being an edit.
    """
    body = msgspec.json.encode(value)
    tag = f'"{version}-{hashlib.blake2b(body, digest_size=8).hexdigest()}"'
    headers = {
        "etag": tag,
        "cache-control": "private, no-cache",
        "vary": "Cookie, Authorization",
    }
    if has_tag(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


def has_tag(header: str, tag: str) -> bool:
    """Say whether If-None-Match *header* names *tag*, weakly. Source: RFC 9110 §13.1.2."""
    named = [part.strip().removeprefix("W/") for part in header.split(",")]
    return tag in named or "*" in named


def version_of(header: str | None) -> int | None:
    """Return the version If-Match *header* insists on, None if it does not.

    Raises StaleWrite for what is no tag of ours: it cannot match. Source: RFC 9110 §13.1.1.
    """
    if header is None or header.strip() == "*":
        return None
    found = TAG.fullmatch(header.strip())
    if found is None:
        raise StaleWrite("If-Match names no version of this; send the ETag you were given.")
    return int(found[1])
