"""Checksums of a request's body, as clients send them: an algorithm's name and the digest.

Source: tus 1.0.0, extension Checksum (Upload-Checksum).
"""

import hashlib
import zlib
from collections.abc import Callable
from typing import Protocol

import msgspec

from headwater.model.errors import InvalidInput


class Checksum(msgspec.Struct, frozen=True):
    """*digest* is what the client says the body's *algorithm* gives."""

    algorithm: str
    digest: bytes


class Hasher(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class Crc32:
    """CRC-32 of ISO 3309 (zlib's), four bytes, most significant first."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


# They find transmission errors; nothing is proven by them, so old ones do.
ALGORITHMS: dict[str, Callable[[], Hasher]] = {
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
    "md5": lambda: hashlib.md5(usedforsecurity=False),
    "crc32": Crc32,
}


def hasher_for(checksum: Checksum) -> Hasher:
    """Raises InvalidInput for an algorithm we do not know or a digest of the wrong length."""
    make = ALGORITHMS.get(checksum.algorithm)
    if make is None:
        raise InvalidInput(f"Checksums are one of {', '.join(ALGORITHMS)}.")
    hasher = make()
    if len(hasher.digest()) != len(checksum.digest):
        raise InvalidInput(f"This is no {checksum.algorithm} checksum: its length is wrong.")
    return hasher
