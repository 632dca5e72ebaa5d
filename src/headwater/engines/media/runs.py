"""A run: one forward pass over a long GOP, its segments handed out as they are done.

Every rung is an output of one process. Each fragment of an output is a segment: fragments begin at
keyframes, and keyframes are forced at the cuts and nowhere else.
"""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence

from headwater.containers.isobmff.fragments import read_encoded
from headwater.engines.media import arguments, text
from headwater.engines.media.port import Encoded, EncodedSample, LongWindow
from headwater.engines.media.process import Codec, CodecProcess, Limits, check_status
from headwater.model.errors import CodecFailed
from headwater.model.plan import Rung, VideoPlan

LIMITS = Limits(wall_s=48 * 3600, cpu_s=48 * 3600, output_bytes=1 << 40)
WAITING = 4  # finished segments that wait to be stored before the encoder has to

Done = tuple[str, int, Encoded]


async def encode_run(
    codec: Codec,
    window: LongWindow,
    *,
    video: VideoPlan,
    cuts: Sequence[int],
    rungs: Sequence[Rung],
    urgent: bool,
) -> AsyncIterator[Done]:
    """See engines/media/port.py."""
    start, stop = cuts[0], cuts[-1]
    command = arguments.video_arguments(
        window,
        video=video,
        start=start,
        stop=stop,
        rungs=rungs,
        threads=2 if urgent else 1,
        inner_cuts=cuts[1:-1],
    )
    earlier = start - arguments.lead_ticks(start, stop, window.timescale)
    process = CodecProcess(codec, command, outputs=len(rungs), limits=LIMITS, background=not urgent)
    done: asyncio.Queue[Done | None] = asyncio.Queue(WAITING)

    async def collect(number: int) -> None:
        async for data in _fragments(process, number):
            config, _, rows = read_encoded(data)
            samples = [EncodedSample(pts + earlier, sync, body) for pts, sync, body in rows]
            index = bisect_right(cuts, min(sample.pts for sample in samples)) - 1
            errors = text.damage(bytes(process.errors))
            await done.put((rungs[number].id, index, Encoded(config, samples, errors)))
        await done.put(None)

    tasks = [
        asyncio.create_task(process.feed(window.body)),
        asyncio.create_task(process.collect_errors()),
        *(asyncio.create_task(collect(number)) for number in range(len(rungs))),
    ]
    try:
        open_outputs = len(rungs)
        while open_outputs:
            item = await done.get()
            if item is None:
                open_outputs -= 1
            else:
                yield item
        status = await process.wait()
        check_status(process, status)
        text.check(status, bytes(process.errors))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await process.end()
    for task in tasks:
        if not task.cancelled() and (error := task.exception()):
            raise CodecFailed("The codec's output could not be read.") from error


async def _fragments(process: CodecProcess, number: int) -> AsyncIterator[bytes]:
    """Yield each fragment of an output as a small whole file: ftyp and moov, moof and mdat."""
    head, piece, pending = b"", b"", bytearray()
    async for chunk in process.chunks(number):
        pending += chunk
        while len(pending) >= 8 and len(pending) >= (size := _box_size(pending)):
            box, kind = bytes(pending[:size]), bytes(pending[4:8])
            del pending[:size]
            if kind in {b"ftyp", b"moov"}:
                head += box
            else:
                piece += box
            if kind == b"mdat":
                yield head + piece
                piece = b""


def _box_size(data: bytearray) -> int:
    """Return the size of the box *data* begins with (ISO/IEC 14496-12 §4.2)."""
    size = int.from_bytes(data[:4], "big")
    if size == 1:
        return int.from_bytes(data[8:16], "big") if len(data) >= 16 else 16
    return max(size, 8)
