"""Which upload, and whether this actor may touch it: asked before anything else happens."""

from headwater.access.decide import Action, Owned, require
from headwater.engines.work import Work
from headwater.library import videos_repository
from headwater.model.errors import Gone, NotFound, UploadNotFound
from headwater.model.ids import UploadId
from headwater.model.upload import Upload
from headwater.uploads import repository

TERMINATED = 0.0  # expires_at of an upload its owner gave up; its bytes go with the next tidying


async def get_upload(work: Work, upload_id: UploadId, action: Action) -> Upload:
    """Return the upload, if the unit's actor may do *action* to it.

    Raises:
        UploadNotFound: never created, long gone, or somebody else's.
        Gone: given up by its owner, or expired.
    """
    upload = await repository.find(work.session, upload_id)
    if upload is None:
        raise UploadNotFound("There is no such upload.")
    try:
        require(work.actor, action, Owned(upload.owner))
    except NotFound:
        raise UploadNotFound("There is no such upload.") from None
    require_living(work, upload)
    return upload


def require_living(work: Work, upload: Upload) -> None:
    """Pass if *upload* was neither given up nor forgotten. Raises Gone."""
    if upload.expires_at == TERMINATED:
        raise Gone("This upload was given up.")
    if upload.expires_at <= work.now:
        raise Gone("This upload has expired.")


async def require_video(work: Work, upload: Upload) -> None:
    """Pass if what *upload* is for still exists. Raises Gone."""
    if upload.partial:
        return
    video = upload.video and await videos_repository.find(work.session, upload.video)
    if not video or video.deleted_at is not None:
        raise Gone("The video of this upload was deleted.")
