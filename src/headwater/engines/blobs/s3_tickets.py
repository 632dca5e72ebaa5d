"""Presigned addresses for parts: length and content are part of what is signed (SigV4, query).

`Content-Length` and `x-amz-content-sha256` are signed headers: bytes of another number do not
match the signature, and other bytes of that number do not match the hash, which the store compares
with what it received. `x-amz-checksum-sha256` says the same to stores that look there instead;
`headwater check` proves that one of the two is looked at. Browsers send the length themselves.
"""

import base64
from typing import Any

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from headwater.engines.blobs.port import PartTicket
from headwater.engines.blobs.s3_place import Place
from headwater.engines.clock import Clock

HASH, CHECKSUM = "X-Amz-Content-SHA256", "X-Amz-Checksum-SHA256"
LONGEST_S = 7 * 24 * 3600  # SigV4 allows no more


class TicketOffice:
    def __init__(self, place: Place, clock: Clock) -> None:
        self._place, self._clock = place, clock
        self._keys = Credentials(place.key, place.secret)

    def ticket(self, path: str, *, length: int, checksum: str, expires_at: float) -> PartTicket:
        """Return where *length* bytes with SHA-256 *checksum* may be put as the object *path*."""
        headers = {
            HASH: checksum,
            CHECKSUM: base64.b64encode(bytes.fromhex(checksum)).decode(),
            "Content-Length": str(length),
        }
        request = AWSRequest(method="PUT", url=self._place.address(path), headers=headers)
        lasts_s = min(max(int(expires_at - self._clock.now()), 1), LONGEST_S)
        _Signer(self._keys, "s3", self._place.region, expires=lasts_s).add_auth(request)
        return PartTicket(url=request.url, method="PUT", headers=headers)


class _Signer(S3SigV4QueryAuth):  # type: ignore[misc]
    """Signs for one content, not for any, as presigned addresses commonly do."""

    def payload(self, request: Any) -> str:
        return str(request.headers[HASH])
