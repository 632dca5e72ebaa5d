"""Which segments of a track are in the store: bit i, little-endian, is segment i."""


def empty(segments: int) -> bytes:
    return bytes((segments + 7) // 8)


def has(bitmap: bytes, index: int) -> bool:
    return bool(bitmap[index >> 3] >> (index & 7) & 1)


def with_bit(bitmap: bytes, index: int, *, present: bool = True) -> bytes:
    changed = bytearray(bitmap)
    if present:
        changed[index >> 3] |= 1 << (index & 7)
    else:
        changed[index >> 3] &= ~(1 << (index & 7)) & 0xFF
    return bytes(changed)


def count(bitmap: bytes) -> int:
    return int.from_bytes(bitmap, "little").bit_count()
