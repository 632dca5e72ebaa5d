"""Byte ranges and validators of HTTP (RFC 9110 §13 and §14), free of any framework."""

import re

from headwater.model.errors import RangeNotSatisfiable

_ONE_RANGE = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*")


def wanted_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return the half-open range a Range header asks of *size* bytes, None for the whole.

    Several ranges at once, other units and malformed headers are ignored, as §14.2 allows.

    Raises:
        RangeNotSatisfiable: it starts behind the end.
    """
    match = _ONE_RANGE.fullmatch(header) if header else None
    if match is None:
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if not first:
        start, stop = max(0, size - int(last)), size
        if int(last) == 0:
            raise RangeNotSatisfiable(f"There are {size} bytes here.")
        return start, stop
    start, stop = int(first), min(size, int(last) + 1) if last else size
    if last and int(last) < start:
        return None
    if start >= size:
        raise RangeNotSatisfiable(f"There are {size} bytes here.")
    return start, stop


def matches(header: str | None, etag: str) -> bool:
    """Say whether an If-None-Match header names *etag* (without quotes), compared weakly."""
    if not header:
        return False
    if header.strip() == "*":
        return True
    names = (name.strip().removeprefix("W/") for name in header.split(","))
    return f'"{etag}"' in names


def range_still_valid(if_range: str | None, etag: str) -> bool:
    """Say whether If-Range lets a range be answered: only the very same strong ETag does."""
    return if_range is None or if_range.strip() == f'"{etag}"'
