"""Complete an upload whose length was not said before, or ask whether it is complete."""

import msgspec

from headwater.access.decide import Action
from headwater.engines.work import Work
from headwater.model.errors import UploadIncomplete
from headwater.model.ids import UploadId
from headwater.model.upload import Upload
from headwater.uploads import repository
from headwater.uploads.access import get_upload, require_video
from headwater.uploads.become_video import become_video


async def complete_upload(*, upload_id: UploadId, work: Work) -> Upload:
    """Make a video of what has arrived; a deferred length becomes that many bytes.

    O(parts), no media work. Asking twice returns the same upload.

    Raises:
        UploadIncomplete: bytes of the stated length are missing; the client may resume.
    """
    upload = await get_upload(work, upload_id, Action.UPLOAD_WRITE)
    if upload.completed_at is not None:
        return upload
    await require_video(work, upload)
    if upload.length is None:
        upload = msgspec.structs.replace(upload, length=upload.offset)
        await repository.update_fields(work.session, upload.id, {"length": upload.offset})
    if upload.offset != upload.length:
        raise UploadIncomplete(f"{upload.offset} of {upload.length} bytes have arrived.")
    return await become_video(work, upload)
