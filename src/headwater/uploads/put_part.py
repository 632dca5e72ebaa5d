"""Take one part at a signed address of our own, where the store cannot do so itself."""

import contextlib
from collections.abc import AsyncIterable, Mapping

import anyio

from headwater.engines.blobs.parts import Part, PartSigner, checked
from headwater.engines.blobs.port import Blobs, Stored
from headwater.engines.work import Units, Work
from headwater.model.errors import (
    BlobNotFound,
    Forbidden,
    Gone,
    NotFound,
    StorageFull,
    TooLarge,
    UploadNotFound,
)
from headwater.model.ids import UploadId
from headwater.model.upload import Extent
from headwater.observe.traces import concerns
from headwater.uploads import repository
from headwater.uploads.access import require_living, require_video
from headwater.uploads.part import prefix_of
from headwater.uploads.place_parts import require_within
from headwater.uploads.room import UploadLimits, require_within_quota


async def put_part(
    *,
    key: str,
    query: Mapping[str, str],
    body: AsyncIterable[bytes],
    content_length: int | None,
    now: float,
    units: Units,
    blobs: Blobs,
    part_signer: PartSigner | None,
    upload_limits: UploadLimits,
) -> Stored:
    """Store *body* as the part that the address (*key* and *query*) was signed for.

    The signature is the permission; whether there is room, and an upload that still takes bytes,
    is asked again, since an hour may have passed. It counts against the quota from here on,
    committed or not. A part sent twice is stored, and counts, once.

    Raises:
        Forbidden: the address is not one of ours, or its hour is over.
        UploadNotFound, Gone: its upload takes no more bytes.
        TooLarge, ChecksumMismatch: these are not the bytes it was made for, or are more than the
            upload may have by now; nothing is kept.
        StorageFull: the store is full.
    """
    if part_signer is None:
        raise Forbidden("The store takes parts itself; ask for their addresses.")
    part = part_signer.verify(key, query, now=now)
    if content_length is not None and content_length > part.length:
        raise TooLarge(f"This part has {part.length} bytes.")
    if await blobs.free_bytes() < upload_limits.floor_bytes + part.length:
        raise StorageFull("The server's disk is full.", retry_after_s=3600)
    async with units.writer() as work:
        is_new = await _hold(work, part, upload_limits)
    try:
        stored = await blobs.put_absent(part.key, checked(body, part))
    except BaseException:
        if is_new:
            with anyio.CancelScope(shield=True):
                await _let_go(part, units, blobs)
        raise
    with anyio.CancelScope(shield=True):
        await _settle(part, stored, units, blobs, upload_limits)
    return stored


async def _hold(work: Work, part: Part, limits: UploadLimits) -> bool:
    """Count *part* against the quota before a byte of it is read; False if it is already."""
    upload_id, start = _place_of(part)
    upload = await repository.find(work.session, upload_id)
    if upload is None:
        raise UploadNotFound("There is no such upload.")
    concerns(upload.video)
    require_living(work, upload)
    if upload.completed_at is not None:
        raise Gone("This upload is complete.")
    await require_video(work, upload)
    await require_within(work, upload, start + part.length, limits)
    extent = Extent(key=part.key, size=part.length)
    is_new = await repository.hold_part(work.session, upload_id, extent)
    if is_new:
        await require_within_quota(work.session, upload.owner, limits)
    return is_new


async def _let_go(part: Part, units: Units, blobs: Blobs) -> None:
    """Count a part that did not arrive no longer, unless it did over another connection."""
    async with units.writer() as work:  # before the look: see _settle()
        with contextlib.suppress(BlobNotFound):
            await blobs.stat(part.key)
            return
        await repository.forget_parts(work.session, _place_of(part)[0], [part.key])


async def _settle(
    part: Part, stored: Stored, units: Units, blobs: Blobs, limits: UploadLimits
) -> None:
    """See that what is stored now is counted, or goes.

    While it came, another connection may have let go of it, or its upload may have ended and been
    tidied, after which nobody would ever look for it.
    """
    try:
        async with units.writer() as work:
            upload = await repository.find(work.session, _place_of(part)[0])
            if upload and await repository.has_part(work.session, upload.id, part.key):
                require_living(work, upload)
            else:
                await _hold(work, part, limits)
    except (Gone, NotFound, TooLarge):
        if stored.won:  # else it may be part of what the upload became
            await blobs.delete(part.key)
        raise


def _place_of(part: Part) -> tuple[UploadId, int]:
    """Return whose bytes they are and where they begin, as PlacedPart.key() wrote it."""
    folder, _, name = part.key.rpartition("/")
    upload_id = UploadId(folder.rpartition("/")[2])
    start = name.partition("-")[0]
    if not start.isdecimal() or not part.key.startswith(prefix_of(upload_id)):
        raise Forbidden("This address is not that of a part of an upload.")
    return upload_id, int(start)
