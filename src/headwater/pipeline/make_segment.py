"""Making: segment = make(source, plan, track, index), init = make(plan, track).

Pure in its result: the same arguments give the same bytes, whoever asks and whatever is made with
them. Nothing here knows of leases, rows or requests.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import anyio

from headwater.containers.h264 import carries_other_parameters
from headwater.containers.isobmff import write
from headwater.engines.media.port import Encoded, EncodedSample, Media, Window
from headwater.model.errors import CannotCopy, CodecFailed, UnreadableMedia
from headwater.model.ids import TrackId
from headwater.model.plan import (
    SAMPLES_PER_AAC_FRAME,
    AudioPlan,
    Rendition,
    Rung,
    VideoPlan,
)
from headwater.pipeline.material import Material

SILENCE = Window(demuxer="mov", body=b"", base=0, timescale=1)
LOOK_BACK = 3  # segments that are searched for a picture to stand for those that cannot be decoded


@dataclass(frozen=True, slots=True)
class Made:
    """A finished segment; *damaged* when the source could not be decoded whole there."""

    body: bytes
    damaged: bool


async def make_segments(
    material: Material, tracks: Sequence[TrackId], index: int, *, media: Media, urgent: bool
) -> dict[TrackId, Made]:
    """Make segment *index* of each of *tracks*, decoding the source once for all encoded rungs.

    Raises:
        CannotCopy: the plan says to copy what cannot be copied.
        CodecFailed: an encoder died or broke a limit; nothing may be remembered.
    """
    video = material.plan.video
    made: dict[TrackId, Made] = {}
    rungs = [rung for track in tracks if (rung := material.plan.rung(track))]
    for rung in rungs:
        if rung.copy and video:
            made[rung.id] = await _copied(material, video, index, media=media, urgent=urgent)
    encoded = [rung for rung in rungs if not rung.copy]
    if encoded and video:
        made.update(
            await _encode_video(material, video, encoded, index, media=media, urgent=urgent)
        )
    for track in tracks:
        if found := material.plan.rendition(track):
            audio, rendition = found
            made[track] = await _make_audio(
                material, audio, rendition, index, media=media, urgent=urgent
            )
    return made


async def make_init(material: Material, track: TrackId, *, media: Media) -> bytes:
    """Make the init segment of *track* from the plan alone (a copy's: from its stored header)."""
    plan = material.plan
    rung = plan.rung(track)
    if rung and plan.video:
        avcc = await _video_config(material, plan.video, rung, media=media)
        return write.video_init(
            width=rung.width,
            height=rung.height,
            timescale=plan.video.timescale,
            avcc=avcc,
            sample_aspect=(1, 1),
            colour=plan.video.colour_of(rung),
        )
    found = plan.rendition(track)
    assert found is not None
    audio, rendition = found
    return write.audio_init(
        sample_rate=rendition.sample_rate,
        channels=rendition.channels,
        asc=await _audio_config(material, audio, rendition),
        language=audio.language,
        bitrate=rendition.bitrate_bps,
    )


async def _video_config(material: Material, video: VideoPlan, rung: Rung, *, media: Media) -> bytes:
    if rung.copy:
        lo = video.owns[0][0]
        table = await anyio.to_thread.run_sync(material.samples, video.source_track, lo, lo + 1)
        return table.config
    return (await media.blank_video(video=video, rung=rung)).config


async def _audio_config(material: Material, audio: AudioPlan, rendition: Rendition) -> bytes:
    if rendition.copy:
        lo = rendition.windows[0][0]
        table = await anyio.to_thread.run_sync(material.samples, audio.source_track, lo, lo + 1)
        return table.config
    return audio_specific_config(rendition)


def audio_specific_config(rendition: Rendition) -> bytes:
    """Return the AudioSpecificConfig of AAC-LC (ISO/IEC 14496-3 §1.6.2.1) for *rendition*."""
    rates = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000]
    channel_configuration = 7 if rendition.channels == 8 else rendition.channels  # table 1.19
    word = 2 << 11 | rates.index(rendition.sample_rate) << 7 | channel_configuration << 3
    return word.to_bytes(2, "big")


async def _copied(
    material: Material, video: VideoPlan, index: int, *, media: Media, urgent: bool
) -> Made:
    """Copy a segment. Where no rung is encoded nobody else would see its damage: it is decoded."""
    made = await anyio.to_thread.run_sync(_copy_video, material, video, index)
    if not all(rung.copy for rung in video.rungs):
        return made
    window = await anyio.to_thread.run_sync(
        lambda: material.window(video.source_track, *video.owns[index], shift=video.shift)
    )
    try:
        complaints = await media.decode(window, urgent=urgent)
    except CodecFailed:  # which says nothing of the copy: it needs no codec
        return made
    return Made(made.body, damaged=bool(complaints))


def _copy_video(material: Material, video: VideoPlan, index: int) -> Made:
    table = material.samples(video.source_track, *video.owns[index])
    try:
        payload = [table.prefix + sample for sample in material.payload(table)]
    except UnreadableMedia as error:
        raise CannotCopy(str(error)) from None
    if carries_other_parameters(table.config, payload):
        raise CannotCopy("The source changes its H.264 parameters inside the stream.")
    samples = [
        EncodedSample(pts - video.shift, sync, data)
        for pts, sync, data in zip(table.pts.tolist(), table.sync.tolist(), payload, strict=True)
    ]
    return Made(_video_segment(samples, video, index), damaged=False)


