"""A turn: one writer's hold on an upload, from before its first byte to after its last.

Two writers cannot both have it. A writer that falls silent gives it up, so that a client whose
connection died unnoticed can go on over a new one; what died with its process lapses by itself.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec

from headwater.access.decide import Action
from headwater.engines import entropy
from headwater.engines.work import Units, Work
from headwater.model.errors import (
    Conflict,
    HeadwaterError,
    InvalidInput,
    OffsetMismatch,
    TooLarge,
    UploadLocked,
)
from headwater.model.ids import UploadId
from headwater.model.upload import Extent, Upload
from headwater.observe.metrics import UPLOADED_BYTES
from headwater.uploads import repository
from headwater.uploads.access import get_continued, get_upload
from headwater.uploads.become_video import become_video
from headwater.uploads.publish import publish
from headwater.uploads.repository import Continued
from headwater.uploads.room import UploadLimits, account_room, require_account_room

# Renewed with each part: every 5 s and a flush. Lapsed, it is good until somebody takes it.
# tus-js-client gives up 9 s after a server was killed and came back: by then it must have lapsed.
LOCK_S = 7.0
BUSY = "Another connection is sending this upload right now."


class Turn:
    """*upload* is as last published; *limit* is the offset no byte may be stored at."""

    def __init__(self, upload_id: UploadId, *, units: Units, limits: UploadLimits) -> None:
        self._id, self._units, self._limits = upload_id, units, limits
        self._holder = entropy.ordered_id()
        self._is_held = False
        self._upload: Upload | None = None
        self.limit = 0

    @property
    def upload(self) -> Upload:
        assert self._upload is not None
        return self._upload

    async def take(self, offset: int, *, coming_bytes: int | None, length: int | None) -> None:
        """Check everything that can be checked before a byte is read, and lock the upload.

        Raises:
            UploadNotFound, Gone, Forbidden: it cannot be written to at all.
            UploadLocked: somebody else is writing.
            OffsetMismatch: the upload does not end at *offset*.
            TooLarge: *coming_bytes* more would pass its length, a limit or a quota.
        """
        async with self._locking() as work:
            continued = await get_continued(work, self._id)
            upload = continued.upload
            await self._lock(work)
            _require_offset(continued, offset)
            if length is not None:
                upload = await self._set_length(work, upload, length)
            self.limit = await self._limit_of(work, upload)
            if offset + (coming_bytes or 0) > self.limit:
                raise TooLarge(f"There is room for {self.limit - offset} more bytes.")
            if upload.offset == upload.length:  # nothing is missing: say so, and let it go
                upload = await become_video(work, upload)
                await repository.unlock(work.session, self._id, holder=self._holder)
            expires_at = work.now + self._limits.expires_s
            self._upload = msgspec.structs.replace(upload, expires_at=expires_at)
        self._is_held = self._upload.completed_at is None

    async def take_again(self) -> None:
        """After pause(): go on, if nobody else did meanwhile. Raises UploadLocked."""
        if self._is_held:
            return
        async with self._locking() as work:
            upload = await get_upload(work, self._id, Action.UPLOAD_WRITE)
            await self._lock(work)
            if upload.offset != self.upload.offset:
                raise UploadLocked("Another connection has gone on with this upload.")

    async def publish(self, placed: Sequence[tuple[int, Extent]], *, last: bool) -> None:
        """Make stored parts count, in one transaction; with the *last* the turn ends too.

        Raises:
            UploadLocked: the lock was lost and another writer came; nothing was published.
            UploadNotFound, Gone: it was given up meanwhile.
            TooLarge: a quota was used up by another upload meanwhile.
        """
        async with self._units.writer() as work:
            done = await self._advance(work, placed, last=last)
            self._upload = done or await self._publish(work, placed, last=last)
        UPLOADED_BYTES.labels("stream").inc(sum(extent.size for _, extent in placed))
        self._is_held = not last and self._upload.completed_at is None

    async def _advance(
        self, work: Work, placed: Sequence[tuple[int, Extent]], *, last: bool
    ) -> Upload | None:
        """Publish what goes on where the upload ended, as nearly every part does; else None."""
        upload = self.upload
        if upload.length is None or len(placed) != 1:
            return None
        expires_at = work.now + self._limits.expires_s
        if not await repository.advance(
            work.session,
            self._id,
            placed[0],
            holder=self._holder,
            now=work.now,
            expires_at=expires_at,
            until=None if last else work.now + LOCK_S,
        ):
            return None
        end = placed[0][0] + placed[0][1].size
        moved = msgspec.structs.replace(upload, offset=end, expires_at=expires_at)
        return await become_video(work, moved) if end == upload.length else moved

    async def _publish(
        self, work: Work, placed: Sequence[tuple[int, Extent]], *, last: bool
    ) -> Upload:
        await get_upload(work, self._id, Action.UPLOAD_WRITE)
        await self._renew(work)
        upload = self.upload
        if upload.length is None:
            end = placed[-1][0] + placed[-1][1].size
            await require_account_room(work.session, upload, end, self._limits)
        done = await publish(work, upload, placed, expires_s=self._limits.expires_s)
        if last:
            await repository.unlock(work.session, self._id, holder=self._holder)
        return done

    async def renew(self) -> None:
        """Keep the turn while parts wait for their checksum. Raises UploadLocked."""
        async with self._units.writer() as work:
            await self._renew(work)

    async def pause(self) -> None:
        """Let others have it; the upload stays as published."""
        if self._is_held:
            self._is_held = False
            async with self._units.writer() as work:
                await repository.unlock(work.session, self._id, holder=self._holder)

    @asynccontextmanager
    async def _locking(self) -> AsyncIterator[Work]:
        """Open a transaction that locks. Cancelled, it may have committed: pause() must unlock."""
        self._is_held = True
        try:
            async with self._units.writer() as work:
                yield work
        except HeadwaterError:
            self._is_held = False
            raise

    async def _lock(self, work: Work) -> None:
        now = work.now
        if not await repository.lock(
            work.session,
            self._id,
            holder=self._holder,
            now=now,
            until=now + LOCK_S,
            expires_at=now + self._limits.expires_s,
        ):
            raise UploadLocked(BUSY, retry_after_s=LOCK_S / 2)

    async def _renew(self, work: Work) -> None:
        """A lapsed lock that nobody took is as good as before."""
        if not await repository.renew_lock(
            work.session, self._id, holder=self._holder, until=work.now + LOCK_S
        ):
            raise UploadLocked("Another connection has gone on with this upload.")

    async def _set_length(self, work: Work, upload: Upload, length: int) -> Upload:
        if upload.length is not None:
            if upload.length != length:
                raise InvalidInput(f"The upload's length is {upload.length}; it cannot change.")
            return upload
        if length < upload.offset:
            raise InvalidInput(f"{upload.offset} bytes have arrived already.")
        await require_account_room(work.session, upload, length, self._limits)
        await repository.update_fields(work.session, self._id, {"length": length})
        return msgspec.structs.replace(upload, length=length)

    async def _limit_of(self, work: Work, upload: Upload) -> int:
        if upload.length is not None:
            return upload.length
        room = await account_room(work.session, upload, self._limits)
        most = self._limits.file_limit_bytes
        if room is None:
            return most
        return min(most, room - await repository.placed_bytes(work.session, self._id))


def _require_offset(continued: Continued, offset: int) -> None:
    if offset != continued.upload.offset:
        raise OffsetMismatch(f"The upload is at offset {continued.upload.offset}, not {offset}.")
    if continued.has_beyond:
        raise Conflict("This upload has parts out of order; send the missing ones as parts.")
