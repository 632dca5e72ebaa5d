"""EBML: the grammar of Matroska (RFC 8794), read from memory and written."""

from collections.abc import Iterator
from typing import NamedTuple

from headwater.model.errors import UnreadableMedia

MAX_CHILDREN = 1 << 16
DAMAGED = "The index of this file is damaged."


Elements = dict[int, memoryview]  # id → body


class Element(NamedTuple):
    """One element in memory: *raw* is all of it, *body* what follows id and size."""

    id: int
    body: memoryview
    raw: memoryview


def read_id(data: memoryview | bytes, at: int) -> tuple[int, int]:
    """Return the element id at *at*, marker kept, and its length; length 0 where there is none."""
    if at >= len(data):
        return 0, 0
    length = 9 - data[at].bit_length()
    if length > 4 or at + length > len(data):
        return 0, 0
    return int.from_bytes(data[at : at + length], "big"), length


def read_size(data: memoryview | bytes, at: int) -> tuple[int | None, int]:
    """Return the size at *at*, None for unknown, and its length; length 0 where there is none."""
    if at >= len(data):
        return None, 0
    length = 9 - data[at].bit_length()
    if length > 8 or at + length > len(data):
        return None, 0
    mask = (1 << 7 * length) - 1
    value = int.from_bytes(data[at : at + length], "big") & mask
    return (None if value == mask else value), length


def children(data: memoryview) -> Iterator[Element]:
    """Yield the elements laid end to end in *data*; what cannot be one ends the walk."""
    at = 0
    for _ in range(MAX_CHILDREN):
        kind, id_length = read_id(data, at)
        size, size_length = read_size(data, at + id_length)
        start = at + id_length + size_length
        if not id_length or not size_length or size is None or size > len(data) - start:
            return
        yield Element(kind, data[start : start + size], data[at : start + size])
        at = start + size
    raise UnreadableMedia(DAMAGED)


def by_id(data: memoryview) -> Elements:
    """Return the body of the first child of each id."""
    found: Elements = {}
    for child in children(data):
        found.setdefault(child.id, child.body)
    return found


def read_unsigned(elements: Elements, kind: int, usual: int = 0) -> int:
    body = elements.get(kind)
    return usual if body is None or len(body) > 8 else int.from_bytes(body, "big")


def element(kind: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return kind.to_bytes((kind.bit_length() + 7) // 8, "big") + size(len(body)) + body


def size(value: int) -> bytes:
    """Return *value* as an eight-byte size, so that the length never depends on it."""
    return (1 << 56 | value).to_bytes(8, "big")


def unsigned(kind: int, value: int) -> bytes:
    return element(kind, value.to_bytes(max((value.bit_length() + 7) // 8, 1), "big"))
