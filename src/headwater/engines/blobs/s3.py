"""Blobs as objects of one bucket, for as many hosts as like.

Flow      put_absent: up to 16 MB in one conditional PUT, more as a long blob (s3_long); open and
          reader: ranged GETs bound to one ETag; part_url: an address signed for the client.
Promises  the first writer wins by `If-None-Match: *` alone, which `headwater check` proves; every
          byte on its way in is covered by a signed SHA-256 that the store verifies; no state is
          kept here that another host would miss.
Source    docs.aws.amazon.com/AmazonS3/latest/API (PutObject, conditional writes, SigV4);
          decisions/0021 for what stores do beyond it.
"""

from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any, cast

import msgspec
import obstore

from headwater.containers.reader import RangeReader
from headwater.engines.blobs.port import (
    BOUNDLESS,
    CHUNK_BYTES,
    BlobKey,
    PartTicket,
    Stored,
    blob_key,
)
from headwater.engines.blobs.proof import prove
from headwater.engines.blobs.s3_calls import PUT_CALL_S, Answer, Calls, Said, not_found
from headwater.engines.blobs.s3_long import LongBlobs
from headwater.engines.blobs.s3_objects import HEAD, WRITER, Located, located_of
from headwater.engines.blobs.s3_opened import OpenObject
from headwater.engines.blobs.s3_place import (
    PUT_S,
    SILENCE_S,
    Place,
    byte_client,
    control_client,
    place_of,
)
from headwater.engines.blobs.s3_proof import arrange, prove_hashes, prove_tickets
from headwater.engines.blobs.s3_reader import ObjectReader
from headwater.engines.blobs.s3_tickets import TicketOffice
from headwater.engines.clock import Clock
from headwater.engines.entropy import ordered_id
from headwater.engines.reach import Reach
from headwater.forces.budget import RetryBudget
from headwater.model.errors import Unavailable
from headwater.model.upload import Extent

SHORT_BYTES = 16 << 20  # held in memory and put at once: the parts of every upload
THREADS = 8
LISTED = 1000
BLOBS = "blobs"
LOOKS = 8  # at a key that is put and deleted again and again by others


