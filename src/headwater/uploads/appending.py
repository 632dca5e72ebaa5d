"""Cutting a body into parts and publishing them while it arrives."""

import asyncio
from collections.abc import AsyncIterable

import anyio
from anyio import to_thread
from anyio.abc import TaskGroup

from headwater.engines.blobs.port import BlobKey, Blobs
from headwater.model.errors import (
    ChecksumMismatch,
    Conflict,
    Gone,
    NotFound,
    StorageFull,
    TooLarge,
    Unavailable,
)
from headwater.model.upload import Extent
from headwater.uploads.checksums import Hasher
from headwater.uploads.inbox import Inbox
from headwater.uploads.part import Part
from headwater.uploads.room import UploadLimits
from headwater.uploads.turn import Turn

PART_BYTES = 16 << 20  # what a killed server makes a client send again, at most
PART_S = 5.0  # … and how old it may be
SILENCE_S = 2.0  # then what is there is stored; after as long again others may take the turn
IDLE_S = 60.0  # a connection without one byte for so long is dead (tusd's limit)
REFUSED = (Conflict, Gone, NotFound, TooLarge)  # raised before a commit: surely not published


class Appending:
    """One body on its way into the upload of *turn*.

    With a *hasher* parts are stored as they come and published together at the end, or not at all.
    """

    def __init__(
        self, turn: Turn, *, blobs: Blobs, limits: UploadLimits, hasher: Hasher | None
    ) -> None:
        self._turn, self._blobs, self._hasher = turn, blobs, hasher
        self._floor_bytes = limits.floor_bytes
        self._end = turn.upload.offset  # of what was received
        self._part: Part | None = None
        self._opened_at = 0.0
        self._heard_at = 0.0
        self._flushed = asyncio.Event()  # the part before this one is published
        self._flushed.set()
        self._waiting: list[tuple[int, Extent]] = []  # for the checksum

    async def receive(self, body: AsyncIterable[bytes], *, digest: bytes | None) -> None:
        """Take *body* to its end. Raises what append_upload() says, and what *body* raises."""
        inbox = Inbox()
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(inbox.fill, body)
                await self._cut(inbox, group)
            if inbox.error is not None:
                raise inbox.error
            if self._hasher is not None:
                await self._publish_checked(digest)
        except BaseExceptionGroup as group_error:
            raise _cause(group_error) from None
        finally:
            if self._waiting:
                with anyio.CancelScope(shield=True):
                    await self._forget_waiting()

    async def _cut(self, inbox: Inbox, group: TaskGroup) -> None:
        self._heard_at = anyio.current_time()
        while not inbox.is_over:
            block = await inbox.take(wait_s=self._patience_s())
            now = anyio.current_time()
            if block:
                self._heard_at = now
                await self._write(block, group)
            elif self._part is None and not inbox.is_over:
                await self._fall_silent(now)
            old = now - self._opened_at >= PART_S
            if self._part is not None and (old or not block or inbox.is_over):
                await self._close(last=inbox.is_over)
        await self._flushed.wait()

    def _patience_s(self) -> float:
        """Return how long to wait for a whole block before taking what there is."""
        if self._part is None:
            return SILENCE_S
        left_s = self._opened_at + PART_S - anyio.current_time()
        return min(SILENCE_S, max(left_s, 0.0))

    async def _write(self, chunks: list[bytes], group: TaskGroup) -> None:
        size = sum(map(len, chunks))
        if self._end + size > self._turn.limit:
            raise TooLarge("More bytes came than this upload may have.")
        if self._hasher is not None:
            await to_thread.run_sync(_update, self._hasher, chunks)
        while chunks:
            part = self._part or await self._open(group)
            head, chunks = _split(chunks, PART_BYTES - part.size)
            await part.write(head)
            if part.size == PART_BYTES:
                await self._close(last=False)
            self._end = part.start + part.size

    async def _open(self, group: TaskGroup) -> Part:
        await self._turn.take_again()
        if await self._blobs.free_bytes() < self._floor_bytes:
            raise StorageFull("The server's disk is full.", retry_after_s=3600)
        self._part = Part(self._turn.upload.id, self._end)
        self._opened_at = anyio.current_time()
        group.start_soon(self._store, self._part)
        return self._part

    async def _close(self, *, last: bool) -> None:
        """End the part, once the one before it is published; its own flush goes on meanwhile."""
        assert self._part is not None
        await self._flushed.wait()
        self._flushed.clear()
        self._part.close(last=last)
        self._part = None

    async def _store(self, part: Part) -> None:
        try:
            placed = await part.store(self._blobs)
        except BaseException:  # cancelled, perhaps, between its blob and our hearing of it
            with anyio.CancelScope(shield=True):
                await self._blobs.delete(part.key)
            raise
        with anyio.CancelScope(shield=True):  # a commit half waited for has an unknown outcome
            await self._keep(placed, last=part.is_last)
        self._flushed.set()

    async def _keep(self, placed: tuple[int, Extent], *, last: bool) -> None:
        try:
            if self._hasher is None:
                await self._turn.publish([placed], last=last)
            else:
                self._waiting.append(placed)
                await self._turn.renew()
        except REFUSED:
            await self._blobs.delete(BlobKey(placed[1].key))
            raise

    async def _publish_checked(self, digest: bytes | None) -> None:
        assert self._hasher is not None
        if self._hasher.digest() != digest:
            raise ChecksumMismatch("The bytes are not those the checksum was made of.")
        if self._waiting:
            with anyio.CancelScope(shield=True):
                placed, self._waiting = self._waiting, []
                try:
                    await self._turn.publish(placed, last=True)
                except REFUSED:
                    self._waiting = placed
                    raise

    async def _forget_waiting(self) -> None:
        for _, extent in self._waiting:
            await self._blobs.delete(BlobKey(extent.key))

    async def _fall_silent(self, now: float) -> None:
        """Nothing came for a while and all that did is stored: let another connection go on."""
        await self._flushed.wait()
        await self._turn.pause()
        if now - self._heard_at >= IDLE_S:
            raise Unavailable("No byte came for a minute.", retry_after_s=1)


def _cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return what failed first; the others of the group are only its consequences."""
    first = group.exceptions[0]
    return _cause(first) if isinstance(first, BaseExceptionGroup) else first


def _split(chunks: list[bytes], size: int) -> tuple[list[bytes], list[bytes]]:
    """Return the first *size* bytes (or all) and the rest, cutting at most one chunk."""
    for index, chunk in enumerate(chunks):
        if size <= len(chunk):
            rest = [chunk[size:]] if size < len(chunk) else []
            return [*chunks[:index], chunk[:size]], rest + chunks[index + 1 :]
        size -= len(chunk)
    return chunks, []


def _update(hasher: Hasher, chunks: list[bytes]) -> None:
    for chunk in chunks:
        hasher.update(chunk)
