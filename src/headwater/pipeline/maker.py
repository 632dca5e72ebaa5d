"""Putting what was made into the store, and knowing which of it is there.

One Maker per process. It remembers the material of the generations it works on, so that a segment
costs one index slice and one window, not a plan.
"""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import anyio
import structlog

from headwater.engines.blobs.port import Blobs
from headwater.engines.media.port import Media
from headwater.model.errors import BlobNotFound, Gone, HeadwaterError, OtherBuild, StorageFull
from headwater.model.ids import GenerationId, TrackId
from headwater.model.plan import Plan
from headwater.observe.metrics import PIECE_SECONDS, PIECES_MADE
from headwater.observe.spans import MADE
from headwater.observe.traces import span
from headwater.pipeline import bitmap
from headwater.pipeline.ask import Ask
from headwater.pipeline.keys import FIRST_RUN, INIT, PICTURES, blob_key
from headwater.pipeline.leasing import Opened
from headwater.pipeline.make_picture import make_picture
from headwater.pipeline.make_run import make_run
from headwater.pipeline.make_segment import Made, make_init, make_segments
from headwater.pipeline.material import Material
from headwater.pipeline.materials import Materials
from headwater.pipeline.pace import Pace
from headwater.planning.speeds import work_of

log = structlog.get_logger(__name__)


def _kind(track: TrackId, index: int) -> str:
    return "picture" if track == PICTURES else "init" if index == INIT else "segment"


def _how(plan: Plan, tracks: Sequence[TrackId]) -> str:
    is_copied = PICTURES not in tracks and not any(map(plan.is_encoded, tracks))
    return "copy" if is_copied else "encode"


def _work(plan: Plan, tracks: Sequence[TrackId], index: int) -> float:
    """Return the work in segment *index* of *tracks*; 0 for what is not encoded."""
    rungs = [rung for track in tracks if (rung := plan.rung(track))]
    if plan.video is None or index < 0 or not rungs:
        return 0.0
    ticks = plan.video.cuts[index + 1] - plan.video.cuts[index]
    return work_of(plan.video, rungs) * ticks / plan.video.timescale


