"""How bytes flow: one part is flushed while the next arrives, and memory stays small."""

from collections.abc import AsyncIterable, AsyncIterator

import anyio
import pytest

from headwater.engines.blobs.port import BlobKey, Blobs, Stored
from headwater.uploads import appending
from headwater.uploads.inbox import BLOCK_BYTES
from tests.support.databases import KINDS
from tests.uploads.system import System, until

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("kept_in", KINDS, indirect=True)]
CHUNK = bytes(64 << 10)


class SlowDisk:
    """A real store whose flushes wait until the test lets them end."""

    def __init__(self, store: Blobs) -> None:
        self._store = store
        self.flushing = 0
        self.gate = anyio.Event()

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def put_absent(self, key: BlobKey, body: AsyncIterable[bytes] | bytes) -> Stored:
        stored = await self._store.put_absent(key, body)
        self.flushing += 1
        await self.gate.wait()
        return stored


class StuckDisk(SlowDisk):
    """A store that takes no byte until the test lets it."""

    async def put_absent(self, key: BlobKey, body: AsyncIterable[bytes] | bytes) -> Stored:
        await self.gate.wait()
        return await self._store.put_absent(key, body)


class Counted:
    """A body of *size* bytes that knows how many were asked for."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.sent = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.sent < self._size:
            self.sent += len(CHUNK)
            await anyio.lowlevel.checkpoint()
            yield CHUNK


async def test_the_next_part_arrives_while_one_is_flushed(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But the one after that waits: two parts are on their way at most, none counts early."""
    monkeypatch.setattr(appending, "PART_BYTES", 1 << 20)
    disk = SlowDisk(system.blobs)
    system.use(blobs=disk)
    size = 5 << 20
    upload = await system.create(size)
    sent = Counted(size)

    async with anyio.create_task_group() as group:
        group.start_soon(append, system, upload.id, sent)
        await until(lambda: disk.flushing == 1)
        await until(lambda: sent.sent >= 2 << 20)
        await anyio.wait_all_tasks_blocked()
        assert disk.flushing == 1
        assert sent.sent <= (2 << 20) + 3 * BLOCK_BYTES
        assert await system.offset(upload.id) == 0
        disk.gate.set()
    assert await system.offset(upload.id) == size


async def append(system: System, upload: str, sent: Counted) -> None:
    await system.ask("uploads.append", upload_id=upload, offset=0, body=sent)


async def test_a_stuck_disk_stops_the_reader(system: System) -> None:
    """A few blocks are read ahead, not the whole body."""
    disk = StuckDisk(system.blobs)
    system.use(blobs=disk)
    size = 30 << 20
    upload = await system.create(size)
    sent = Counted(size)

    async with anyio.create_task_group() as group:
        group.start_soon(append, system, upload.id, sent)
        await until(lambda: sent.sent >= 2 * BLOCK_BYTES)
        await anyio.wait_all_tasks_blocked()
        assert sent.sent <= 6 * BLOCK_BYTES
        disk.gate.set()
    assert await system.offset(upload.id) == size


async def test_a_slow_line_is_stored_now_and_then(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part is never older than its time, however little of it there is."""
    monkeypatch.setattr(appending, "PART_S", 0.1)
    monkeypatch.setattr(appending, "SILENCE_S", 0.05)
    upload = await system.create(1000)
    offsets: set[int] = set()

    async def trickle() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield bytes(10)
            await anyio.sleep(0.01)
            offsets.add(await system.offset(upload.id))

    await system.ask("uploads.append", upload_id=upload.id, offset=0, body=trickle())
    assert await system.offset(upload.id) == 1000
    assert len(offsets) > 3
