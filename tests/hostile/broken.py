"""Ways to break a file, each repeatable from its seed."""

import numpy as np

from headwater.containers.isobmff.boxes import children

Dice = np.random.Generator


def flip_bits(whole: bytes, seed: int, *, lo: int = 0, hi: int | None = None) -> bytes:
    """Turn one to two hundred single bits over somewhere in [*lo*, *hi*)."""
    dice, data = np.random.default_rng(seed), bytearray(whole)
    for _ in range(int(dice.choice([1, 3, 20, 200]))):
        data[dice.integers(lo, len(data) if hi is None else hi)] ^= 1 << int(dice.integers(8))
    return bytes(data)


def cut_off(whole: bytes, seed: int) -> bytes:
    return whole[: int(np.random.default_rng(seed).integers(1, len(whole)))]


def spoil(whole: bytes, seed: int) -> bytes:
    """Overwrite, lose, repeat or insert a stretch of up to a tenth of the file."""
    dice = np.random.default_rng(seed)
    length = int(dice.integers(1, max(2, len(whole) // 10)))
    at = int(dice.integers(0, len(whole) - length))
    head, stretch, tail = whole[:at], whole[at : at + length], whole[at + length :]
    kind = int(dice.integers(5))
    middle = [b"", bytes(length), dice.bytes(length), stretch * 2, dice.bytes(length) + stretch]
    return head + middle[kind] + tail


def media_data(whole: bytes) -> tuple[int, int]:
    """Return where the body of the first mdat box lies."""
    at = 0
    for child in children(memoryview(whole)):
        if child.kind == b"mdat":
            return at + len(child.raw) - len(child.body), at + len(child.raw)
        at += len(child.raw)
    raise AssertionError("no mdat")
