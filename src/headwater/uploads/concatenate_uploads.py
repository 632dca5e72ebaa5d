"""Make one upload of finished partial ones: their extents end to end, not a byte copied."""

from collections.abc import Mapping, Sequence

from headwater.access.decide import Action
from headwater.engines import entropy
from headwater.engines.work import Work
from headwater.model.errors import Conflict, InvalidInput, TooLarge, UploadIncomplete
from headwater.model.ids import UploadId
from headwater.model.upload import Extent, Upload
from headwater.uploads import naming, repository
from headwater.uploads.access import get_upload
from headwater.uploads.become_video import become_video
from headwater.uploads.create_upload import EMPTY, UPLOAD_ID_LENGTH, add_video, require_uploader
from headwater.uploads.room import UploadLimits

MOST_PARTS = 1000


async def concatenate_uploads(
    *,
    parts: Sequence[UploadId],
    metadata: Mapping[str, str],
    work: Work,
    upload_limits: UploadLimits,
) -> Upload:
    """Complete a new upload out of *parts*, in their order; each belongs to it from then on.

    Raises:
        InvalidInput: no parts, too many, one twice, one that is not partial, or no bytes in all.
        UploadIncomplete: one of them is not finished.
        Conflict: one is part of another upload already.
        TooLarge: together they pass the limit for files.
    """
    if not 0 < len(parts) <= MOST_PARTS or len(set(parts)) != len(parts):
        raise InvalidInput(f"A concatenation has 1 to {MOST_PARTS} different parts.")
    naming.require_sane(metadata)
    owner = require_uploader(work)
    extents: list[Extent] = []
    for part in parts:
        await _require_usable(work, part)
        extents += [extent for _, extent in await repository.extents_from(work.session, part)]
    length = sum(extent.size for extent in extents)
    if not length:
        raise InvalidInput(EMPTY)
    if length > upload_limits.file_limit_bytes:
        raise TooLarge(f"A file may have at most {upload_limits.file_limit_bytes} bytes here.")

    upload = Upload(
        id=UploadId(entropy.public_id(UPLOAD_ID_LENGTH)),
        owner=owner,
        video=await add_video(work, owner, metadata),
        length=length,
        offset=length,
        metadata=dict(metadata),
        partial=False,
        concat=" ".join(parts),
        created_at=work.now,
        expires_at=work.now + upload_limits.expires_s,
        completed_at=None,
    )
    await repository.add(work.session, upload)
    for part in parts:
        await repository.update_fields(work.session, part, {"video": upload.video})
    return await become_video(work, upload, extents)


async def _require_usable(work: Work, part: UploadId) -> None:
    upload = await get_upload(work, part, Action.UPLOAD_WRITE)
    if not upload.partial:
        raise InvalidInput("Only partial uploads can be concatenated.")
    if upload.completed_at is None:
        raise UploadIncomplete("One of the parts is not finished.")
    if upload.video is not None:
        raise Conflict("One of the parts belongs to another upload already.")
