"""What clients that speak no tus are answered, as JSON."""

from typing import Annotated

import msgspec

from headwater.model.ids import UploadId, VideoId
from headwater.model.upload import Upload
from headwater.model.video import VideoState, Visibility
from headwater.uploads.place_parts import PlacedPart

Bytes = Annotated[int, msgspec.Meta(ge=0)]


class UploadView(msgspec.Struct, frozen=True, kw_only=True):
    """*length* null: not said yet; *offset* bytes are stored for good, without a hole."""

    id: UploadId
    video: VideoId | None
    length: Bytes | None
    offset: Bytes
    partial: bool
    complete: bool
    metadata: dict[str, str]
    expires_at: float


class TakenVideo(msgspec.Struct, frozen=True, kw_only=True):
    """The video of a file that came in one request."""

    id: VideoId
    title: str
    state: VideoState
    visibility: Visibility
    watch_url: str


class PartList(msgspec.Struct, frozen=True):
    """The body of a request for tickets and of a commit."""

    parts: list[PlacedPart]


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """Where and how to put the part that begins at *start*; *headers* must be sent as given."""

    start: Bytes
    url: str
    method: str
    headers: dict[str, str]


class TicketList(msgspec.Struct, frozen=True):
    parts: list[Ticket]


def upload_view(upload: Upload) -> UploadView:
    return UploadView(
        id=upload.id,
        video=upload.video,
        length=upload.length,
        offset=upload.offset,
        partial=upload.partial,
        complete=upload.completed_at is not None,
        metadata=upload.metadata,
        expires_at=upload.expires_at,
    )
