"""Objects of a bucket as blobs: what their headers say of us."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headwater.engines.blobs.port import Stored

WRITER = "writer"  # one put; by it a writer knows its own object after an answer was lost
AT = "at"  # of the name of a long blob: the object that holds its bytes
HEAD: Any = {"head": True}  # a GET's options; obstore.head leaves the attributes out
SIZE, ETAG = "size", "hash"  # and what there is


@dataclass(frozen=True, slots=True)
class Located:
    """Where the bytes of a blob are; *etag* is the store's own, for If-Match."""

    path: str
    etag: str
    stored: Stored
    writer: str


def located_of(path: str, meta: Any, attributes: Mapping[Any, str]) -> Located:
    """Read the headers of the object *path*: the bytes themselves, or the name of a long blob."""
    size, etag = meta["size"], meta["e_tag"]
    if AT in attributes:
        path, size, etag = attributes[AT], int(attributes[SIZE]), attributes[ETAG]
    return Located(path, etag, stored_of(size, etag), attributes.get(WRITER, ""))


def stored_of(size: int, etag: str, *, won: bool = False) -> Stored:
    """Return what the store holds: its ETag is the MD5 of one PUT, or that of the MD5s of the
    parts, which all have one size; so either way a hash of the content.
    """
    return Stored(size, f"md5:{etag.strip(chr(34))}", won=won)
