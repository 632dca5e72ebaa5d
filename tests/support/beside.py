"""Another process with engines of its own: the second handle that tests speak to by lines.

Flow      a test says {"id", "do", …}; the process does it beside everything else it was told, and
          answers {"id", "said"} when it is done. Bytes travel as latin-1 text.
"""

import asyncio
import contextlib
import itertools
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parent.parent.parent
LINE_BYTES = 1 << 22
ENDED_S = 10.0
IN_TIME_S = 5.0  # a deadline of engines for what holds while they answer, on a busy machine

Do = Callable[..., Awaitable[Any]]


class Beside:
    """The process *child*, seen from the test."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._ids = itertools.count()
        self._reading = asyncio.ensure_future(self._read())

    def ask(self, do: str, **inputs: Any) -> "asyncio.Future[Any]":
        """Have it done; what is returned is the answer to come."""
        assert self._child.stdin is not None
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        self._child.stdin.write(msgspec.json.encode({"id": number, "do": do, **inputs}) + b"\n")
        return answer

    def kill(self) -> None:
        self._child.kill()

    async def _read(self) -> None:
        assert self._child.stdout is not None
        async for line in self._child.stdout:
            said = msgspec.json.decode(line)
            self._answers.pop(said["id"]).set_result(said["said"])
        for answer in self._answers.values():
            answer.cancel()  # it has ended

    async def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._child.kill()
        async with asyncio.timeout(ENDED_S):
            await self._child.wait()
            await self._reading


@asynccontextmanager
async def beside(module: str, *words: str) -> AsyncIterator[Beside]:
    """Run *module*, which calls serve(), beside the block."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_BYTES,
        cwd=ROOT,
    )
    running = Beside(child)
    try:
        yield running
    finally:
        await running.end()


async def serve(does: Mapping[str, Do]) -> None:
    """Answer what the test says until it ends."""
    answers = os.dup(1)
    os.dup2(2, 1)  # what is logged is no answer
    lines = asyncio.StreamReader(limit=LINE_BYTES)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    tasks = set()

    async def run(told: dict[str, Any]) -> None:
        number, do = told.pop("id"), does[told.pop("do")]
        said = await do(**told)
        os.write(answers, msgspec.json.encode({"id": number, "said": said}) + b"\n")

    async for line in lines:
        task = asyncio.create_task(run(msgspec.json.decode(line)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
