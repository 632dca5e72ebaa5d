"""Which upload, and whether this actor may touch it: asked before anything else happens."""

from headwater.access.decide import Action, Owned, require
from headwater.engines.work import Work
from headwater.library import videos_repository
from headwater.model.errors import Forbidden, Gone, NotFound, UploadNotFound
from headwater.model.ids import UploadId
from headwater.model.upload import Upload
from headwater.observe.traces import concerns
from headwater.uploads import repository
from headwater.uploads.repository import Continued

UNKNOWN = "There is no such upload."
DELETED = "The video of this upload was deleted."
TERMINATED = 0.0  # expires_at of an upload its owner gave up; its bytes go with the next tidying


async def get_upload(work: Work, upload_id: UploadId, action: Action) -> Upload:
    """Return the upload, if the unit's actor may do *action* to it.

    Raises:
        UploadNotFound: never created, long gone, or somebody else's.
        Gone: given up by its owner, or expired.
    """
    return _allowed(work, await repository.find(work.session, upload_id), action)


async def get_continued(work: Work, upload_id: UploadId) -> Continued:
    """Return the upload with what matters to its next bytes, if the unit's actor may send them.

    Raises:
        Forbidden: it takes no bytes of its own.
        Besides: what get_upload() and require_video() raise.
    """
    continued = await repository.find_continued(work.session, upload_id)
    upload = _allowed(work, continued.upload if continued else None, Action.UPLOAD_WRITE)
    assert continued is not None
    if upload.concat:
        raise Forbidden("A concatenation takes no bytes; send them to its parts.")
    if upload.completed_at is None and not upload.partial and not continued.video_lives:
        raise Gone(DELETED)
    return continued


def _allowed(work: Work, upload: Upload | None, action: Action) -> Upload:
    if upload is None:
        raise UploadNotFound(UNKNOWN)
    try:
        require(work.actor, action, Owned(upload.owner))
    except NotFound:
        raise UploadNotFound(UNKNOWN) from None
    concerns(upload.video)
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
        raise Gone(DELETED)
