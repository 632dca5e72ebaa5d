"""What only a folder can do: fill up, keep drafts, be cold, be damaged."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from xxhash import xxh3_128

from headwater.engines.blobs import aligned, filesystem
from headwater.engines.blobs.draft import FOOTER_BYTES
from headwater.engines.blobs.filesystem import FileBlobs
from headwater.engines.blobs.parts import checked
from headwater.engines.blobs.port import BlobKey, chunks_of
from headwater.model.errors import (
    ChecksumMismatch,
    Forbidden,
    StorageFull,
    TooLarge,
    Unavailable,
)

pytestmark = pytest.mark.anyio

MIB = 1 << 20


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_full_disk_refuses_and_keeps(small_disk: Path, *, streamed: bool) -> None:
    """What was there stays, what did not fit leaves no bytes, and less still fits after it."""
    blobs = FileBlobs(small_disk, secret=b"")

    async def body() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield bytes(MIB)

    await blobs.put_absent(BlobKey("a"), b"kept")
    with pytest.raises(StorageFull):
        await blobs.put_absent(BlobKey("b"), body() if streamed else bytes(5 * MIB))

    assert files(small_disk) == ["blobs/a"]
    assert (await blobs.stat(BlobKey("a"))).size == 4
    assert (await blobs.put_absent(BlobKey("b"), bytes(MIB))).won
    blobs.close()


@pytest.mark.parametrize("sector", [aligned.SECTOR_BYTES, 1])
async def test_long_blobs_are_whole_however_they_are_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sector: int
) -> None:
    """Also where direct writes are refused: here, because they begin and end anywhere."""
    monkeypatch.setattr(aligned, "SECTOR_BYTES", sector)
    blobs = FileBlobs(tmp_path, secret=b"")
    text = os.urandom(5 * MIB + 7)
    for size in (MIB - 1, MIB, MIB + 1, 3 * MIB + 5, len(text)):

        async def body(size: int = size) -> AsyncIterator[bytes]:
            for start in range(0, len(text), size):
                yield text[start : start + size]

        key = BlobKey(f"every/{size}")
        stored = await blobs.put_absent(key, body())
        assert (stored.size, stored.etag) == (len(text), xxh3_128(text).hexdigest())
        assert b"".join([chunk async for chunk in chunks_of(blobs, key)]) == text
    blobs.close()


async def test_drafts_of_the_dead_go_and_of_the_living_stay(tmp_path: Path) -> None:
    """Opening the store removes what nobody will finish."""
    living = FileBlobs(tmp_path, secret=b"")
    dead = tmp_path / "drafts" / "dead"
    dead.mkdir()
    (dead / "draft").write_bytes(b"half")

    async def body() -> AsyncIterator[bytes]:
        yield bytes(2 * MIB)
        FileBlobs(tmp_path, secret=b"").close()
        yield b"end"

    assert (await living.put_absent(BlobKey("a"), body())).won
    assert files(tmp_path) == ["blobs/a"]
    living.close()
    assert list((tmp_path / "drafts").iterdir()) == []


async def test_a_folder_that_another_process_removed_is_made_durable_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name was on the disk once, and is not any more."""
    synced: list[str] = []
    sync = filesystem._sync

    def keep(folder: str) -> None:
        synced.append(Path(folder).name)
        sync(folder)

    monkeypatch.setattr(filesystem, "_sync", keep)
    blobs, other = FileBlobs(tmp_path, secret=b""), FileBlobs(tmp_path, secret=b"")
    for number in range(2):
        await blobs.put_absent(BlobKey(f"v/g/{number}"), b"segment")
    assert synced == ["g", "v", "blobs", "g"]

    for number in range(2):
        await other.delete(BlobKey(f"v/g/{number}"))
    synced.clear()
    await blobs.put_absent(BlobKey("v/g/2"), b"segment")

    assert synced == ["g", "v", "blobs"]
    blobs.close()
    other.close()


