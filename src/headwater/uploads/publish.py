"""Publishing: stored parts become part of the upload, in one transaction with its offset."""

from collections.abc import Sequence
from typing import Any

import msgspec

from headwater.engines.work import Work
from headwater.model.upload import Extent, Upload
from headwater.uploads import repository
from headwater.uploads.become_video import become_video


async def publish(
    work: Work, upload: Upload, placed: Sequence[tuple[int, Extent]], *, expires_s: float
) -> Upload:
    """Add *placed* extents (start, extent), move the offset, complete if nothing is missing.

    The offset is where the first hole begins, whatever was put beyond it. Each publication gives
    the upload *expires_s* more.
    """
    if placed:
        await repository.add_extents(work.session, upload.id, placed)
    offset = upload.offset
    for start, extent in await repository.extents_from(work.session, upload.id, offset):
        if start != offset:
            break
        offset += extent.size
    values: dict[str, Any] = {"offset": offset, "expires_at": work.now + expires_s}
    await repository.update_fields(work.session, upload.id, values)
    moved = msgspec.structs.replace(upload, **values)
    return await become_video(work, moved) if offset == moved.length else moved
