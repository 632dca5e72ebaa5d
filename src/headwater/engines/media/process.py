"""A codec process: started, fed, read, limited, reaped. The one home of subprocess.

The child is killed with its whole group when its caller is cancelled, when a deadline passes or a
limit is broken, and is always waited for: nothing outlives the call that started it.
"""

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

from headwater.model.errors import CodecFailed, Unavailable

ERRORS_BYTES = 64 << 10  # the end of standard error that is kept
CHUNK_BYTES = 256 << 10
PIPE_BYTES = 1 << 20  # Linux's limit without privileges
LAUNCHER = Path(__file__).with_name("launch.py")
NOT_LAUNCHED = 97  # launch.py: a layer of the sandbox could not be raised
REASONS = {
    signal.SIGKILL: "was killed: out of processor time, or of the machine's memory",
    signal.SIGSYS: "tried what its sandbox forbids",
    signal.SIGSEGV: "crashed",
    signal.SIGABRT: "crashed",
    signal.SIGBUS: "crashed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one run may use. *output_bytes* counts all outputs together."""

    wall_s: float
    cpu_s: int
    output_bytes: int
    memory_bytes: int = 6 << 30  # of address space: HDR of 4K with a whole ladder uses half of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """A program that may be started, and the sandbox it gets: orders of launch.py."""

    program: str
    sandbox: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Finished:
    """How a run ended by itself: its exit status, what each output gave, its last errors."""

    status: int
    outputs: list[bytes]
    errors: bytes


class CodecProcess:
    """One started process. Use *run* or *stream*."""

    def __init__(
        self,
        codec: Codec,
        arguments: Sequence[str],
        *,
        outputs: int,
        limits: Limits,
        background: bool,
    ) -> None:
        """Start it, from the event loop's thread: the child dies with the thread it sprang from."""
        self.limits = limits
        self.outputs = [bytearray() for _ in range(outputs)]
        self.errors = bytearray()
        self.broken = ""
        self._given = 0
        child: list[int] = []
        ours: list[int] = []
        try:
            for _ in range(outputs + 1):
                reading, writing = os.pipe2(os.O_CLOEXEC)
                ours.append(reading)
                child.append(writing)
            feeding, self._feed = os.pipe2(os.O_CLOEXEC)
            child.append(feeding)
            ours.append(self._feed)
            self._errors, *self._outputs = ours[:-1]
            for end in ours:
                os.set_blocking(end, False)
            for end in (self._feed, *self._outputs):
                fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
            self._popen = _spawn(codec, arguments, child, limits, background=background)
        except OSError as error:
            for end in ours:
                os.close(end)
            raise Unavailable(f"No codec process could be started: {error.strerror}.") from None
        finally:
            for end in child:
                os.close(end)
        self._pid_file = os.pidfd_open(self._popen.pid)

    async def feed(self, body: AsyncIterable[bytes]) -> None:
        """Write *body* to its standard input; a child that wants no more ends it early."""
        try:
            async for chunk in body:
                await self._write(memoryview(chunk))
        except BrokenPipeError:
            pass
        finally:
            os.close(self._feed)
            self._feed = -1

    async def _write(self, chunk: memoryview) -> None:
        while chunk:
            try:
                chunk = chunk[os.write(self._feed, chunk[:CHUNK_BYTES]) :]
            except BlockingIOError:
                await anyio.wait_writable(self._feed)

    async def collect(self, number: int) -> None:
        """Read output *number* whole."""
        async for chunk in self.chunks(number):
            self.outputs[number] += chunk

    async def chunks(self, number: int) -> AsyncIterator[bytes]:
        """Yield output *number* as it comes, until its end or until it broke its limit."""
        while chunk := await _read(self._outputs[number]):
            self._given += len(chunk)
            if self._given > self.limits.output_bytes:
                self.kill("wrote more than it may")
                return
            yield chunk

    async def collect_errors(self) -> None:
        while chunk := await _read(self._errors):
            self.errors += chunk
            if len(self.errors) > 2 * ERRORS_BYTES:
                del self.errors[:-ERRORS_BYTES]

    async def wait(self) -> int:
        """Return its exit status, negative for a signal."""
        await anyio.wait_readable(self._pid_file)
        return self._popen.wait()

    def kill(self, reason: str) -> None:
        """Kill its group and remember why; not an error when it has ended."""
        self.broken = self.broken or reason
        if self._popen.returncode is None:  # not reaped: its number cannot be another's
            os.killpg(self._popen.pid, signal.SIGKILL)

    async def end(self) -> None:
        """Kill what still runs, wait for it, give every descriptor back."""
        with anyio.CancelScope(shield=True):
            if self._popen.returncode is None:
                self.kill("was stopped")
                await self.wait()
        for end in (self._pid_file, self._errors, *self._outputs, self._feed):
            if end >= 0:
                os.close(end)


async def run(
    codec: Codec,
    arguments: Sequence[str],
    *,
    body: bytes,
    outputs: int,
    limits: Limits,
    background: bool = False,
) -> Finished:
    """Run the codec to its end, feeding *body* and reading everything at once.

    Raises:
        CodecFailed: killed by a signal or by a limit, or its sandbox could not be raised.
    """
    process = CodecProcess(codec, arguments, outputs=outputs, limits=limits, background=background)
    try:
        with _deadline(process):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(process.feed, _once(body))
                tasks.start_soon(process.collect_errors)
                for number in range(outputs):
                    tasks.start_soon(process.collect, number)
            status = await process.wait()
    finally:
        await process.end()
    check_status(process, status)
    return Finished(status, [bytes(output) for output in process.outputs], bytes(process.errors))


async def stream(
    codec: Codec,
    arguments: Sequence[str],
    *,
    body: AsyncIterable[bytes],
    limits: Limits,
    finished: list[Finished],
) -> AsyncIterator[bytes]:
    """Run the codec over a long *body*, yielding its one output as it comes.

    How it ended is appended to *finished* after the last chunk. Plain tasks and no task group: a
    generator that its reader leaves may be closed by another task than the one that started it.

    Raises:
        CodecFailed: as run.
    """
    process = CodecProcess(codec, arguments, outputs=1, limits=limits, background=True)
    feeding = asyncio.create_task(process.feed(body))
    talking = asyncio.create_task(process.collect_errors())
    try:
        with _deadline(process):
            async for chunk in process.chunks(0):
                yield chunk
            status = await process.wait()
            await talking
            if feeding.done():
                feeding.result()
    finally:
        feeding.cancel()
        talking.cancel()
        await asyncio.wait([feeding, talking])
        await process.end()
    check_status(process, status)
    finished.append(Finished(status, [], bytes(process.errors)))


@contextmanager
def _deadline(process: CodecProcess) -> Iterator[None]:
    """Kill the process when its wall time is over: its pipes end, and so do their readers."""
    limit = process.limits.wall_s
    loop = asyncio.get_running_loop()
    timer = loop.call_later(limit, process.kill, f"took longer than {limit:g} s")
    try:
        yield
    finally:
        timer.cancel()


def check_status(process: CodecProcess, status: int) -> None:
    """Raise CodecFailed unless the process ended by itself."""
    if process.broken:
        raise CodecFailed(f"The codec process {process.broken}.")
    if status < 0:
        reason = REASONS.get(signal.Signals(-status), f"died of signal {-status}")
        raise CodecFailed(f"The codec process {reason}.")
    if status == NOT_LAUNCHED:
        last = process.errors.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise CodecFailed(f"The codec process could not be started: {''.join(last)}")


def _spawn(
    codec: Codec,
    arguments: Sequence[str],
    child: list[int],
    limits: Limits,
    *,
    background: bool,
) -> "subprocess.Popen[bytes]":
    errors, *outputs, feeding = child
    orders = [
        *codec.sandbox,
        ("parent", os.getpid()),
        ("cpu_s", limits.cpu_s),
        ("memory_bytes", limits.memory_bytes),
        *(("output", output) for output in outputs),
        *((("background", ""),) if background else ()),
    ]
    said = "\n".join(f"{name}={value}" for name, value in orders)
    interpreter = os.path.realpath(sys.executable)  # a shim would start twice
    return subprocess.Popen(  # noqa: S603
        [interpreter, "-I", "-S", str(LAUNCHER), said, codec.program, *arguments],
        stdin=feeding,
        stdout=errors,  # what it prints there is talk; results go to pipes of their own
        stderr=errors,
        env={},
        cwd="/",
        pass_fds=outputs,
        start_new_session=True,
    )


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def _read(descriptor: int) -> bytes:
    while True:
        try:
            return os.read(descriptor, CHUNK_BYTES)
        except BlockingIOError:
            await anyio.wait_readable(descriptor)
