"""Boxes: the grammar of ISO-BMFF (ISO/IEC 14496-12 §4.2), read from memory and written.

Every size and count is held against the bytes there are before anything is made of it.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from headwater.model.errors import UnreadableMedia

DAMAGED = "The index of this file is damaged."
MAX_NUMBERS = 1 << 24  # three columns for each of five million samples
MAX_CHILDREN = 1 << 20  # a fragment may hold a run per picture; more only costs time

_HEADER = struct.Struct(">I4s")


class Box(NamedTuple):
    """One box in memory: *raw* is all of it, *body* what follows its header."""

    kind: bytes
    body: memoryview
    raw: memoryview


def children(data: memoryview) -> Iterator[Box]:
    """Yield the boxes laid end to end in *data*; what cannot be one ends the walk.

    QuickTime ends some lists with four zero bytes, so a rest that is no box is not an error.
    """
    at, end = 0, len(data)
    for _ in range(MAX_CHILDREN):
        if end - at < 8:
            return
        size, kind = _HEADER.unpack_from(data, at)
        header = 8
        if size == 1 and end - at >= 16:
            size, header = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        elif size == 0:
            size = end - at
        if size < header or size > end - at:
            return
        yield Box(kind, data[at + header : at + size], data[at : at + size])
        at += size
    raise UnreadableMedia("The index of this file has more parts than any video needs.")


def by_kind(data: memoryview) -> dict[bytes, memoryview]:
    """Return the body of the first child of each kind."""
    found: dict[bytes, memoryview] = {}
    for child in children(data):
        found.setdefault(child.kind, child.body)
    return found


def unpack(layout: str, body: memoryview, at: int = 0) -> tuple[int, ...]:
    """Unpack *layout* (struct, integers only) at *at*.

    Raises:
        UnreadableMedia: the body is too short.
    """
    try:
        return struct.unpack_from(layout, body, at)
    except struct.error:
        raise UnreadableMedia(DAMAGED) from None


def numbers(body: memoryview, at: int, count: int, kind: str) -> npt.NDArray[np.int64]:
    """Return *count* big-endian numbers of numpy type *kind* as int64.

    Raises:
        UnreadableMedia: the body holds fewer, or they are absurdly many.
    """
    if count > MAX_NUMBERS or at + count * np.dtype(kind).itemsize > len(body):
        raise UnreadableMedia(DAMAGED)
    return np.frombuffer(body, dtype=kind, count=count, offset=at).astype(np.int64)


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    if len(body) + 8 >= 1 << 32:
        return struct.pack(">I4sQ", 1, kind, len(body) + 16) + body
    return _HEADER.pack(len(body) + 8, kind) + body


def full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def packed(layout: str, rows: Iterable[int]) -> bytes:
    """Pack many numbers of one numpy *layout* without a loop."""
    return np.asarray(rows, dtype=np.int64).astype(layout).tobytes()
