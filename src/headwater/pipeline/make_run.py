"""Runs: segments between keyframes that lie too far apart for a window each.

A screen recording may have one keyframe in an hour. Fed from it, every segment would cost all
before it; so one forward pass makes and stores each segment it comes by, and who asks for one
further on is told to come back.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence

import anyio

from headwater.containers import window as windows
from headwater.engines.media.port import LongWindow, Media
from headwater.model.ids import TrackId
from headwater.pipeline.make_segment import Made, finish_video
from headwater.pipeline.material import Material

BATCH_ROWS = 256  # samples read from the source at once: some megabytes


async def make_run(
    material: Material,
    tracks: Sequence[TrackId],
    segments: range,
    *,
    media: Media,
    urgent: bool,
) -> AsyncGenerator[tuple[TrackId, int, Made], None]:
    """Make *segments* of the encoded rungs *tracks* in one pass, yielding each as it is done.

    *segments* ends where its run does and may begin later than it: what comes before is decoded
    and left out.

    Raises:
        CodecFailed: the pass ended early; what was yielded stays good.
    """
    video = material.plan.video
    assert video is not None
    rungs = [rung for track in tracks if (rung := material.plan.rung(track)) and not rung.copy]
    lo = video.windows[segments[0]][0]
    hi = max(video.windows[segment][1] for segment in segments)
    table = await anyio.to_thread.run_sync(material.samples, video.source_track, lo, hi)

    def batches() -> Iterator[list[bytes]]:
        for at in range(0, hi - lo, BATCH_ROWS):
            part = material.samples(video.source_track, lo + at, min(lo + at + BATCH_ROWS, hi))
            yield material.payload(part)

    demuxer, pieces, base = windows.stream_window(table, batches())
    passing = media.encode_run(
        LongWindow(
            demuxer=demuxer,
            body=_in_threads(pieces),
            base=base - video.shift,
            timescale=table.timescale,
        ),
        video=video,
        cuts=video.cuts[segments[0] : segments[-1] + 2],
        rungs=rungs,
        urgent=urgent,
    )
    by_id = {rung.id: rung for rung in rungs}
    async for track, number, encoded in passing:
        rung = by_id[TrackId(track)]
        index = segments[number]
        yield rung.id, index, await finish_video(video, rung, encoded, index, media=media)


async def _in_threads(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Take each piece in a thread: it is read from the store."""
    end = b""
    while piece := await anyio.to_thread.run_sync(next, pieces, end):
        yield piece
