"""Give an upload up: it answers no more, and its bytes go soon after."""

import msgspec

from headwater.access.decide import Action
from headwater.engines.blobs.parts import PartSigner
from headwater.engines.work import Work
from headwater.library import changes, videos_repository
from headwater.model.errors import Conflict
from headwater.model.ids import UploadId, VideoId
from headwater.pipeline.removal_repository import remove_video
from headwater.uploads import repository
from headwater.uploads.access import TERMINATED, get_upload
from headwater.uploads.place_parts import TICKET_S
from headwater.uploads.turn import LOCK_S


async def terminate_upload(
    *, upload_id: UploadId, work: Work, part_signer: PartSigner | None
) -> None:
    """Forget the upload and the video it would have become.

    Whoever is writing to it finds it gone at the next part. The row stays as the note of which
    blobs have to go (tidy_upload.py), locked for as long as a part may still be on its way: to a
    bucket, while its ticket is good.

    Raises:
        Conflict: it is complete; from then on it is the video that can be deleted.
    """
    upload = await get_upload(work, upload_id, Action.UPLOAD_DELETE)
    if upload.completed_at is not None and upload.video is not None:
        raise Conflict("This upload is complete; delete its video instead.")
    placed = part_signer is None and await repository.placed_bytes(work.session, upload.id)
    await repository.update_fields(
        work.session,
        upload.id,
        {
            "video": None,
            "expires_at": TERMINATED,
            "locked_by": "nobody",
            "locked_until": work.now + (TICKET_S if placed else LOCK_S),
        },
    )
    if upload.video is not None:
        await drop_video(work, upload.video)
    body = msgspec.json.encode({"upload": upload.id})
    work.facts.append(("upload.terminated", body))


async def drop_video(work: Work, video_id: VideoId) -> None:
    """Remove the row of a video that never got its bytes; nothing of it exists elsewhere."""
    video = await videos_repository.find(work.session, video_id)
    if video is not None:
        await remove_video(work.session, video, [])
        changes.tell(work, msgspec.structs.replace(video, deleted_at=work.now))