async def test_cold_pages_come_through_a_thread(tmp_path: Path) -> None:
    """Reading is right whatever part of the file is in memory."""
    blobs = FileBlobs(tmp_path, secret=b"")
    text = os.urandom(3 * MIB + 5)
    await blobs.put_absent(BlobKey("a"), text)
    descriptor = os.open(tmp_path / "blobs" / "a", os.O_RDONLY)
    for start, size in ((0, 0), (MIB, MIB), (4096, 100_000)):
        os.posix_fadvise(descriptor, start, size, os.POSIX_FADV_DONTNEED)
        assert b"".join([chunk async for chunk in chunks_of(blobs, BlobKey("a"))]) == text
    os.close(descriptor)
    blobs.close()


async def test_an_end_that_is_half_in_memory_is_not_taken_for_damage(tmp_path: Path) -> None:
    """What follows the bytes in the file lies on two pages here, the second of them cold."""
    blobs = FileBlobs(tmp_path, secret=b"")
    page = os.sysconf("SC_PAGE_SIZE")
    text = os.urandom(2 * page - 20)
    stored = await blobs.put_absent(BlobKey("a"), text)
    descriptor = os.open(tmp_path / "blobs" / "a", os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
    os.posix_fadvise(descriptor, 2 * page, 0, os.POSIX_FADV_DONTNEED)

    assert (await blobs.stat(BlobKey("a"))).etag == stored.etag
    os.close(descriptor)
    blobs.close()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_leaving_early_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelled at any moment, by scopes that cancel until their task has left.

    Where the kernel cannot say what is in memory, every opening asks a thread.
    """
    monkeypatch.setattr("headwater.engines.blobs.opened.open_cached", lambda _path: None)
    blobs = FileBlobs(tmp_path, secret=b"")
    await blobs.put_absent(BlobKey("a"), bytes(MIB))
    before = open_files()

    async def read() -> None:
        async for _ in chunks_of(blobs, BlobKey("a")):
            await asyncio.sleep(0)

    for steps in range(12):
        async with anyio.create_task_group() as group:
            group.start_soon(read)
            for _ in range(steps):
                await asyncio.sleep(0)
            group.cancel_scope.cancel()
    blobs.close()
    for _ in range(3):  # what a thread had opened is closed by the loop
        await asyncio.sleep(0)
    assert open_files() < before


@pytest.mark.parametrize("cut", [1, FOOTER_BYTES, FOOTER_BYTES + 5])
async def test_damage_is_told(tmp_path: Path, cut: int) -> None:
    """A file whose end is missing is an error of the store, not somebody else's bytes."""
    blobs = FileBlobs(tmp_path, secret=b"")
    await blobs.put_absent(BlobKey("a"), b"segment")
    os.truncate(tmp_path / "blobs" / "a", len(b"segment") + FOOTER_BYTES - cut)
    with pytest.raises(Unavailable):
        await blobs.stat(BlobKey("a"))
    blobs.close()


async def test_a_signed_part_is_put_as_signed(tmp_path: Path) -> None:
    """Its address holds for that key, length, checksum and time, and for nothing else."""
    blobs = FileBlobs(tmp_path, secret=b"secret", part_base="http://here/parts")
    checksum = hashlib.sha256(b"part").hexdigest()
    ticket = await blobs.part_url(BlobKey("u/1"), length=4, checksum=checksum, expires_at=100.0)
    path, _, text = ticket.url.partition("?")
    query = dict(pair.split("=") for pair in text.split("&"))

    assert path == "http://here/parts/u/1"
    part = blobs.parts.verify("u/1", query, now=99.0)
    for key, changed, now in [
        ("u/2", query, 99.0),
        ("u/1", query, 100.0),
        ("u/1", query | {"length": "5"}, 99.0),
        ("u/1", query | {"expires": "200"}, 99.0),
        ("u/1", query | {"signature": "é"}, 99.0),
        ("u/1", {}, 99.0),
    ]:
        with pytest.raises(Forbidden):
            blobs.parts.verify(key, changed, now=now)

    async def body(*chunks: bytes) -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    with pytest.raises(TooLarge):
        await blobs.put_absent(part.key, checked(body(b"par", b"ts"), part))
    for wrong in (b"par", b"pART"):
        with pytest.raises(ChecksumMismatch):
            await blobs.put_absent(part.key, checked(body(wrong), part))
    assert (await blobs.put_absent(part.key, checked(body(b"pa", b"rt"), part))).won
    blobs.close()
