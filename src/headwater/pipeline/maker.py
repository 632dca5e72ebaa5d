"""Putting what was made into the store, and knowing which of it is there.

One Maker per process. It remembers the material of the generations it works on, so that a segment
costs one index slice and one window, not a plan.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import anyio
import structlog

from headwater.engines.blobs.port import BlobKey, Blobs
from headwater.engines.media.port import Media
from headwater.model.errors import BlobNotFound, HeadwaterError, StorageFull
from headwater.model.ids import GenerationId, TrackId
from headwater.observe.metrics import PIECE_SECONDS, PIECES_MADE
from headwater.pipeline.advance import Opened
from headwater.pipeline.ask import Ask
from headwater.pipeline.keys import INIT, PICTURES, blob_key
from headwater.pipeline.make_picture import make_picture
from headwater.pipeline.make_segment import make_init, make_segments
from headwater.pipeline.material import Material
from headwater.planning.document import decode_plan

REMEMBERED = 32

log = structlog.get_logger(__name__)


def _kind(track: TrackId, index: int) -> str:
    return "picture" if track == PICTURES else "init" if index == INIT else "segment"


class Maker:
    """Makes (track, index) pairs of a generation, stores and records them."""

    def __init__(
        self, *, ask: Ask, blobs: Blobs, media: Media, holder: str, floor_bytes: int
    ) -> None:
        """*floor_bytes* of the store stay free; *holder* names us in the rows of leases."""
        self._ask, self._blobs, self._media, self._holder = ask, blobs, media, holder
        self._floor_bytes = floor_bytes
        self.held: set[tuple[GenerationId, TrackId, int]] = set()
        self._materials: OrderedDict[GenerationId, Material] = OrderedDict()

    async def material(self, generation: GenerationId) -> Material:
        """Open what *generation* is made from. Raises Gone."""
        if generation in self._materials:
            self._materials.move_to_end(generation)
            return self._materials[generation]
        opened: Opened = await self._ask("pipeline.open_generation", generation=generation)
        plan = decode_plan(opened.generation.plan)
        source = opened.source
        material = Material(
            video=opened.generation.video,
            generation=generation,
            plan=plan,
            extents=source.remuxed if plan.remuxed and source.remuxed else source.extents,
            index_sizes=opened.generation.index_sizes,
            blobs=self._blobs,
        )
        self._materials[generation] = material
        while len(self._materials) > REMEMBERED:
            self._materials.popitem(last=False)
        return material

    def forget(self, generation: GenerationId) -> None:
        self._materials.pop(generation, None)

    async def make(
        self,
        generation: GenerationId,
        wanted: Sequence[TrackId],
        index: int,
        *,
        urgent: bool,
        turn: Callable[[], Any],
    ) -> None:
        """Make segment *index* of those of *wanted* that nobody else makes now, store and record.

        *turn* opens the async context in which a codec may run. What fails is given back.

        Raises:
            StorageFull: there is no room to store it; nothing was made.
        """
        leased = await self._ask(
            "pipeline.take_leases",
            generation=generation,
            wanted=[(track, index) for track in wanted],
            holder=self._holder,
        )
        tracks = [track for track, _ in leased]
        if not tracks:
            return
        names = {(generation, track, index) for track in tracks}
        self.held |= names
        try:
            await self._make_leased(generation, tracks, index, urgent=urgent, turn=turn)
        except BaseException as error:
            if isinstance(error, BlobNotFound):
                self.forget(generation)  # its source was compacted or given up meanwhile
            with anyio.CancelScope(shield=True):  # else who is cancelled keeps the lease
                await self._ask(
                    "pipeline.release_leases",
                    generation=generation,
                    tracks=[(track, index) for track in tracks],
                    holder=self._holder,
                    failed=isinstance(error, HeadwaterError),
                )
            raise
        finally:
            self.held -= names

    async def require_room(self) -> None:
        """Pass if the store takes more. Raises StorageFull."""
        if await self._blobs.free_bytes() < self._floor_bytes:
            raise StorageFull("The server's disk is full.", retry_after_s=30)

    async def _make_leased(
        self,
        generation: GenerationId,
        tracks: list[TrackId],
        index: int,
        *,
        urgent: bool,
        turn: Callable[[], Any],
    ) -> None:
        material = await self.material(generation)
        sizes: dict[tuple[TrackId, int], int] = {}
        missing: list[TrackId] = []
        for track in tracks:  # a blob can be ahead of its row: its maker died between the two
            key = blob_key(material.video, generation, track, index)
            try:
                sizes[track, index] = (await self._blobs.stat(key)).size
            except BlobNotFound:
                missing.append(track)
        damaged: list[TrackId] = []
        won: list[BlobKey] = []
        if missing:
            await self.require_room()
            whom = "urgent" if urgent else "warm"
            async with turn():
                with PIECE_SECONDS.labels(whom).time():
                    bodies = await self._bodies(material, missing, index, urgent=urgent)
            PIECES_MADE.labels(_kind(missing[0], index), whom).inc(len(missing))
            for track, (body, is_damaged) in bodies.items():
                key = blob_key(material.video, generation, track, index)
                stored = await self._blobs.put_absent(key, body)
                sizes[track, index] = stored.size
                if stored.won:
                    won.append(key)
                if is_damaged:
                    damaged.append(track)
        alive = await self._ask(
            "pipeline.record_segments",
            video=material.video,
            generation=generation,
            made=sizes,
            damaged=damaged,
            holder=self._holder,
        )
        if not alive:  # deleted while we worked: take back what we put
            self.forget(generation)
            for key in won:
                await self._blobs.delete(key)

    async def _bodies(
        self, material: Material, tracks: list[TrackId], index: int, *, urgent: bool
    ) -> dict[TrackId, tuple[bytes, bool]]:
        if tracks == [PICTURES]:
            return {PICTURES: (await make_picture(material, index, media=self._media), False)}
        if index == INIT:
            return {t: (await make_init(material, t, media=self._media), False) for t in tracks}
        made = await make_segments(material, tracks, index, media=self._media, urgent=urgent)
        return {track: (one.body, one.damaged) for track, one in made.items()}
