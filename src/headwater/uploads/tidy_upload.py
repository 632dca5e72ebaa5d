"""Tidying: bytes that belong to nothing leave the store, then the rows that named them.

Where they come from: an upload that was given up or expired; a part whose server was killed between
its blob and its row. The row outlives the blobs, so a tidying cut short is done again.
"""

from headwater.engines.blobs.port import Blobs
from headwater.engines.work import Units, Work
from headwater.model.ids import UploadId
from headwater.model.upload import Upload
from headwater.uploads import repository
from headwater.uploads.access import TERMINATED
from headwater.uploads.part import prefix_of
from headwater.uploads.terminate_upload import drop_video

AT_ONCE = 100


async def tidy_upload(*, upload_id: UploadId, units: Units, blobs: Blobs) -> None:
    """Remove what the store has of *upload_id* and no source names; its row too when it is over.

    An upload that can still be continued is left alone.
    """
    async with units.writer() as work:
        held = await repository.find_held(work.session, upload_id)
        if held is None:
            return
        upload = held.upload
        is_over = upload.expires_at <= work.now
        is_locked = (held.until or 0.0) > work.now
        if is_over and not is_locked and not _is_in_video(upload):
            await _give_up(work, upload)
        elif not _is_in_video(upload) and upload.expires_at != TERMINATED:
            return
        keep = set()
        if upload.video is not None:
            made_of = await repository.source_extents(work.session, upload.video)
            keep = {extent.key for extent in made_of}
    strays = [key async for key, _ in blobs.list(prefix_of(upload_id)) if key not in keep]
    for key in strays:
        await blobs.delete(key)
    if is_over and not is_locked:
        async with units.writer() as work:
            await repository.remove(work.session, upload_id)


async def expire_uploads(*, units: Units, blobs: Blobs) -> int:
    """Tidy the uploads whose time is over; return how many there were (at most a hundred)."""
    async with units.reader() as work:
        due = await repository.due(work.session, now=work.now, limit=AT_ONCE)
    for upload_id in due:
        await tidy_upload(upload_id=upload_id, units=units, blobs=blobs)
    return len(due)


def _is_in_video(upload: Upload) -> bool:
    """Its bytes became a source: its own video's, or that of a concatenation."""
    return upload.completed_at is not None and upload.video is not None


async def _give_up(work: Work, upload: Upload) -> None:
    """Nobody may continue it from here on: its bytes are about to go."""
    await repository.update_fields(
        work.session, upload.id, {"video": None, "expires_at": TERMINATED}
    )
    if upload.video is not None:
        await drop_video(work, upload.video)
