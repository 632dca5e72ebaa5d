"""Lacing: several frames in one block (RFC 9559 §10.3)."""

from headwater.containers.matroska.ebml import read_size

XIPH, FIXED, EBML = 1, 2, 3
MAX_HEADER_BYTES = 1 + 255 * 8  # a count, then at worst eight bytes for each of 255 sizes


def frame_sizes(head: bytes, size: int, lacing: int) -> tuple[int, list[int]]:
    """Return the length of the lacing header and the size of each frame behind it.

    *head* begins the block's payload of *size* bytes. A damaged header gives no frames.
    """
    if not head:
        return 0, []
    count = head[0] + 1
    if lacing == FIXED:
        each, rest = divmod(size - 1, count)
        return 1, [] if rest or not each else [each] * count
    if lacing == XIPH:
        at, told = _xiph(head, count)
    else:
        at, told = _ebml(head, count)
    last = size - at - sum(told)
    if len(told) != count - 1 or last < 0 or any(length < 0 for length in told):
        return 0, []
    return at, [*told, last]


def _xiph(head: bytes, count: int) -> tuple[int, list[int]]:
    at, told = 1, []
    for _ in range(count - 1):
        length = 0
        while at < len(head):
            byte, at = head[at], at + 1
            length += byte
            if byte != 255:
                told.append(length)
                break
    return at, told


def _ebml(head: bytes, count: int) -> tuple[int, list[int]]:
    """The first size as it is, then signed differences, each as a variable-length number."""
    at = 1
    told: list[int] = []
    for place in range(count - 1):
        value, length = read_size(head, at)
        if value is None or not length:
            return at, []
        if place:
            value += told[-1] - ((1 << (7 * length - 1)) - 1)
        told.append(value)
        at += length
    return at, told
