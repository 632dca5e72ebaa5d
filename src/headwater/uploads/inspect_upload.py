"""Say how far an upload has come."""

from headwater.access.decide import Action
from headwater.engines.work import Work
from headwater.model.ids import UploadId
from headwater.model.upload import Upload
from headwater.uploads.access import get_upload


async def inspect_upload(*, upload_id: UploadId, work: Work) -> Upload:
    """Return the upload; its offset counts bytes that survive anything.

    Raises UploadNotFound or Gone.
    """
    return await get_upload(work, upload_id, Action.UPLOAD_SEE)
