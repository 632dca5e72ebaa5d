"""Parts straight to the store: a client puts them where a ticket says, then names them here.

Flow      ticket (key, length and SHA-256 are signed) → the client's PUT to the store → commit.
Promises  the same limits as any other upload, and its bytes count against the quota from the PUT
          on, or from the ticket where a bucket takes them; the order of parts is free; naming a
          part twice changes nothing; a part becomes part of the upload only if the store has it
          whole.
"""

from collections.abc import Sequence

import msgspec

from headwater.access.decide import Action
from headwater.engines.blobs.parts import PartSigner
from headwater.engines.blobs.port import BlobKey, Blobs, PartTicket
from headwater.engines.work import Units, Work
from headwater.model.errors import (
    BlobNotFound,
    Conflict,
    Forbidden,
    Gone,
    InvalidInput,
    TooLarge,
    UploadLocked,
)
from headwater.model.ids import UploadId
from headwater.model.upload import Extent, Upload
from headwater.observe.metrics import UPLOADED_BYTES
from headwater.uploads import repository
from headwater.uploads.access import get_upload, require_video
from headwater.uploads.part import prefix_of
from headwater.uploads.publish import publish
from headwater.uploads.room import UploadLimits, require_account_room, require_within_quota
from headwater.uploads.turn import BUSY

LONGEST_PART_BYTES = 5 << 30  # S3 takes no more in one PUT
TICKET_S = 3600.0
MOST_AT_ONCE = 1000


class PlacedPart(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes [*start*, *start* + *length*) of an upload; *sha256* in lower-case hex."""

    start: int
    length: int
    sha256: str

    @property
    def end(self) -> int:
        return self.start + self.length

    def key(self, upload_id: UploadId) -> BlobKey:
        return BlobKey(f"{prefix_of(upload_id)}{self.start}-{self.length}-{self.sha256}")

    def require_sane(self) -> None:
        """Raises InvalidInput."""
        if self.start < 0 or not 0 < self.length <= LONGEST_PART_BYTES:
            raise InvalidInput(f"A part has 1 to {LONGEST_PART_BYTES} bytes.")
        if len(self.sha256) != 64 or set(self.sha256) - set("0123456789abcdef"):
            raise InvalidInput("A part's sha256 is 64 lower-case hexadecimal digits.")


async def ticket_for_part(
    *,
    upload_id: UploadId,
    part: PlacedPart,
    units: Units,
    blobs: Blobs,
    part_signer: PartSigner | None,
    upload_limits: UploadLimits,
) -> PartTicket:
    """Return where the client may put *part* within the next hour, or while the upload lives.

    A store that takes parts itself tells nobody when one arrives: there the part counts against
    the quota from its ticket on.

    Raises TooLarge if it reaches beyond the upload's length, a limit or the quota.
    """
    part.require_sane()
    async with units.writer() if part_signer is None else units.reader() as work:
        upload = await _writable(work, upload_id)
        await require_within(work, upload, part.end, upload_limits)
        if part_signer is None:
            await _count(work, upload, part, upload_limits)
        expires_at = min(work.now + TICKET_S, upload.expires_at)
    return await blobs.part_url(
        part.key(upload_id), length=part.length, checksum=part.sha256, expires_at=expires_at
    )


async def _count(work: Work, upload: Upload, part: PlacedPart, limits: UploadLimits) -> None:
    """Count *part* against the quota before anybody can put it. Raises Gone, TooLarge."""
    if upload.completed_at is not None:
        raise Gone("This upload is complete.")
    extent = Extent(key=part.key(upload.id), size=part.length)
    if await repository.hold_part(work.session, upload.id, extent):
        await require_within_quota(work.session, upload.owner, limits)


async def commit_parts(
    *,
    upload_id: UploadId,
    parts: Sequence[PlacedPart],
    units: Units,
    blobs: Blobs,
    upload_limits: UploadLimits,
) -> Upload:
    """Make *parts* of the upload what the store has; without a hole left the upload is complete.

    Raises:
        InvalidInput: a part is not in the store, or not with that length.
        Conflict: a part overlaps another.
        UploadLocked: a connection is sending the upload's bytes in order right now.
    """
    if not 0 < len(parts) <= MOST_AT_ONCE:
        raise InvalidInput(f"Name 1 to {MOST_AT_ONCE} parts at once.")
    for part in parts:
        part.require_sane()
    async with units.reader() as work:  # whose parts they are, before the store is asked for any
        await get_upload(work, upload_id, Action.UPLOAD_WRITE)
    for part in parts:
        await _require_stored(blobs, upload_id, part)
    async with units.writer() as work:
        upload = await _writable(work, upload_id)
        if upload.completed_at is not None:
            return upload
        await _require_unlocked(work, upload_id)
        await require_within(work, upload, max(part.end for part in parts), upload_limits)
        fresh = await _without_known(work, upload_id, parts)
        await repository.forget_parts(work.session, upload_id, [e.key for _, e in fresh])
        published = await publish(work, upload, fresh, expires_s=upload_limits.expires_s)
    UPLOADED_BYTES.labels("parts").inc(sum(extent.size for _, extent in fresh))
    return published


async def _writable(work: Work, upload_id: UploadId) -> Upload:
    upload = await get_upload(work, upload_id, Action.UPLOAD_WRITE)
    if upload.concat:
        raise Forbidden("A concatenation takes no bytes; send them to its parts.")
    if upload.completed_at is None:
        await require_video(work, upload)
    return upload


async def require_within(work: Work, upload: Upload, end: int, limits: UploadLimits) -> None:
    """Pass if *upload* may have bytes up to *end*. Raises TooLarge."""
    if upload.length is None:
        await require_account_room(work.session, upload, end, limits)
    elif end > upload.length:
        raise TooLarge(f"The upload has {upload.length} bytes; this part ends at {end}.")


async def _require_stored(blobs: Blobs, upload_id: UploadId, part: PlacedPart) -> None:
    try:
        stored = await blobs.stat(part.key(upload_id))
    except BlobNotFound:
        raise InvalidInput(f"The part at {part.start} has not been stored.") from None
    if stored.size != part.length:
        raise InvalidInput(f"The part at {part.start} has {stored.size} bytes in the store.")


async def _require_unlocked(work: Work, upload_id: UploadId) -> None:
    held = await repository.find_held(work.session, upload_id)
    if held and held.holder is not None and (held.until or 0.0) > work.now:
        raise UploadLocked(BUSY, retry_after_s=1)


async def _without_known(
    work: Work, upload_id: UploadId, parts: Sequence[PlacedPart]
) -> list[tuple[int, Extent]]:
    """Return what is not committed yet, as (start, extent). Raises Conflict on an overlap."""
    known = await repository.extents_from(work.session, upload_id)
    keys = {extent.key for _, extent in known}
    fresh = {
        (part.start, Extent(key=part.key(upload_id), size=part.length))
        for part in parts
        if part.key(upload_id) not in keys
    }
    reached = 0
    for start, extent in sorted([*known, *fresh], key=lambda placed: placed[0]):
        if start < reached:
            raise Conflict(f"The part at {start} overlaps the one before it.")
        reached = start + extent.size
    return sorted(fresh, key=lambda placed: placed[0])
