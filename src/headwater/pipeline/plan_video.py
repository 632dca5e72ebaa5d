"""Planning a video: probe → plan → playable. Touches blobs and the codec, never rows.

Flow  source extents → sniff → (remux) → sample tables → a look at the first pictures → plan →
      stored indexes, one init and one first segment per track that playback starts with.
"""

import hashlib
import hmac
from collections.abc import AsyncIterator, Sequence

import anyio

from headwater.containers import index_blob, isobmff, matroska
from headwater.containers.sniff import Sniffed, sniff
from headwater.containers.table import RangeReader, SourceIndex, TrackTable
from headwater.engines.blobs.port import BlobKey, Blobs, chunks_of
from headwater.engines.media.port import Media
from headwater.model.errors import CannotCopy, UnreadableMedia
from headwater.model.ids import GenerationId, TrackId, VideoId
from headwater.model.look import Look
from headwater.model.plan import Plan
from headwater.model.upload import Extent
from headwater.observe.spans import PLAN_LOOK, PLAN_MAKE, PLAN_READ, PLAN_START
from headwater.observe.traces import span
from headwater.pipeline.keys import init_key, remux_prefix, sample_index_key, segment_key
from headwater.pipeline.make_segment import make_init, make_segments
from headwater.pipeline.material import Material, make_window, read_samples
from headwater.pipeline.planned import Planned
from headwater.pipeline.together import each
from headwater.planning.document import encode_plan
from headwater.planning.plan import PlanSettings, make_plan

SNIFF_BYTES = 65_536
REMUX_EXTENT_BYTES = 16 << 20  # the size of an upload's parts, for the same reasons
REMUX_GROWTH = 3  # a copy of small packets of sound may grow to this many times its source
LOOK_SAMPLES = {"video": 12, "audio": 8}
LOOK_ATTEMPTS = 4  # a damaged first picture does not make a whole video unreadable
AUDIO_TRACKS = 16
NEVER_COPY = PlanSettings(copy_peak_bps=0)
LOOKS_AT_ONCE = 4  # codec processes, each of which may take memory up to its limit


async def plan_video(
    video: VideoId,
    extents: Sequence[Extent],
    remuxed: Sequence[Extent] | None,
    *,
    blobs: Blobs,
    media: Media,
    settings: PlanSettings,
    secret: bytes,
    attempt: str,
) -> Planned:
    """Plan *video* and make what it needs to be playable.

    Doing it twice gives the same generation over the same blobs. *remuxed* is the indexed copy an
    earlier attempt finished; *attempt* names the blobs of a new one. Where the first samples turn
    out not to be what the index says of them, nothing is copied.

    Raises:
        UnreadableMedia: no picture and no sound in it can be read.
        RefusedMedia: a kind of file that is refused on purpose.
        CodecFailed: the codec died; the same call may succeed later.
    """

    async def plan(settings: PlanSettings) -> Planned:
        return await _plan_video(
            video,
            extents,
            remuxed,
            blobs=blobs,
            media=media,
            settings=settings,
            secret=secret,
            attempt=attempt,
        )

    try:
        return await plan(settings)
    except CannotCopy:
        return await plan(NEVER_COPY)


async def _plan_video(
    video: VideoId,
    extents: Sequence[Extent],
    remuxed: Sequence[Extent] | None,
    *,
    blobs: Blobs,
    media: Media,
    settings: PlanSettings,
    secret: bytes,
    attempt: str,
) -> Planned:
    source = blobs.reader(extents)
    new_remux: list[Extent] | None = None
    with span(PLAN_READ, bytes=source.size) as reading:
        head = await anyio.to_thread.run_sync(source.read_at, 0, SNIFF_BYTES)
        sniffed = sniff(head, size=source.size)
        reading.tell(container=sniffed.container)
        index = await _own_index(source, sniffed)
        if index is None:
            if remuxed is None:
                remuxed = new_remux = await _remux(
                    video, extents, sniffed, blobs=blobs, media=media, attempt=attempt
                )
            source = blobs.reader(remuxed)
            read_index = matroska.read_index if sniffed.remux == "matroska" else isobmff.read_index
            index = await anyio.to_thread.run_sync(read_index, source)
    with span(PLAN_LOOK, tracks=len(index.tracks)):
        tables, looks = await _look(index, source, media=media)
    with span(PLAN_MAKE) as making:
        plan = await anyio.to_thread.run_sync(
            lambda: make_plan(
                tables,
                looks,
                settings=settings,
                encoder=media.build,
                remuxed=new_remux is not None or source.size != sum(e.size for e in extents),
            )
        )
        document = encode_plan(plan)
        generation = _generation_id(secret, video, document)
        making.tell(generation=generation, tracks=len(plan.track_ids()))
        index_sizes = await _store_indexes(video, generation, plan, tables, blobs=blobs)
    material = Material(
        video=video,
        generation=generation,
        plan=plan,
        extents=list(remuxed if plan.remuxed and remuxed else extents),
        index_sizes=index_sizes,
        blobs=blobs,
    )
    with span(PLAN_START, generation=generation):
        stored, damaged = await _store_start(material, blobs=blobs, media=media)
    return Planned(generation, plan, document, index_sizes, new_remux, stored, damaged)


async def _own_index(source: RangeReader, sniffed: Sniffed) -> SourceIndex | None:
    """Read the container's index with our own code, None where it has none we read."""
    if sniffed.container == "isobmff":
        return await anyio.to_thread.run_sync(isobmff.read_index, source)
    if sniffed.container == "matroska":
        return await anyio.to_thread.run_sync(matroska.read_index, source)
    return None


