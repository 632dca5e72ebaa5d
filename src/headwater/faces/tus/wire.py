"""The header values of tus 1.0.0, read and written.

Source: https://tus.io/protocols/resumable-upload, core and the extensions named in EXTENSIONS.
"""

import base64
import binascii
from collections.abc import Mapping
from email.utils import formatdate

import msgspec
from starlette.datastructures import Headers

from headwater.model.errors import InvalidInput
from headwater.model.ids import UploadId
from headwater.model.upload import Upload
from headwater.uploads.checksums import Checksum

VERSION = "1.0.0"
EXTENSIONS = (
    "creation",
    "creation-with-upload",
    "creation-defer-length",
    "checksum",
    "expiration",
    "termination",
    "concatenation",
)
BODY_TYPE = "application/offset+octet-stream"
VIDEO_HEADER = "headwater-video"
LONGEST_LENGTH = (1 << 63) - 1  # what a row can hold


class Concat(msgspec.Struct, frozen=True):
    """Upload-Concat: a partial upload, or the final one of *parts*."""

    partial: bool
    parts: tuple[UploadId, ...] = ()


def number(headers: Headers, name: str) -> int | None:
    """Return a header that is a number of bytes, None if it is not there. Raises InvalidInput."""
    text = headers.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or int(text[:20]) > LONGEST_LENGTH:
        raise InvalidInput(f"{name} is a number of bytes, in digits.")
    return int(text)


def length_of(headers: Headers) -> int | None:
    """Return Upload-Length, None where it is deferred. Raises InvalidInput unless one is said."""
    length = number(headers, "Upload-Length")
    deferred = headers.get("upload-defer-length")
    if deferred not in (None, "1"):
        raise InvalidInput("Upload-Defer-Length can only be 1.")
    if (length is None) == (deferred is None):
        raise InvalidInput("Send either Upload-Length or Upload-Defer-Length.")
    return length


def metadata_of(headers: Headers) -> dict[str, str]:
    """Return Upload-Metadata: pairs of a key and a value in Base64. Raises InvalidInput."""
    found: dict[str, str] = {}
    for pair in filter(
        None, (part.strip() for part in headers.get("upload-metadata", "").split(","))
    ):
        key, _, value = pair.partition(" ")
        if key in found:
            raise InvalidInput(f"Upload-Metadata names {key} twice.")
        found[key] = _decoded(value.strip()).decode(errors="replace")
    return found


def metadata_text(metadata: Mapping[str, str]) -> str:
    return ",".join(
        f"{key} {base64.b64encode(value.encode()).decode()}" if value else key
        for key, value in metadata.items()
    )


def checksum_of(headers: Headers) -> Checksum | None:
    """Return Upload-Checksum, None if it is not there. Raises InvalidInput."""
    text = headers.get("upload-checksum")
    if text is None:
        return None
    algorithm, _, digest = text.strip().partition(" ")
    return Checksum(algorithm.lower(), _decoded(digest.strip()))


def concat_of(headers: Headers) -> Concat | None:
    """Return Upload-Concat, None if it is not there. Raises InvalidInput.

    The parts are addresses of ours, absolute or not; only their last step counts.
    """
    text = headers.get("upload-concat")
    if text is None:
        return None
    kind, _, addresses = text.strip().partition(";")
    if kind == "partial" and not addresses:
        return Concat(partial=True)
    parts = tuple(UploadId(address.rstrip("/").rpartition("/")[2]) for address in addresses.split())
    if kind != "final" or not parts:
        raise InvalidInput("Upload-Concat is `partial` or `final;` and the addresses of its parts.")
    return Concat(partial=False, parts=parts)


def answer_headers(upload: Upload, *, base: str) -> dict[str, str]:
    """Return what HEAD says of *upload*; *base* is where uploads live, ending in a slash."""
    headers = {"upload-offset": str(upload.offset), "cache-control": "no-store"}
    if upload.length is None:
        headers["upload-defer-length"] = "1"
    else:
        headers["upload-length"] = str(upload.length)
    if upload.metadata:
        headers["upload-metadata"] = metadata_text(upload.metadata)
    if upload.partial:
        headers["upload-concat"] = "partial"
    elif upload.concat:
        addresses = " ".join(base + part for part in upload.concat.split())
        headers["upload-concat"] = f"final;{addresses}"
    return headers | expiry(upload) | video(upload)


def expiry(upload: Upload) -> dict[str, str]:
    """Upload-Expires while the upload can be continued (RFC 9110 §5.6.7)."""
    if upload.completed_at is not None and not upload.partial:
        return {}
    return {"upload-expires": formatdate(upload.expires_at, usegmt=True)}


def video(upload: Upload) -> dict[str, str]:
    """Name the video, so that a client has its link before it has sent a byte."""
    return {VIDEO_HEADER: upload.video} if upload.video and not upload.partial else {}


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput("A value is not Base64.") from None
