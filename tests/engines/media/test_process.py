"""A codec process is fed, read, limited and reaped; nothing outlives its call."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from headwater.engines.media.probe_sandbox import sandboxed
from headwater.engines.media.process import Codec, Finished, Limits, run, stream
from headwater.model.errors import CodecFailed
from tests.support.clips import FFMPEG

pytestmark = pytest.mark.anyio

ENOUGH = Limits(wall_s=30, cpu_s=20, output_bytes=64 << 20)
ENDLESS = ["-loglevel", "error", "-f", "lavfi", "-i", "testsrc2=s=64x48", "-f", "rawvideo"]
ECHO = ["-loglevel", "error", "-f", "data", "-i", "pipe:0", "-map", "0", "-c", "copy"]


@pytest.fixture(scope="module")
def codec() -> Codec:
    return sandboxed(FFMPEG)


def children() -> set[int]:
    """Return the processes that this one has started and not yet waited for."""
    tasks = Path("/proc/self/task").glob("*/children")
    return {int(pid) for task in tasks for pid in task.read_text().split()}


@pytest.fixture(autouse=True)
def _leaves_nothing_behind() -> object:
    before, opened = children(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    yield None
    assert children() <= before
    assert len(os.listdir("/proc/self/fd")) <= opened + 1  # noqa: PTH208


async def test_large_input_and_output_flow_at_once(codec: Codec) -> None:
    """More than any pipe holds goes in and comes out, on two outputs, without a deadlock."""
    body = os.urandom(8 << 20)
    command = [*ECHO, "-f", "data", "pipe:3", "-map", "0", "-c", "copy", "-f", "data", "pipe:4"]

    finished = await run(codec, command, body=body, outputs=2, limits=ENOUGH)

    assert finished.status == 0
    assert finished.outputs == [body, body]


async def test_a_process_that_reads_nothing_does_not_hold_its_feeder(codec: Codec) -> None:
    finished = await run(codec, ["-version"], body=bytes(4 << 20), outputs=1, limits=ENOUGH)

    assert b"ffmpeg version" in finished.errors


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(wall_s=0.5, cpu_s=20, output_bytes=1 << 40), "longer than 0.5 s"),
        (Limits(wall_s=30, cpu_s=20, output_bytes=1 << 20), "wrote more"),
        (Limits(wall_s=30, cpu_s=1, output_bytes=1 << 40), "killed: out of processor time"),
    ],
)
async def test_a_broken_limit_kills(limits: Limits, reason: str, codec: Codec) -> None:
    with pytest.raises(CodecFailed, match=reason):
        await run(codec, [*ENDLESS, "pipe:3"], body=b"", outputs=1, limits=limits)


async def test_memory_is_limited(codec: Codec) -> None:
    """A picture that needs more memory than allowed fails; the machine does not."""
    limits = Limits(wall_s=30, cpu_s=20, output_bytes=1 << 30, memory_bytes=400 << 20)
    huge = ["-f", "lavfi", "-i", "color=s=16000x16000", "-frames:v", "1", "-f", "rawvideo"]

    finished = await run(codec, [*huge, "pipe:3"], body=b"", outputs=1, limits=limits)

    assert finished.outputs == [b""]
    assert finished.status or b"Cannot allocate memory" in finished.errors


async def test_cancelling_kills_at_once(codec: Codec) -> None:
    with anyio.move_on_after(0.3) as scope:
        await run(
            codec,
            [*ENDLESS, "pipe:3"],
            body=b"",
            outputs=1,
            limits=Limits(wall_s=30, cpu_s=20, output_bytes=1 << 40),
        )
    assert scope.cancelled_caught


async def test_a_killed_process_is_a_failure(codec: Codec) -> None:
    """Whoever kills it, its caller is told and nothing half-made is returned."""

    async def kill_it() -> None:
        before = children()
        with anyio.fail_after(20):
            while not (found := children() - before):  # noqa: ASYNC110
                await anyio.sleep(0.01)
        os.kill(found.pop(), signal.SIGKILL)

    async with asyncio.TaskGroup() as tasks:
        killing = tasks.create_task(kill_it())
        await asyncio.sleep(0)
        with pytest.raises(CodecFailed, match="killed"):
            await run(
                codec,
                [*ENDLESS, "pipe:3"],
                body=b"",
                outputs=1,
                limits=Limits(wall_s=30, cpu_s=20, output_bytes=1 << 40),
            )
        await killing


async def test_only_the_end_of_its_talk_is_kept(codec: Codec) -> None:
    command = ["-loglevel", "debug", "-f", "lavfi", "-i", "testsrc2=s=64x48", "-vf", "showinfo"]

    finished = await run(
        codec,
        [*command, "-frames:v", "900", "-f", "null", "-"],
        body=b"",
        outputs=0,
        limits=ENOUGH,
    )

    assert finished.status == 0
    assert len(finished.errors) <= 128 << 10


async def test_a_program_that_is_not_there_says_so() -> None:
    codec = sandboxed(FFMPEG)
    gone = Codec(program="/nowhere/ffmpeg", sandbox=codec.sandbox)

    with pytest.raises(CodecFailed, match="could not be started"):
        await run(gone, ["-version"], body=b"", outputs=0, limits=ENOUGH)


async def slowly(size: int) -> AsyncIterator[bytes]:
    for _ in range(size):
        yield bytes(100_000)
        await anyio.lowlevel.checkpoint()


async def test_a_stream_that_its_reader_leaves_ends(codec: Codec) -> None:
    command = [*ECHO, "-flush_packets", "1", "-f", "data", "pipe:3"]

    chunks = stream(codec, command, body=slowly(10_000), limits=ENOUGH, finished=[])
    async for _ in chunks:
        break
    await chunks.aclose()  # type: ignore[attr-defined]


async def test_a_stream_tells_how_it_ended(codec: Codec) -> None:
    ended: list[Finished] = []
    command = [*ECHO, "-f", "data", "pipe:3"]

    size = 0
    async for chunk in stream(codec, command, body=slowly(50), limits=ENOUGH, finished=ended):
        size += len(chunk)

    assert size == 5_000_000
    assert [one.status for one in ended] == [0]


async def test_a_stream_passes_on_what_its_source_raises(codec: Codec) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(1000)
        raise LookupError

    with pytest.raises(LookupError):
        async for _ in stream(
            codec, [*ECHO, "-f", "data", "pipe:3"], body=broken(), limits=ENOUGH, finished=[]
        ):
            pass
