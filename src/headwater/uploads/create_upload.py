"""Create an upload, and the video it will become, so that its link exists before its bytes."""

from collections.abc import Mapping

from headwater.access.decide import Action, require
from headwater.engines import entropy
from headwater.engines.blobs.port import Blobs
from headwater.engines.work import Units, Work
from headwater.library import changes
from headwater.model.errors import InvalidInput, TooLarge, Unauthenticated
from headwater.model.ids import AccountId, UploadId, VideoId
from headwater.model.upload import Upload
from headwater.model.video import Video, VideoState
from headwater.observe.traces import opens
from headwater.pipeline.gate import Gate
from headwater.uploads import naming, repository
from headwater.uploads.become_video import become_video
from headwater.uploads.room import UploadLimits, require_account_room, require_store_room

EMPTY = "This file is empty: there is nothing to upload."
UPLOAD_ID_LENGTH = 22  # 128 bits: the address is all a client keeps between its lives


async def create_upload(
    *,
    length: int | None,
    metadata: Mapping[str, str],
    partial: bool = False,
    units: Units,
    blobs: Blobs,
    gate: Gate,
    upload_limits: UploadLimits,
) -> Upload:
    """Open an upload of *length* bytes (None: said later) and, unless *partial*, its video.

    What the server can take on, quota, file limit and the store's headroom are looked at now,
    before a byte is sent. A *partial* one of no bytes is complete at once.

    Raises:
        InvalidInput: no file has that *length*: negative, or none at all.
        TooLarge: over the limit for files or over the account's quota.
        StorageFull: the store cannot take it beside what others are sending.
        Overloaded: the encoders are behind; it says when to come back.
        Unavailable: the store does not answer.
    """
    if length is not None and length < 0:
        raise InvalidInput("A length is not negative.")
    if length == 0 and not partial:
        raise InvalidInput(EMPTY)
    if length is not None and length > upload_limits.file_limit_bytes:
        raise TooLarge(f"A file may have at most {upload_limits.file_limit_bytes} bytes here.")
    naming.require_sane(metadata)
    await gate.require_open()
    free_bytes = await blobs.free_bytes()
    async with units.writer() as work:
        owner = require_uploader(work)
        await require_store_room(
            work.session, length or 0, free_bytes=free_bytes, limits=upload_limits
        )
        video = None if partial else await add_video(work, owner, metadata)
        upload = Upload(
            id=UploadId(entropy.public_id(UPLOAD_ID_LENGTH)),
            owner=owner,
            video=video,
            length=length,
            offset=0,
            metadata=dict(metadata),
            partial=partial,
            concat="",
            created_at=work.now,
            expires_at=work.now + upload_limits.expires_s,
            completed_at=None,
        )
        await repository.add(work.session, upload)
        await require_account_room(work.session, upload, length or 0, upload_limits)
        return await become_video(work, upload) if length == 0 else upload


def require_uploader(work: Work) -> AccountId:
    """Return whose upload it will be. Raises Unauthenticated or Forbidden."""
    require(work.actor, Action.UPLOAD_CREATE)
    if work.actor.account is None:
        raise Unauthenticated("An upload belongs to an account: sign in first.")
    return work.actor.account


async def add_video(work: Work, owner: AccountId, metadata: Mapping[str, str]) -> VideoId:
    video = Video(
        id=VideoId(entropy.public_id()),
        owner=owner,
        title=naming.title_of(metadata),
        description=naming.description_of(metadata),
        visibility=naming.visibility_of(metadata),
        state=VideoState.UPLOADING,
        failure=None,
        damage=None,
        generation=None,
        stream=None,
        duration_s=None,
        width_px=None,
        height_px=None,
        source_bytes=0,
        stored_bytes=0,
        progress=0.0,
        created_at=work.now,
        playable_at=None,
        ready_at=None,
        deleted_at=None,
        version=1,
    )
    await changes.add(work, video)
    opens(video.id)
    return video.id
