"""Cutting a body into parts and publishing them while it arrives."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing

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
        self._now_s = asyncio.get_running_loop().time
        self._end = turn.upload.offset  # of what was received
        self._left: list[bytes] = []  # of a block that had no place in a part any more
        self._heard_at = self._now_s()
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
        while self._left or not inbox.is_over:
            block = self._left or await self._take(inbox, wait_s=SILENCE_S)
            if block:
                part = await self._open(block)
                group.start_soon(self._store, part, self._bytes_of(part, block, inbox))
                await part.ended.wait()
            elif not inbox.is_over:
                await self._fall_silent()
        await self._flushed.wait()

    async def _take(self, inbox: Inbox, *, wait_s: float) -> list[bytes]:
        """Return the next block, or after *wait_s* what there is of it."""
        block = await inbox.take(wait_s=wait_s)
        if block:
            self._heard_at = self._now_s()
            self._end += sum(map(len, block))
            if self._end > self._turn.limit:
                raise TooLarge("More bytes came than this upload may have.")
            if self._hasher is not None:
                await to_thread.run_sync(_update, self._hasher, block)
        return block

    async def _open(self, block: list[bytes]) -> Part:
        await self._turn.take_again()
        if await self._blobs.free_bytes() < self._floor_bytes:
            raise StorageFull("The server's disk is full.", retry_after_s=3600)
        return Part(self._turn.upload.id, self._end - sum(map(len, block)))

    async def _bytes_of(
        self, part: Part, block: list[bytes], inbox: Inbox
    ) -> AsyncGenerator[bytes]:
        """Yield the bytes of *part*, from *block* on, until it is large, old, or all there is.

        It ends when the part before it is published; its own flush goes on while the next arrives.
        """
        until = self._now_s() + PART_S
        while block:
            head, self._left = _split(block, PART_BYTES - part.size)
            part.size += sum(map(len, head))
            for chunk in head:
                yield chunk
            left_s = until - self._now_s()
            if self._left or part.size == PART_BYTES or left_s <= 0 or inbox.is_over:
                break
            block = await self._take(inbox, wait_s=min(SILENCE_S, left_s))
        await self._flushed.wait()
        self._flushed.clear()
        part.is_last = inbox.is_over and not self._left
        part.ended.set()

    async def _store(self, part: Part, body: AsyncGenerator[bytes]) -> None:
        try:
            async with aclosing(body):
                await self._blobs.put_absent(part.key, body)
        except BaseException:  # cancelled, perhaps, between its blob and our hearing of it
            with anyio.CancelScope(shield=True):
                await self._blobs.delete(part.key)
            raise
        with anyio.CancelScope(shield=True):  # a commit half waited for has an unknown outcome
            await self._keep(part.placed, last=part.is_last)
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

    async def _fall_silent(self) -> None:
        """Nothing came for a while and all that did is stored: let another connection go on."""
        await self._flushed.wait()
        await self._turn.pause()
        if self._now_s() - self._heard_at >= IDLE_S:
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
