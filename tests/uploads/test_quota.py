"""What will not fit is refused before a byte is sent, and what was acknowledged stays."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from headwater.engines.blobs.filesystem import FileBlobs
from headwater.model.errors import StorageFull, TooLarge
from headwater.uploads import appending
from tests.support.disks import disk
from tests.uploads.system import ROOMY, System, open_system

pytestmark = pytest.mark.anyio
SMALL_BYTES = 6 << 20


@pytest.fixture
async def fresh(tmp_path: Path) -> "System":
    """A system of its own: the quota of an account is counted from nothing."""
    async with open_system(tmp_path) as system:
        yield system


async def test_the_quota_counts_what_is_still_coming(fresh: System) -> None:
    """Two uploads that fit one by one do not fit together."""
    fresh.use(limits=replace(ROOMY, quota_bytes=100))
    first = await fresh.create(60)
    with pytest.raises(TooLarge):
        await fresh.create(41)
    with pytest.raises(TooLarge):
        await fresh.ask("uploads.check", coming_bytes=41)
    assert await fresh.ask("uploads.check", coming_bytes=40) == 40
    await fresh.create(40)

    await fresh.ask("uploads.terminate", upload_id=first.id)
    assert await fresh.ask("uploads.check", coming_bytes=0) == 0  # until its bytes are gone
    fresh.use(limits=replace(ROOMY, quota_bytes=100), ahead_s=60)
    await fresh.ask_as_system("uploads.expire")
    assert await fresh.ask("uploads.check", coming_bytes=60) == 60


async def test_finished_videos_count(fresh: System) -> None:
    """Bytes move from reserved to used without being counted twice."""
    fresh.use(limits=replace(ROOMY, quota_bytes=100))
    upload = await fresh.create(60)
    await fresh.append(upload.id, 0, b"x" * 60)
    assert await fresh.used_bytes() == 60
    assert await fresh.ask("uploads.check", coming_bytes=40) == 40


async def test_a_deferred_length_stops_at_the_quota(fresh: System) -> None:
    """Bytes of an unknown number may come, as long as they fit."""
    fresh.use(limits=replace(ROOMY, quota_bytes=100))
    upload = await fresh.create(None)
    await fresh.append(upload.id, 0, b"x" * 70)
    with pytest.raises(TooLarge):
        await fresh.append(upload.id, 70, b"x" * 31)
    with pytest.raises(TooLarge):
        await fresh.append(upload.id, 70, length=101)
    assert await fresh.offset(upload.id) == 70
    with pytest.raises(TooLarge):
        await fresh.create(31)


async def test_two_deferred_uploads_cannot_share_the_last_bytes(fresh: System) -> None:
    """Each publication looks at the quota again."""
    fresh.use(limits=replace(ROOMY, quota_bytes=100))
    one, two = await fresh.create(None), await fresh.create(None)
    await fresh.append(one.id, 0, b"x" * 60)
    with pytest.raises(TooLarge):
        await fresh.append(two.id, 0, b"x" * 41)
    assert (await fresh.append(two.id, 0, b"x" * 40)).offset == 40


async def test_a_file_over_the_limit_is_refused(system: System) -> None:
    """Whatever the quota says."""
    system.use(limits=replace(ROOMY, file_limit_bytes=1000))
    with pytest.raises(TooLarge):
        await system.create(1001)
    upload = await system.create(None)
    with pytest.raises(TooLarge):
        await system.append(upload.id, 0, b"x" * 1001)


async def test_the_store_keeps_its_floor(system: System) -> None:
    """An upload that would take the last of the disk is told so at its creation."""
    free = await system.blobs.free_bytes()
    system.use(limits=replace(ROOMY, floor_bytes=free // 2))
    with pytest.raises(StorageFull):
        await system.create(free // 2 + (64 << 20))
    upload = await system.create(100)
    system.use(limits=replace(ROOMY, floor_bytes=free * 2))
    with pytest.raises(StorageFull):
        await system.append(upload.id, 0, b"x" * 100)
    assert await system.offset(upload.id) == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own that is soon full."""
    with disk(tmp_path / "disk", SMALL_BYTES) as folder:
        yield folder


async def test_a_full_disk_keeps_what_was_acknowledged(
    system: System, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The part that no longer fits is refused; those before it count, and can be read."""
    monkeypatch.setattr(appending, "PART_BYTES", 1 << 20)
    store = FileBlobs(small_disk, secret=b"secret")
    system.use(blobs=store)
    content = os.urandom(SMALL_BYTES + (1 << 20))
    upload = await system.create(None)

    with pytest.raises(StorageFull):
        await system.append(
            upload.id, 0, *(content[i : i + 65_536] for i in range(0, len(content), 65_536))
        )

    offset = await system.offset(upload.id)
    assert 3 << 20 <= offset < SMALL_BYTES
    parts = sorted(
        await system.keys(upload.id), key=lambda key: int(key.split("/")[-1].split("-")[0])
    )
    kept = b"".join([await system.content(key) for key in parts])
    assert kept == content[:offset]

    await store.delete(parts[0])  # a video was removed meanwhile: room for the next megabyte
    rest = content[offset : offset + (1 << 20) - 100_000]
    assert (await system.append(upload.id, offset, rest)).offset == offset + len(rest)
    store.close()