class S3Blobs:
    reach = Reach.FLEET

    def __init__(self, url: str, *, clock: Clock, budget: RetryBudget | None = None) -> None:
        """Talk to the bucket that *url* names. Raises SettingsError; asks nothing yet."""
        self.place: Place = place_of(url)
        self.part_origin = self.place.origin
        self.calls = Calls(threads=THREADS, budget=budget or RetryBudget())
        self.reading = byte_client(self.place, silence_s=SILENCE_S)
        self.writing = byte_client(self.place, silence_s=PUT_S)
        self._control: Any = None
        self._long = LongBlobs(self)
        self._clock = clock
        self._tickets = TicketOffice(self.place, clock)

    @property
    def control(self) -> Any:
        """Return boto3's client, made when first asked for: importing it takes a third of a
        second.
        """
        if self._control is None:
            self._control = control_client(self.place)
        return self._control

    async def check(self, *, thoroughly: bool = False) -> str:
        if not thoroughly:
            await prove(self, racers=2)
            return str(self.place)
        await prove(self)
        await prove_hashes(self)
        await prove_tickets(self, self._clock)
        return "; ".join([f"{self.place}: the first of many writers wins", *await arrange(self)])

    def path(self, key: str) -> str:
        """Return the object's name for *key*."""
        return self.place.path(BLOBS, blob_key(key))

    async def put_absent(self, key: BlobKey, body: AsyncIterable[bytes] | bytes) -> Stored:
        path = self.path(key)
        if isinstance(body, bytes) and len(body) <= SHORT_BYTES:
            return await self._put_short(path, body)
        rest = aiter(_pieces(body) if isinstance(body, bytes) else body)
        held: list[bytes] = []
        size = 0
        async for chunk in rest:
            held.append(chunk)
            size += len(chunk)
            if size > SHORT_BYTES:
                return await self._long.put(key, held, rest)
        return await self._put_short(path, b"".join(held))

    async def _put_short(self, path: str, body: bytes) -> Stored:
        found, won = await self.create(path, body)
        return msgspec.structs.replace(found.stored, won=won)

    async def create(
        self, path: str, body: bytes, attributes: Mapping[str, str] | None = None
    ) -> tuple[Located, bool]:
        """Put *body* at *path* unless something is there; return what is, and if it is ours."""
        writer = ordered_id()
        said: dict[str, str] = {WRITER: writer, **(attributes or {})}
        for _ in range(LOOKS):
            try:
                put = await self.calls.ask(
                    lambda: obstore.put_async(
                        self.writing,
                        path,
                        body,
                        mode="create",
                        attributes=cast("Any", said),
                        use_multipart=False,
                    ),
                    within_s=PUT_CALL_S,
                )
            except Said as refusal:
                if refusal.answer is not Answer.TAKEN:
                    raise
            else:
                meta = {"size": len(body), "e_tag": put["e_tag"]}
                return located_of(path, meta, said), True
            found = await self.look(path)
            if found is not None:  # else it has just been deleted: ours may be the first again
                # Ours, perhaps: put by a try whose answer was lost.
                return found, found.writer == writer
        raise Unavailable("the blob store says of nothing that it is there", retry_after_s=2)

    async def drop(self, path: str) -> None:
        """Delete one object."""
        await self.calls.ask(lambda: obstore.delete_async(self.writing, path))

    async def look(self, path: str) -> Located | None:
        """Return what is at *path*, if anything is."""
        try:
            found = await self.calls.ask(
                lambda: obstore.get_async(self.reading, path, options=HEAD)
            )
        except Said as said:
            if said.answer is Answer.ABSENT:
                return None
            raise
        return located_of(path, found.meta, found.attributes)

    async def locate(self, key: BlobKey) -> Located:
        """Return where the bytes of *key* are. Raises BlobNotFound."""
        found = await self.look(self.path(key))
        if found is None:
            raise not_found(key)
        return found

    async def stat(self, key: BlobKey) -> Stored:
        return (await self.locate(key)).stored

    async def open(self, key: BlobKey) -> OpenObject:
        path = self.path(key)
        try:
            found = await self.calls.ask(
                lambda: obstore.get_async(self.reading, path, options={"range": (0, CHUNK_BYTES)})
            )
        except Said as said:
            if said.answer is Answer.ABSENT:
                raise not_found(key) from None
            if said.answer is not Answer.EMPTY_RANGE:
                raise
            return OpenObject(key, await self.locate(key), self.reading, self.calls)
        located = located_of(path, found.meta, found.attributes)
        return OpenObject(key, located, self.reading, self.calls, begun=found)

    def reader(self, extents: Sequence[Extent]) -> RangeReader:
        return ObjectReader(extents, self)

    async def delete(self, key: BlobKey) -> None:
        path = self.path(key)
        behind = await self._long.behind(key)  # before: a crash between leaves what is found again
        for gone in (path, *behind):
            await self.drop(gone)

    async def list(self, prefix: str) -> AsyncIterator[tuple[BlobKey, int]]:
        """Long blobs first, by their bytes; so bytes whose name was never put are found too."""
        long: set[BlobKey] = set()
        async for key, size in self._long.list(prefix):
            if key not in long:
                long.add(key)
                yield key, size
        async for path, size in self.listing(BLOBS, prefix):
            if path not in long:
                yield BlobKey(path), size

    async def listing(self, folder: str, prefix: str) -> AsyncIterator[tuple[str, int]]:
        """Yield (name below *folder*, size) of every object there that starts with *prefix*."""
        top = prefix.rpartition("/")[0]
        if top:
            blob_key(top)  # a prefix leads nowhere else either
        base = self.place.path(folder)
        last: str | None = None
        page: Sequence[Any] | None = None
        while page is None or len(page) == LISTED:
            page = await self.calls.ask(partial(self._page, f"{base}/{top}", last))
            for found in page:
                last = found["path"]
                name = found["path"][len(base) + 1 :]
                if name.startswith(prefix):
                    yield name, found["size"]

    async def _page(self, folder: str, last: str | None) -> Sequence[Any]:
        """Return the next LISTED objects of *folder* after *last*."""
        async for page in obstore.list(
            self.reading, folder.rstrip("/"), offset=last, chunk_size=LISTED
        ):
            return page
        return []

    async def part_url(
        self, key: BlobKey, *, length: int, checksum: str, expires_at: float
    ) -> PartTicket:
        return self._tickets.ticket(
            self.path(key), length=length, checksum=checksum, expires_at=expires_at
        )

    async def free_bytes(self) -> int:
        return BOUNDLESS  # what a quota of the store still allows, only a put that fails says

    def close(self) -> None:
        self.calls.close()


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), CHUNK_BYTES):
        yield body[start : start + CHUNK_BYTES]
