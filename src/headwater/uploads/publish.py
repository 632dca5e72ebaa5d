"""Publishing: stored parts become part of the upload, in one transaction with its offset."""

from collections.abc import Sequence
from typing import Any

import msgspec

from headwater.engines.work import Work
from headwater.model.errors import Conflict
from headwater.model.upload import Extent, Upload
from headwater.uploads import repository
from headwater.uploads.become_video import become_video


async def publish(
    work: Work, upload: Upload, placed: Sequence[tuple[int, Extent]], *, expires_s: float
) -> Upload:
    """Add *placed* extents (start, extent), move the offset, complete if nothing is missing.

    The offset is where the first hole begins, whatever was put beyond it. Each publication gives
    the upload *expires_s* more.

    Raises Conflict if an extent overlaps another: after its lock lapsed, a writer's part and one
    that a client put itself may both be for the same bytes.
    """
    known = await repository.extents_from(work.session, upload.id, upload.offset)
    in_order = sorted([*known, *placed], key=lambda one: one[0])
    _require_apart(upload.offset, in_order)
    if placed:
        await repository.add_extents(work.session, upload.id, placed)
    offset = upload.offset
    for start, extent in in_order:
        if start != offset:
            break
        offset += extent.size
    values: dict[str, Any] = {"offset": offset, "expires_at": work.now + expires_s}
    await repository.update_fields(work.session, upload.id, values)
    moved = msgspec.structs.replace(upload, **values)
    return await become_video(work, moved) if offset == moved.length else moved


def _require_apart(reached: int, in_order: Sequence[tuple[int, Extent]]) -> None:
    """Pass if no extent begins before *reached* or the end of the one before it."""
    for start, extent in in_order:
        if start < reached:
            raise Conflict(f"The bytes from {start} on overlap what the upload has already.")
        reached = start + extent.size