async def _encode_video(
    material: Material,
    video: VideoPlan,
    rungs: list[Rung],
    index: int,
    *,
    media: Media,
    urgent: bool,
) -> dict[TrackId, Made]:
    outputs = await _decode(material, video, rungs, index, media=media, urgent=urgent)
    lacking = [rung for rung in rungs if not outputs[rung.id].samples]
    if lacking:
        outputs |= await _last_good(material, video, lacking, index, media=media, urgent=urgent)
    made: dict[TrackId, Made] = {}
    for rung in rungs:
        output = outputs[rung.id]
        one = await finish_video(video, rung, output, index, media=media)
        made[rung.id] = Made(one.body, damaged=one.damaged or rung in lacking)
    return made


async def finish_video(
    video: VideoPlan, rung: Rung, output: Encoded, index: int, *, media: Media
) -> Made:
    """Write what was encoded of segment *index* as the segment it is.

    Raises:
        CodecFailed: its parameters are not those of the rung's init.
    """
    blank = await media.blank_video(video=video, rung=rung)
    if output.config != blank.config:
        raise CodecFailed(f"{rung.id}/{index}: the encoder's parameters differ from the init's")
    expected = -(-video.frames[index] // rung.frame_step)
    damaged = bool(output.errors) or len(output.samples) < expected
    return Made(_video_segment(output.samples, video, index), damaged=damaged)


async def _decode(
    material: Material,
    video: VideoPlan,
    rungs: Sequence[Rung],
    index: int,
    *,
    start: int | None = None,
    media: Media,
    urgent: bool,
) -> dict[str, Encoded]:
    """Encode what decodes of segment *index*, from *start* on; what cannot be read is nothing."""
    try:
        window = await anyio.to_thread.run_sync(
            lambda: material.window(video.source_track, *video.windows[index], shift=video.shift)
        )
    except UnreadableMedia as error:
        return {rung.id: Encoded(b"", [], [str(error)]) for rung in rungs}
    return await media.encode_video(
        window,
        video=video,
        start=video.cuts[index] if start is None else start,
        stop=video.cuts[index + 1],
        rungs=rungs,
        urgent=urgent,
    )


async def _last_good(
    material: Material,
    video: VideoPlan,
    rungs: Sequence[Rung],
    index: int,
    *,
    media: Media,
    urgent: bool,
) -> dict[str, Encoded]:
    """Return one picture for each of *rungs*: the last that decodes before segment *index*.

    Black where nothing does in LOOK_BACK segments. It depends on the source alone, as everything
    here does: what the store happens to hold is not asked.
    """
    lowest = next(rung for rung in video.rungs if not rung.copy)
    for earlier in range(index - 1, max(-1, index - 1 - LOOK_BACK), -1):
        seen = await _decode(material, video, [lowest], earlier, media=media, urgent=urgent)
        if not (samples := seen[lowest.id].samples):
            continue
        last = max(sample.pts for sample in samples)
        stills = await _decode(
            material, video, rungs, earlier, start=last, media=media, urgent=urgent
        )
        return {
            track: Encoded(still.config, [_moved(still.samples[0], video.cuts[index])], [])
            for track, still in stills.items()
        }
    blanks = {rung.id: await media.blank_video(video=video, rung=rung) for rung in rungs}
    return {
        track: Encoded(blank.config, [_moved(blank.samples[0], video.cuts[index])], [])
        for track, blank in blanks.items()
    }


def _moved(sample: EncodedSample, pts: int) -> EncodedSample:
    return EncodedSample(pts, sample.sync, sample.data)


def _video_segment(samples: Sequence[EncodedSample], video: VideoPlan, index: int) -> bytes:
    """Write one video segment: decode times are the sorted presentation times, from the cut on."""
    start, stop = video.cuts[index], video.cuts[index + 1]
    order = sorted(sample.pts for sample in samples)
    earliest = order[0]
    order[0] = start  # a damaged start shows its first picture early rather than leaving a hole
    durations = [after - now for now, after in zip(order, [*order[1:], stop], strict=True)]
    rows = [
        (
            duration,
            (start if sample.pts == earliest else sample.pts) - decode,
            sample.sync,
            len(sample.data),
        )
        for sample, decode, duration in zip(samples, order, durations, strict=True)
    ]
    return write.segment(
        sequence=index + 1,
        decode_time=start,
        samples=rows,
        payload=[sample.data for sample in samples],
    )


async def _make_audio(
    material: Material,
    audio: AudioPlan,
    rendition: Rendition,
    index: int,
    *,
    media: Media,
    urgent: bool,
) -> Made:
    start, stop = rendition.cuts[index], rendition.cuts[index + 1]
    lo, hi = rendition.windows[index]
    damaged = False
    if rendition.copy:

        def read() -> list[bytes]:
            table = material.samples(audio.source_track, lo, hi)
            return [table.prefix + sample for sample in material.payload(table)]

        payload = await anyio.to_thread.run_sync(read)
    else:
        try:
            window = (
                SILENCE
                if lo == hi
                else await anyio.to_thread.run_sync(
                    lambda: material.window(audio.source_track, lo, hi, shift=audio.shift)
                )
            )
        except UnreadableMedia:
            window, damaged = SILENCE, True
        output = await media.encode_audio(
            window,
            rendition=rendition,
            at=rendition.starts[index],
            start=start,
            stop=stop,
            urgent=urgent,
        )
        payload = [sample.data for sample in output.samples]
        damaged = damaged or bool(output.errors)
    body = write.segment(
        sequence=index + 1,
        decode_time=start,
        samples=[(SAMPLES_PER_AAC_FRAME, 0, True, len(data)) for data in payload],
        payload=payload,
    )
    return Made(body, damaged=damaged)
