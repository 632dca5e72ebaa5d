"""Signed addresses of our own: what a presigned URL is to S3, for stores that have none.

Flow      part_url → the client puts to that address → the face verifies and feeds checked() to
          put_absent.
"""

import hashlib
import hmac
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from urllib.parse import urlencode

import msgspec

from headwater.engines.blobs.port import BlobKey, PartTicket, blob_key
from headwater.model.errors import ChecksumMismatch, Forbidden, TooLarge


class Part(msgspec.Struct, frozen=True):
    """What the holder of a verified address may put."""

    key: BlobKey
    length: int
    checksum: str


class PartSigner:
    def __init__(self, secret: bytes, base: str) -> None:
        """Sign with *secret*, known to every process that verifies; *base* ends without a slash."""
        self._secret = secret
        self._base = base

    def ticket(self, part: Part, *, expires_at: float) -> PartTicket:
        terms = {
            "length": str(part.length),
            "checksum": part.checksum,
            "expires": str(int(expires_at)),
        }
        query = urlencode({**terms, "signature": self._sign(part.key, terms)})
        return PartTicket(
            url=f"{self._base}/{part.key}?{query}",
            method="PUT",
            headers={"Content-Length": str(part.length)},
        )

    def verify(self, key: str, query: Mapping[str, str], *, now: float) -> Part:
        """Return what may be put at the address of *key* and *query*.

        Raises:
            Forbidden: altered, or not of our making, or expired.
        """
        terms = {name: query.get(name, "") for name in ("length", "checksum", "expires")}
        signature = query.get("signature", "")
        if not hmac.compare_digest(self._sign(key, terms).encode(), signature.encode()):
            raise Forbidden("this part address is not one of ours")
        if now >= int(terms["expires"]):
            raise Forbidden("this part address has expired")
        return Part(blob_key(key), int(terms["length"]), terms["checksum"])

    def _sign(self, key: str, terms: Mapping[str, str]) -> str:
        text = "\n".join((key, terms["length"], terms["checksum"], terms["expires"]))
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()


async def checked(body: AsyncIterable[bytes], part: Part) -> AsyncIterator[bytes]:
    """Yield *body*, and raise after its last byte if it is not the one that was signed for.

    Raises:
        TooLarge: more bytes came than were agreed.
        ChecksumMismatch: fewer, or others.
    """
    found, size = hashlib.sha256(), 0
    async for chunk in body:
        size += len(chunk)
        if size > part.length:
            raise TooLarge(f"this part has {part.length} bytes")
        found.update(chunk)
        yield chunk
    if size != part.length or found.hexdigest() != part.checksum.lower():
        raise ChecksumMismatch("the part is not the one its address was made for")