class Maker:
    """Makes (track, index) pairs of a generation, stores and records them."""

    def __init__(
        self, *, ask: Ask, blobs: Blobs, media: Media, holder: str, floor_bytes: int
    ) -> None:
        """*floor_bytes* of the store stay free; *holder* names us in the rows of leases."""
        self._ask, self._blobs, self._media, self._holder = ask, blobs, media, holder
        self._floor_bytes = floor_bytes
        self._passes = {True: anyio.Semaphore(1), False: anyio.Semaphore(1)}  # by urgency
        self._held: Counter[tuple[GenerationId, TrackId, int]] = Counter()
        self.pace = Pace()
        self.materials = Materials(ask=ask, blobs=blobs)

    @property
    def held(self) -> list[tuple[GenerationId, TrackId, int]]:
        """The leases that are to be kept while we work."""
        return list(self._held)

    async def work_of(
        self, generation: GenerationId, track: TrackId, index: int
    ) -> tuple[GenerationId, TrackId, int]:
        """Name the lease under which (*track*, *index*) is made: a run has one. Raises Gone."""
        plan = (await self.material(generation)).plan
        run = plan.video.run_of(index) if plan.video and plan.is_encoded_rung(track) else None
        passed = run is not None and index > run[0]
        return generation, track, FIRST_RUN - run[0] if run and passed else index

    async def material(self, generation: GenerationId) -> Material:
        """Open what *generation* is made from. Raises Gone."""
        return await self.materials.open(generation)

    async def make(
        self,
        generation: GenerationId,
        wanted: Sequence[TrackId],
        index: int,
        *,
        urgent: bool,
        turn: Callable[[], Any],
        over: bool = False,
    ) -> bool:
        """Make segment *index* of those of *wanted* that nobody else makes now, store and record.

        *turn* opens the async context in which a codec may run; what is not urgent is leased only
        then, so that nobody who waits for it is held up by its waiting. *over* makes it beside who
        makes it in the background. What fails is given back. Returns False if others were making
        all of it.

        Raises:
            StorageFull: there is no room to store it; nothing was made.
            CannotContinue: this generation lacks what nobody can make any more.
        """
        plan = (await self.material(generation)).plan
        run = plan.video.run_of(index) if plan.video else None
        if run is not None and index > run[0]:
            passed = [track for track in wanted if plan.is_encoded_rung(track)]
            wanted = [track for track in wanted if track not in passed]
            if passed and not wanted:
                return await self._pass(generation, passed, run, urgent=urgent, over=over)
            if passed:
                await self._pass(generation, passed, run, urgent=urgent, over=over)
        early, late = (contextlib.nullcontext, turn) if urgent else (turn, contextlib.nullcontext)
        leasing = self._leases(generation, wanted, index, yields=not urgent, over=over)
        async with early(), leasing as tracks:
            if tracks:
                await self._make_leased(generation, tracks, index, urgent=urgent, turn=late)
        return bool(tracks)

    @contextlib.asynccontextmanager
    async def _leases(
        self,
        generation: GenerationId,
        wanted: Sequence[TrackId],
        index: int,
        *,
        yields: bool = False,
        over: bool = False,
    ) -> AsyncIterator[list[TrackId]]:
        """Hold the leases of those of *wanted* that nobody makes; give them back at the end.

        Whoever is asked for one that *yields* may take it *over*; both may then be at work.
        """
        with anyio.CancelScope(shield=True):  # else a lease that was granted is held by nobody
            leased = await self._ask(
                "pipeline.take_leases",
                generation=generation,
                wanted=[(track, index) for track in wanted],
                holder=self._holder,
                yields=yields,
                over=over,
            )
        tracks = [track for track, _ in leased]
        names = Counter((generation, track, index) for track in tracks)
        self._held += names
        try:
            yield tracks
        except BaseException as error:
            if isinstance(error, BlobNotFound):
                self.materials.forget(generation)  # its source was compacted or given up meanwhile
            with anyio.CancelScope(shield=True):  # else who is cancelled keeps the lease
                await self._ask(
                    "pipeline.release_leases",
                    generation=generation,
                    tracks=[(track, index) for track in tracks],
                    holder=self._holder,
                    yields=yields,
                    failed=isinstance(error, HeadwaterError),
                )
            raise
        finally:
            self._held -= names

    async def _pass(
        self,
        generation: GenerationId,
        tracks: Sequence[TrackId],
        run: range,
        *,
        urgent: bool,
        over: bool,
    ) -> bool:
        """Make what is missing of *run* in one forward pass; False if somebody is at it."""
        material = await self.material(generation)
        leasing = self._leases(generation, tracks, FIRST_RUN - run[0], yields=not urgent, over=over)
        async with leasing as ours:
            present = {track: await self._present(material, track, run) for track in ours}
            await self._record_found(material, present)
            missing = [k for k in run if any(k not in present[track] for track in ours)]
            if missing:
                self._require_build(material.plan, ours)
                await self.require_room()
                async with self._passes[urgent]:
                    left = range(missing[0], run[-1] + 1)
                    await self._run(material, ours, left, present, urgent=urgent)
            if ours:
                await self._ask(
                    "pipeline.release_leases",
                    generation=generation,
                    tracks=[(track, FIRST_RUN - run[0]) for track in ours],
                    holder=self._holder,
                    yields=not urgent,
                    failed=False,
                )
        return bool(ours)

    async def _run(
        self,
        material: Material,
        tracks: Sequence[TrackId],
        left: range,
        present: Mapping[TrackId, Mapping[int, int]],
        *,
        urgent: bool,
    ) -> None:
        whom = "urgent" if urgent else "warm"
        came = {track: set(present[track]) for track in tracks}
        passing = make_run(material, tracks, left, media=self._media, urgent=urgent)
        async with contextlib.aclosing(passing):
            async for track, index, made in passing:
                came[track].add(index)
                if index not in present[track]:
                    PIECES_MADE.labels("segment", "encode", whom).inc()
                    await self._keep(material, {track: made}, index)
        for index in left:  # nothing of it decoded: the last good picture stands there
            for track in (track for track in tracks if index not in came[track]):
                made_alone = await make_segments(
                    material, [track], index, media=self._media, urgent=urgent
                )
                await self._keep(material, made_alone, index)

    async def _present(self, material: Material, track: TrackId, run: range) -> dict[int, int]:
        """Return the sizes of the segments of *run* that the store has, by index."""
        found = {}
        for index in run:
            with contextlib.suppress(BlobNotFound):
                key = blob_key(material.video, material.generation, track, index)
                found[index] = (await self._blobs.stat(key)).size
        return found

    async def _record_found(
        self, material: Material, present: Mapping[TrackId, Mapping[int, int]]
    ) -> None:
        """Record the blobs that are ahead of their rows: their maker died between the two."""
        opened: Opened = await self._ask("pipeline.open_generation", generation=material.generation)
        ahead = {
            (track, index): size
            for track, sizes in present.items()
            for index, size in sizes.items()
            if not bitmap.has(opened.presences[track].present, index)
        }
        if ahead:
            await self._keep(material, {}, 0, already=ahead)

    def _require_build(self, plan: Plan, tracks: Sequence[TrackId]) -> None:
        """Pass if our encoder made whatever else there is of *tracks*. Raises OtherBuild."""
        if plan.encoder != self._media.build and any(map(plan.is_encoded, tracks)):
            raise OtherBuild("Another build of the encoder made the rest of this video.")

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
        if missing:
            self._require_build(material.plan, missing)
            await self.require_room()
            whom = "urgent" if urgent else "warm"
            how = _how(material.plan, missing)
            about: dict[str, Any] = {
                "generation": generation,
                "tracks": missing,
                "index": index,
            }
            async with turn():
                started_at = anyio.current_time()
                with span(MADE, how=how, for_whom=whom, **about):
                    bodies = await self._bodies(material, missing, index, urgent=urgent)
                took_s = anyio.current_time() - started_at
            PIECE_SECONDS.labels(how, whom).observe(took_s)
            work = _work(material.plan, missing, index)
            self.pace.saw(generation, urgent=urgent, work=work, took_s=took_s)
            PIECES_MADE.labels(_kind(missing[0], index), how, whom).inc(len(missing))
        else:
            bodies = {}
        await self._keep(material, bodies, index, already=sizes, yields=not urgent)

    async def _keep(
        self,
        material: Material,
        bodies: Mapping[TrackId, Made],
        index: int,
        *,
        already: Mapping[tuple[TrackId, int], int] | None = None,
        yields: bool = True,
    ) -> None:
        """Store *bodies*, and record them with what was *already* there; free leases as they are.

        Raises:
            Gone: the video was deleted meanwhile; what we put is taken back.
        """
        sizes = dict(already or {})
        with anyio.CancelScope(shield=True):  # what is put is recorded, or taken back
            for track, made in bodies.items():
                key = blob_key(material.video, material.generation, track, index)
                sizes[track, index] = (await self._blobs.put_absent(key, made.body)).size
            alive = await self._ask(
                "pipeline.record_segments",
                video=material.video,
                generation=material.generation,
                made=sizes,
                damaged=[track for track, made in bodies.items() if made.damaged],
                holder=self._holder,
                yields=yields,
            )
            if not alive:
                self.materials.forget(material.generation)
                for track, at in sizes:
                    key = blob_key(material.video, material.generation, track, at)
                    await self._blobs.delete(key)
                raise Gone("The video is gone.")

    async def _bodies(
        self, material: Material, tracks: list[TrackId], index: int, *, urgent: bool
    ) -> dict[TrackId, Made]:
        if tracks == [PICTURES]:
            picture = await make_picture(material, index, media=self._media)
            return {PICTURES: Made(picture, damaged=False)}
        if index == INIT:
            inits = {t: await make_init(material, t, media=self._media) for t in tracks}
            return {track: Made(init, damaged=False) for track, init in inits.items()}
        return await make_segments(material, tracks, index, media=self._media, urgent=urgent)
