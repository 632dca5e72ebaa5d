"""Cursors: where a page ended, opaque and signed, so that nobody builds on what is inside."""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec

from headwater.model.errors import InvalidInput

TAG_BYTES = 12  # 96 bits: nothing secret is behind it, only a promise not to be probed
Position = tuple[float, str]


class Cursors:
    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def write(self, of: str, position: Position | None) -> str | None:
        """Return the cursor for *position* in the list called *of*; None stays None."""
        if position is None:
            return None
        body = msgspec.json.encode(position)
        return urlsafe_b64encode(self._tag(of, body) + body).decode().rstrip("=")

    def read(self, of: str, cursor: str | None) -> Position | None:
        """Return the position. Raises InvalidInput: not a cursor of this list of this server."""
        if cursor is None:
            return None
        try:
            packed = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        except ValueError:
            packed = b""
        tag, body = packed[:TAG_BYTES], packed[TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(of, body)):
            raise InvalidInput("This cursor is not one of ours; start from the first page.")
        position: Position = msgspec.json.decode(body, type=tuple[float, str])
        return position

    def _tag(self, of: str, body: bytes) -> bytes:
        signed = of.encode() + b"\0" + body
        return hmac.new(self._secret, signed, hashlib.sha256).digest()[:TAG_BYTES]
