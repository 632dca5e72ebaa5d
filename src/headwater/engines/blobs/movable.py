"""Blobs that may move to another store while processes use them.

Flow      a process looks every second where they are → before: the store the settings name; in
          both: what is put goes to the old one and then to the new one, reads ask the old one
          first; moved: the new one, and the old one for what arrives late; ended: the new one.
Promises  while they are in both, the old store lacks nothing, so a move that fails has changed
          nothing; a put that ends was told the place two looks before at most.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from itertools import accumulate
from threading import Lock
from typing import TypeVar

import msgspec

from headwater.containers.reader import RangeReader
from headwater.engines.blobs.copying import copy
from headwater.engines.blobs.moving import Place, Stage
from headwater.engines.blobs.port import BlobKey, Blobs, OpenBlob, PartTicket, Stored, blob_key
from headwater.engines.entropy import public_id
from headwater.engines.reach import Reach
from headwater.model.errors import BlobNotFound, HeadwaterError
from headwater.model.upload import Extent

LOOK_S = 1.0  # moving.SETTLE_S follows from it
FRESH = 2.0  # times that: how old the place may be when a put ends
KEPT = 16  # extents of a source that are held open


T = TypeVar("T")
Look = Callable[[], Awaitable[Place | None]]


class Stores(msgspec.Struct, frozen=True):
    """The stores of a moment: where reads look, in order, and where puts go, in order."""

    place: Place | None
    reads: tuple[Blobs, ...]
    puts: tuple[Blobs, ...]


class MovableBlobs:
    def __init__(
        self,
        url: str,
        *,
        open_at: Callable[[str], Blobs],
        look: Look,
        miss: Callable[[], Awaitable[None]],
        place: Place | None = None,
        look_s: float = LOOK_S,
        store_of: Callable[[str], str] = str,
    ) -> None:
        """Use the store at *url*, or what is in charge by *place* and, later, by *look*.

        *miss* adds to Place.missed. Two addresses are of one store if *store_of* them is the same:
        a process whose settings spell it otherwise than the mover's follows as well.
        """
        self._url, self._open_at, self._look, self._miss = url, open_at, look, miss
        self._look_s, self._store_of = look_s, store_of
        named = open_at(url)
        self._opened = {store_of(url): named}
        # The clients of this process were told to put parts where its settings say.
        self._named = named
        self.part_origin = named.part_origin
        self.parts = getattr(named, "parts", None)
        self._stores = self._stores_of(place)
        self._seen_at = float("-inf")
        self._looking = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None

    @property
    def reach(self) -> Reach:
        return min(store.reach for store in self._stores.puts)

    @property
    def place(self) -> Place | None:
        return self._stores.place

    async def watch(self) -> None:
        """Look now, and from now on every second until close()."""
        await self._latest(newer=True)
        self._watching = asyncio.create_task(self._watch())

    async def check(self, *, thoroughly: bool = False) -> str:
        """Return what the store in charge says of itself. Raises Unavailable."""
        store = (await self._latest()).reads[0]
        if (checks := getattr(store, "check", None)) is not None:
            return str(await checks(thoroughly=thoroughly))
        key = blob_key(f"health/{public_id()}")
        await store.put_absent(key, b"ok")
        await store.delete(key)
        return "writable"

    async def put_absent(self, key: BlobKey, body: AsyncIterable[bytes] | bytes) -> Stored:
        stores = await self._latest()
        stored = await stores.puts[0].put_absent(key, body)
        await self._bring(key, stores.puts[0], stores.puts[1:])
        while (latest := await self._latest()).puts != stores.puts:  # they moved meanwhile
            await self._bring(key, stores.puts[0], latest.puts)
            stores = latest
        return stored

    async def stat(self, key: BlobKey) -> Stored:
        return await self._first(lambda store: store.stat(key))

    async def open(self, key: BlobKey) -> OpenBlob:
        return await self._first(lambda store: store.open(key))

    def reader(self, extents: Sequence[Extent]) -> RangeReader:
        reads = self._stores.reads
        return reads[0].reader(extents) if len(reads) == 1 else _Reader(extents, reads)

    async def delete(self, key: BlobKey) -> None:
        """From the old store first: who copies it looks there whether it is gone."""
        stores = await self._latest()
        for store in sorted(stores.reads, key=lambda store: store is self._new(stores)):
            try:
                await store.delete(key)
            except HeadwaterError:
                if store is stores.puts[0]:
                    raise
                await self._miss()

    async def list(self, prefix: str) -> AsyncIterator[tuple[BlobKey, int]]:
        reads = (await self._latest()).reads
        seen: set[BlobKey] = set()
        for store in reads:
            async for key, size in store.list(prefix):
                if key not in seen:
                    yield key, size
                if len(reads) > 1:
                    seen.add(key)

    async def part_url(
        self, key: BlobKey, *, length: int, checksum: str, expires_at: float
    ) -> PartTicket:
        return await self._named.part_url(
            key, length=length, checksum=checksum, expires_at=expires_at
        )

    async def free_bytes(self) -> int:
        return min([await store.free_bytes() for store in self._stores.puts])

    def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
        for store in self._opened.values():
            if (close := getattr(store, "close", None)) is not None:
                close()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._look_s)
            with contextlib.suppress(HeadwaterError):  # who puts asks again, and says so
                await self._latest(newer=True)

    async def _latest(self, *, newer: bool = False) -> Stores:
        """Return the stores as they were told two looks ago at most, or *newer* than now.

        Raises Unavailable: the database does not tell.
        """
        now = asyncio.get_running_loop().time
        after = now() if newer else now() - self._look_s * FRESH
        if self._seen_at < after:
            async with self._looking:
                if self._seen_at < after:
                    began = now()
                    place = await self._look()
                    if place != self._stores.place:
                        self._stores = self._stores_of(place)
                    self._seen_at = began
        return self._stores

    def _stores_of(self, place: Place | None) -> Stores:
        if place is None or self._store_of(self._url) not in map(
            self._store_of, (place.of, place.to)
        ):
            return Stores(place, (self._named,), (self._named,))
        old, new = self._at(place.of), self._at(place.to)
        if place.stage is Stage.ENDED:
            return Stores(place, (new,), (new,))
        if place.stage is Stage.MOVED:
            return Stores(place, (new, old), (new,))
        return Stores(place, (old, new), (old, new))

    def _at(self, url: str) -> Blobs:
        store = self._store_of(url)
        if store not in self._opened:
            self._opened[store] = self._open_at(url)
        return self._opened[store]

    def _new(self, stores: Stores) -> Blobs | None:
        return self._opened.get(self._store_of(stores.place.to)) if stores.place else None

    async def _bring(self, key: BlobKey, source: Blobs, targets: Sequence[Blobs]) -> None:
        """Let *targets* have what *source* has; what fails is seen to by who moves them."""
        for target in targets:
            if target is not source:
                try:
                    await copy(key, source=source, target=target)
                except BlobNotFound:  # deleted meanwhile
                    continue
                except HeadwaterError:
                    if target is self._stores.puts[0]:  # it is in charge by now
                        raise
                    await self._miss()

    async def _first(self, asked: Callable[[Blobs], Awaitable[T]]) -> T:
        """Ask one store after the other; that nobody has it is said of the latest place only."""
        stores = self._stores
        while True:
            for store in stores.reads:
                with contextlib.suppress(BlobNotFound):
                    return await asked(store)
            latest = stores
            with contextlib.suppress(HeadwaterError):
                latest = await self._latest()
            if latest is stores:
                return await asked(stores.reads[0])
            stores = latest


class _Reader:
    """A source whose extents are in either of two stores; blocking."""

    def __init__(self, extents: Sequence[Extent], stores: Sequence[Blobs]) -> None:
        self._extents, self._stores = extents, stores
        self._starts = [0, *accumulate(extent.size for extent in extents)]
        self._readers: dict[int, RangeReader] = {}
        self._lock = Lock()

    @property
    def size(self) -> int:
        return self._starts[-1]

    def read_at(self, start: int, size: int) -> bytes:
        stop = min(start + size, self.size)
        return b"".join(
            self._read(number, max(start, first) - first, min(stop, last) - max(start, first))
            for number, (first, last) in enumerate(
                zip(self._starts, self._starts[1:], strict=False)
            )
            if max(start, first) < min(stop, last)
        )

    def _read(self, number: int, start: int, size: int) -> bytes:
        with self._lock:
            reader = self._readers.get(number)
        if reader is not None:
            return reader.read_at(start, size)
        for store in self._stores[:-1]:
            with contextlib.suppress(BlobNotFound):
                return self._read_from(store, number, start, size)
        return self._read_from(self._stores[-1], number, start, size)

    def _read_from(self, store: Blobs, number: int, start: int, size: int) -> bytes:
        reader = store.reader([self._extents[number]])
        piece = reader.read_at(start, size)
        with self._lock:
            self._readers[number] = reader
            if len(self._readers) > KEPT:
                del self._readers[next(iter(self._readers))]
        return piece
