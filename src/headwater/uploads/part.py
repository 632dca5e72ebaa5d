"""A part: a stretch of an upload on its way into the store, as one blob."""

import asyncio

from headwater.engines import entropy
from headwater.engines.blobs.port import BlobKey
from headwater.model.ids import UploadId
from headwater.model.upload import Extent


def prefix_of(upload_id: UploadId) -> str:
    return f"uploads/{upload_id}/"


class Part:
    """*size* counts what the store was given; *ended*: it gets no more, and may flush."""

    def __init__(self, upload_id: UploadId, start: int) -> None:
        self.key = BlobKey(f"{prefix_of(upload_id)}{start}-{entropy.ordered_id()}")
        self.start = start
        self.size = 0
        self.is_last = False
        self.ended = asyncio.Event()

    @property
    def end(self) -> int:
        return self.start + self.size

    @property
    def placed(self) -> tuple[int, Extent]:
        return self.start, Extent(key=self.key, size=self.size)
