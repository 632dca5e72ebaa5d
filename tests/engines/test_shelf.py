"""Blobs that are kept open: for how long, how many, and what becomes of deleted ones."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from headwater.engines.blobs import shelf
from headwater.engines.blobs.filesystem import FileBlobs
from headwater.engines.blobs.port import BlobKey
from headwater.model.errors import BlobNotFound

pytestmark = pytest.mark.anyio
KEY = BlobKey("v/g/v720/0")
SOON_S = 10.0


@pytest.fixture
async def blobs(tmp_path: Path) -> AsyncIterator[FileBlobs]:
    opened = FileBlobs(tmp_path, secret=b"")
    await opened.put_absent(KEY, b"segment")
    yield opened
    opened.close()


def open_files(folder: Path) -> int:
    found = 0
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # what lists them is one of them
            found += str(link.readlink()).startswith(f"{folder}/blobs/")
    return found


async def test_one_descriptor_for_all_readers(blobs: FileBlobs, tmp_path: Path) -> None:
    """Closed by the last of them once it is deleted, and not before."""
    first, second = await blobs.open(KEY), await blobs.open(KEY)
    first.close()
    assert open_files(tmp_path) == 1

    await blobs.delete(KEY)
    assert await second.read(0, 7) == b"segment"
    second.close()

    assert open_files(tmp_path) == 0
    with pytest.raises(BlobNotFound):
        await blobs.open(KEY)


async def test_what_was_deleted_while_it_was_opened_is_not_kept(blobs: FileBlobs) -> None:
    """Once delete() has returned nobody opens it, whoever did meanwhile."""
    for number in range(20):
        key = BlobKey(f"v/g/v720/{number}")
        await blobs.put_absent(key, b"segment")

        _, found = await asyncio.gather(blobs.delete(key), blobs.open(key), return_exceptions=True)

        with pytest.raises(BlobNotFound):
            await blobs.open(key)
        if not isinstance(found, BaseException):
            assert await found.read(0, 7) == b"segment"
            found.close()


async def test_what_another_process_deleted_is_not_opened_for_long(
    blobs: FileBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor are other bytes under the same key taken for it."""
    monkeypatch.setattr(shelf, "CHECKED_S", -1.0)
    (await blobs.open(KEY)).close()
    other = FileBlobs(tmp_path, secret=b"")
    await other.delete(KEY)
    with pytest.raises(BlobNotFound):
        await blobs.open(KEY)

    await other.put_absent(KEY, b"another")
    opened = await blobs.open(KEY)
    assert await opened.read(0, 7) == b"another"
    opened.close()
    other.close()


async def test_only_so_many_are_kept(
    blobs: FileBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "MOST", 3)
    for number in range(6):
        key = BlobKey(f"v/g/v720/{number}")
        await blobs.put_absent(key, b"segment")
        (await blobs.open(key)).close()

    assert open_files(tmp_path) == 3


async def test_what_nobody_reads_is_closed(
    blobs: FileBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By itself, though nobody asks for anything any more."""
    monkeypatch.setattr(shelf, "KEPT_S", 0.01)
    (await blobs.open(KEY)).close()

    async with asyncio.timeout(SOON_S):
        while open_files(tmp_path):  # noqa: ASYNC110 (a timer of the store ends it)
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("blobs")
async def test_closing_the_store_closes_them(tmp_path: Path) -> None:
    store = FileBlobs(tmp_path, secret=b"")
    (await store.open(KEY)).close()
    store.close()

    assert open_files(tmp_path) == 0
