"""An upload: a resumable session that receives one source, extent by extent."""

import msgspec

from headwater.model.ids import AccountId, UploadId, VideoId


class Extent(msgspec.Struct, frozen=True, array_like=True):
    """*size* bytes of a source, stored whole as one immutable blob."""

    key: str
    size: int


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """*length* is None while deferred (tus creation-defer-length); *offset* bytes are durable.

    *partial* uploads only serve a later concatenation and have no video of their own.
    """

    id: UploadId
    owner: AccountId
    video: VideoId | None
    length: int | None
    offset: int
    metadata: dict[str, str]
    partial: bool
    concat: str
    created_at: float
    expires_at: float
    completed_at: float | None