async def _remux(
    video: VideoId,
    extents: Sequence[Extent],
    sniffed: Sniffed,
    *,
    blobs: Blobs,
    media: Media,
    attempt: str,
) -> list[Extent]:
    async def body() -> AsyncIterator[bytes]:
        for extent in extents:
            async for chunk in chunks_of(blobs, BlobKey(extent.key)):
                yield chunk

    copied: list[Extent] = []
    pending = bytearray()
    most = REMUX_GROWTH * sum(extent.size for extent in extents) + REMUX_EXTENT_BYTES

    async def put(part: bytes) -> None:
        key = BlobKey(f"{remux_prefix(video)}{attempt}/{len(copied)}")
        stored = await blobs.put_absent(key, part)
        copied.append(Extent(key, stored.size))

    async for chunk in media.remux(body(), demuxer=sniffed.demuxer, family=sniffed.remux):
        most -= len(chunk)
        if most < 0:
            raise UnreadableMedia("This file claims to hold far more than its bytes can.")
        pending += chunk
        while len(pending) >= REMUX_EXTENT_BYTES:
            await put(bytes(pending[:REMUX_EXTENT_BYTES]))
            del pending[:REMUX_EXTENT_BYTES]
    if pending:
        await put(bytes(pending))
    if not copied:
        raise UnreadableMedia("There is no picture and no sound in this file that we can read.")
    return copied


async def _look(
    index: SourceIndex, source: RangeReader, *, media: Media
) -> tuple[SourceIndex, dict[int, Look]]:
    """Decode a little of each track worth planning; tracks that show nothing are left out."""
    videos = [t for t in index.tracks if t.kind == "video" and len(t.sizes)]
    audios = [t for t in index.tracks if t.kind == "audio" and len(t.sizes)][:AUDIO_TRACKS]
    videos.sort(key=lambda table: (not table.default, -table.width * table.height))
    looks: dict[int, Look] = {}
    turn = anyio.Semaphore(LOOKS_AT_ONCE)

    async def look(table: TrackTable) -> None:
        async with turn:
            if seen := await _look_at(table, source, media=media):
                looks[table.number] = seen

    await each(videos[:1] + audios, look)
    for table in videos[1:]:  # an unreadable first picture track gives the next one its turn
        if any(t.number in looks for t in videos):
            break
        await look(table)
    seen = tuple(t for t in index.tracks if t.number in looks)
    if not seen:
        raise UnreadableMedia("There is no picture and no sound in this file that we can read.")
    kept = SourceIndex(
        family=index.family,
        tracks=seen,
        truncated_at_s=index.truncated_at_s,
        notes=index.notes,
    )
    return kept, looks


async def _look_at(table: TrackTable, source: RangeReader, *, media: Media) -> Look | None:
    starts = table.sync.nonzero()[0][:LOOK_ATTEMPTS].tolist()
    for start in dict.fromkeys([*starts, 0]):  # marks may lie: nothing begins before the first

        def cut(start: int = start) -> object:
            part = index_blob.slice_table(table, start, start + LOOK_SAMPLES[table.kind])
            return make_window(part, read_samples(source, part), shift=0)

        try:
            window = await anyio.to_thread.run_sync(cut)
            return await media.look(window, kind=table.kind)  # type: ignore[arg-type]
        except UnreadableMedia:
            continue
    return None


def _generation_id(secret: bytes, video: VideoId, document: bytes) -> GenerationId:
    """Name plan + arguments + build: the same plan has the same name, and nobody can guess it."""
    mac = hmac.new(secret, video.encode() + b"\0" + document, hashlib.sha256)
    return GenerationId(mac.hexdigest()[:32])


async def _store_indexes(
    video: VideoId, generation: GenerationId, plan: Plan, index: SourceIndex, *, blobs: Blobs
) -> dict[int, int]:
    used = {audio.source_track for audio in plan.audio}
    if plan.video:
        used.add(plan.video.source_track)
    sizes: dict[int, int] = {}
    for table in index.tracks:
        if table.number in used:
            packed = await anyio.to_thread.run_sync(index_blob.pack, table)
            key = sample_index_key(video, generation, table.number)
            sizes[table.number] = (await blobs.put_absent(key, packed)).size
    return sizes


def starting_tracks(plan: Plan) -> list[TrackId]:
    """Return what playback starts with: the source rung if copied, else the lowest; and sound."""
    tracks: list[TrackId] = []
    if plan.video:
        copied = [rung for rung in plan.video.rungs if rung.copy]
        tracks.append((copied or plan.video.rungs)[0].id)
    if plan.audio:
        default = next((audio for audio in plan.audio if audio.default), plan.audio[0])
        tracks.append(default.renditions[0].id)
    return tracks


async def _store_start(
    material: Material, *, blobs: Blobs, media: Media
) -> tuple[dict[TrackId, dict[int, int]], set[TrackId]]:
    """Store what playback starts with; return the sizes of its segments, and which is damaged."""
    stored: dict[TrackId, dict[int, int]] = {}
    damaged: set[TrackId] = set()

    async def start(track: TrackId) -> None:
        init = await make_init(material, track, media=media)
        await blobs.put_absent(init_key(material.video, material.generation, track), init)
        made = await make_segments(material, [track], 0, media=media, urgent=True)
        key = segment_key(material.video, material.generation, track, 0)
        stored[track] = {0: (await blobs.put_absent(key, made[track].body)).size}
        if made[track].damaged:
            damaged.add(track)

    await each(starting_tracks(material.plan), start)
    return stored, damaged
