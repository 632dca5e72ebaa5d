"""A backup holds all that its rows speak of, and comes back true."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import ColumnElement, Table, func, insert, select, update

from headwater.access import preferences_repository
from headwater.access.secrets import PART_SIGNING
from headwater.engines.blobs.filesystem import FileBlobs
from headwater.engines.blobs.port import BlobKey, chunks_of
from headwater.engines.database.schema import (
    accounts,
    generations,
    jobs,
    placed_parts,
    processes,
    sources,
    streams,
    tracks,
    uploads,
    videos,
)
from headwater.engines.database.sqlite import SqliteDatabase
from headwater.model.errors import BlobNotFound, ChecksumMismatch, Conflict, InvalidInput
from headwater.model.ids import AccountId, GenerationId, TrackId, VideoId
from headwater.model.job import JobKind, JobState
from headwater.model.upload import Extent
from headwater.operations import backup
from headwater.pipeline import (
    bitmap,
    generations_repository,
    jobs_repository,
    leases_repository,
)
from tests.support import databases, postgres
from tests.support.clocks import OwnTime
from tests.support.postgres import Postgres

pytestmark = pytest.mark.anyio
VIDEO, GENERATION, RUNG = VideoId("walk"), GenerationId("gen1"), TrackId("v720")
SOURCE = BlobKey("uploads/up1/0-a")
INIT, INDEX, FIRST, SECOND, POSTER = (
    BlobKey(f"walk/gen1/{name}")
    for name in ("v720/init", "index/1", "v720/0", "v720/1", "pictures/poster")
)
NOW, UNDO_S = 1000.0, 100.0
BYTES = {
    SOURCE: b"source" * 999,
    INIT: b"init",
    INDEX: b"index",
    FIRST: b"first",
    SECOND: b"second",
    POSTER: b"poster",
}


@dataclass
class Store:
    """One data folder, opened."""

    database: SqliteDatabase
    blobs: FileBlobs

    async def only(self, column: ColumnElement[Any]) -> Any:
        """Return what the only row of a table has in *column*."""
        async with self.database.reader() as session:
            [row] = await session.rows(select(column))
        return row[column.name]

    async def count(self, table: Table) -> int:
        async with self.database.reader() as session:
            [row] = await session.rows(select(func.count().label("n")).select_from(table))
        return int(row["n"])


@asynccontextmanager
async def open_store(folder: Path) -> AsyncIterator[Store]:
    folder.mkdir(exist_ok=True)
    store = Store(SqliteDatabase(folder / "rows"), FileBlobs(folder, secret=b"s" * 32))
    await store.database.migrate()
    try:
        yield store
    finally:
        await store.database.close()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A server's data: one video with a source, a plan and both segments of its only rung."""
    async with open_store(tmp_path / "data") as opened:
        for key, content in BYTES.items():
            await opened.blobs.put_absent(key, content)
        extents = msgspec.msgpack.encode([Extent(SOURCE, len(BYTES[SOURCE]))])
        async with opened.database.writer() as session:
            for statement in (
                insert(accounts).values(
                    id="a",
                    email="a@b",
                    name="",
                    password_hash="",
                    role="owner",
                    used_bytes=len(BYTES[SOURCE]),
                    created_at=0.0,
                ),
                insert(videos).values(
                    id=VIDEO,
                    owner="a",
                    title="Walk",
                    visibility="public",
                    state="ready",
                    created_at=0.0,
                    source_bytes=len(BYTES[SOURCE]),
                    stored_bytes=11,
                ),
                insert(sources).values(video=VIDEO, size=len(BYTES[SOURCE]), extents=extents),
            ):
                await session.execute(statement)
            await generations_repository.add(
                session,
                id=GENERATION,
                video=VIDEO,
                encoder="",
                plan=b"",
                index_sizes={1: 5},
                segments={RUNG: 2},
                now=0.0,
            )
            await generations_repository.mark(session, GENERATION, RUNG, {0: 5, 1: 6})
        yield opened


def quiet(_done: int, _whole: int) -> None:
    """Nobody watches."""


async def back_up(store: Store, folder: Path, *, segments: bool) -> backup.Backup:
    folder.mkdir(exist_ok=True)
    return await backup.back_up(
        folder,
        database=store.database,
        blobs=store.blobs,
        kept=FileBlobs(folder, secret=b"s" * 32),
        open_database=SqliteDatabase,
        segments=segments,
        undo_s=UNDO_S,
        clock=OwnTime(NOW),
        told=quiet,
    )


@asynccontextmanager
async def restored(folder: Path, data: Path) -> AsyncIterator[Store]:
    data.mkdir()
    await backup.restore(
        folder,
        rows=SqliteDatabase(data / "rows"),
        draft=data / "restoring",
        blobs=FileBlobs(data, secret=b"s" * 32),
        kept=FileBlobs(folder, secret=b"s" * 32),
        open_database=SqliteDatabase,
        told=quiet,
    )
    async with open_store(data) as opened:
        yield opened


async def content(store: Store, key: BlobKey) -> bytes:
    return b"".join([chunk async for chunk in chunks_of(store.blobs, key)])


async def test_everything_comes_back(store: Store, tmp_path: Path) -> None:
    note = await back_up(store, tmp_path / "kept", segments=True)

    async with restored(tmp_path / "kept", tmp_path / "new") as other:
        assert {key: await content(other, key) for key in BYTES} == BYTES
        assert bitmap.count(await other.only(tracks.c.present)) == 2
    assert (note.videos, note.blobs) == (1, len(BYTES))


async def test_without_segments_the_rows_say_what_is_missing(store: Store, tmp_path: Path) -> None:
    """Segments can be made again, if the rows of the new store do not claim them."""
    await back_up(store, tmp_path / "kept", segments=False)

    async with restored(tmp_path / "kept", tmp_path / "new") as other:
        assert await content(other, SOURCE) == BYTES[SOURCE]
        assert bitmap.count(await other.only(tracks.c.present)) == 0
        with pytest.raises(BlobNotFound):
            await other.blobs.stat(FIRST)
        assert await other.only(tracks.c.stored_bytes) == 0
        assert await other.only(videos.c.stored_bytes) == len(BYTES[INDEX])


async def test_segments_that_cannot_be_made_again_are_always_kept(
    store: Store, tmp_path: Path
) -> None:
    """Where the original was given up, the segments are the video."""
    async with store.database.writer() as session:
        await session.execute(update(sources).values(size=0, extents=msgspec.msgpack.encode([])))

    await back_up(store, tmp_path / "kept", segments=False)

    async with restored(tmp_path / "kept", tmp_path / "new") as other:
        assert await content(other, SECOND) == BYTES[SECOND]


async def test_what_is_not_made_yet_is_not_missed(store: Store, tmp_path: Path) -> None:
    """The warm-up makes most init segments only after the plan is there."""
    await store.blobs.delete(INIT)
    await back_up(store, tmp_path / "kept", segments=False)

    async with restored(tmp_path / "kept", tmp_path / "new") as other:
        assert await content(other, INDEX) == BYTES[INDEX]


async def test_in_the_copy_nobody_holds_anything(store: Store, tmp_path: Path) -> None:
    """What the server was doing while it was copied, the copy begins at once."""
    async with store.database.writer() as session:
        await jobs_repository.enqueue(
            session, kind=JobKind.WARM, video=VIDEO, owner=AccountId("a"), now=0.0
        )
        await jobs_repository.lease_next(
            session, kinds=[JobKind.WARM], holder="it", now=0.0, lease_s=1e9
        )
        await leases_repository.acquire(
            session, GENERATION, RUNG, 1, holder="it", now=0.0, until=1e9
        )
        told = dict.fromkeys(("role", "host", "folder", "version", "build", "store"), "its own")
        numbers = dict.fromkeys(("encoders", "started_at", "heard_at"), 0)
        row = {"id": "it", **told, **numbers, "alone": True, "until": 1e12}
        await session.execute(insert(processes).values(**row))
    await back_up(store, tmp_path / "kept", segments=False)

    async with (
        restored(tmp_path / "kept", tmp_path / "new") as other,
        other.database.writer() as session,
    ):
        job = await jobs_repository.lease_next(
            session, kinds=[JobKind.WARM], holder="copy", now=0.0, lease_s=1.0
        )
        assert job is not None
        assert await leases_repository.acquire(
            session, GENERATION, RUNG, 1, holder="copy", now=0.0, until=1.0
        )
        assert await session.rows(select(processes)) == []


async def test_a_part_that_was_placed_is_kept_before_it_counts(
    store: Store, tmp_path: Path
) -> None:
    """Its client commits it in the copy; one that never arrived is no reason to fail."""
    arrived, missing = BlobKey("uploads/up2/1-a"), BlobKey("uploads/up2/2-b")
    await store.blobs.put_absent(arrived, b"a part")
    async with store.database.writer() as session:
        await session.execute(
            insert(uploads).values(id="up2", owner="a", created_at=0.0, expires_at=1e9)
        )
        for key in (arrived, missing):
            await session.execute(insert(placed_parts).values(upload="up2", key=key, size=6))
    await back_up(store, tmp_path / "kept", segments=False)

    async with restored(tmp_path / "kept", tmp_path / "new") as other:
        assert await content(other, arrived) == b"a part"


async def test_a_second_backup_copies_only_what_is_new(store: Store, tmp_path: Path) -> None:
    await back_up(store, tmp_path / "kept", segments=False)
    written = (tmp_path / "kept" / "blobs" / SOURCE).stat().st_mtime_ns

    await back_up(store, tmp_path / "kept", segments=True)

    assert (tmp_path / "kept" / "blobs" / SOURCE).stat().st_mtime_ns == written
    assert (tmp_path / "kept" / "blobs" / SECOND).is_file()


async def test_a_flipped_bit_in_a_backup_is_found(store: Store, tmp_path: Path) -> None:
    """A restore never brings back bytes that are not those once stored."""
    await back_up(store, tmp_path / "kept", segments=False)
    damaged = tmp_path / "kept" / "blobs" / SOURCE
    damaged.chmod(0o600)
    damaged.write_bytes(b"F" + damaged.read_bytes()[1:])

    with pytest.raises(ChecksumMismatch, match="damaged"):
        async with restored(tmp_path / "kept", tmp_path / "new"):
            pass


async def test_a_lost_blob_is_no_backup(store: Store, tmp_path: Path) -> None:
    """Rows without their blob would be a video that cannot play: better no backup than that."""
    await store.blobs.delete(SOURCE)

    with pytest.raises(BlobNotFound, match="up1"):
        await back_up(store, tmp_path / "kept", segments=False)
    with pytest.raises(InvalidInput, match="no finished backup"):
        backup.read_note(tmp_path / "kept")


async def delete(store: Store, *, ago_s: float) -> None:
    async with store.database.writer() as session:
        await session.execute(update(videos).values(deleted_at=NOW - ago_s))


async def test_a_deletion_can_be_taken_back_in_the_copy_too(store: Store, tmp_path: Path) -> None:
    """While its undo window is open, a video is kept whole and deleted."""
    await delete(store, ago_s=UNDO_S - 1)
    await back_up(store, tmp_path / "kept", segments=False)

    async with restored(tmp_path / "kept", tmp_path / "new") as other:
        assert await other.only(videos.c.deleted_at) == NOW - UNDO_S + 1
        assert await content(other, SOURCE) == BYTES[SOURCE]
        assert await content(other, INDEX) == BYTES[INDEX]


async def test_no_half_of_a_video_comes_back(store: Store, tmp_path: Path) -> None:
    """After its undo window, blobs may be half gone: neither they nor rows are kept."""
    async with store.database.writer() as session:
        await jobs_repository.enqueue(
            session, kind=JobKind.SWEEP, video=VIDEO, owner=AccountId("a"), now=NOW
        )
    await delete(store, ago_s=UNDO_S)
    await store.blobs.delete(SOURCE)

    note = await back_up(store, tmp_path / "kept", segments=True)

    async with restored(tmp_path / "kept", tmp_path / "new") as other:
        for table in (videos, sources, generations, tracks):
            assert await other.count(table) == 0, table.name
        assert await other.only(accounts.c.used_bytes) == 0
        assert await other.only(jobs.c.state) == JobState.CANCELLED
    assert (note.videos, note.blobs) == (0, 0)


async def test_pictures_are_always_kept(store: Store, tmp_path: Path) -> None:
    """A page that shows many videos at once would otherwise ask for all of them to be drawn."""
    await back_up(store, tmp_path / "kept", segments=False)

    async with restored(tmp_path / "kept", tmp_path / "new") as other:
        assert await content(other, POSTER) == BYTES[POSTER]


@pytest.mark.parametrize("is_named", [True, False])
async def test_a_replaced_generation_is_kept_while_players_may_ask_for_it(
    store: Store, tmp_path: Path, *, is_named: bool
) -> None:
    """And its rows claim nothing that the copy does not hold."""
    async with store.database.writer() as session:
        await session.execute(update(generations).values(retired_at=NOW - 1))
        if is_named:
            await session.execute(
                insert(streams).values(
                    name="old", video=VIDEO, generation=GENERATION, created_at=0.0
                )
            )
    await back_up(store, tmp_path / "kept", segments=False)

    async with restored(tmp_path / "kept", tmp_path / "new") as other:
        assert await other.count(generations) == int(is_named)
        if is_named:
            assert await content(other, INDEX) == BYTES[INDEX]
            assert bitmap.count(await other.only(tracks.c.present)) == 0


def test_a_used_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "something").touch()

    with pytest.raises(InvalidInput, match="not empty"):
        backup.refuse_used(tmp_path, but="settings")


def test_settings_may_be_there_before_the_data(tmp_path: Path) -> None:
    """They say where the rest is to go."""
    (tmp_path / "settings").touch()
    backup.refuse_used(tmp_path, but="settings")


async def test_what_has_rows_is_given_no_blob(
    store: Store, postgres_server: Postgres, tmp_path: Path
) -> None:
    """Nobody who uses them would ever remove it."""
    await back_up(store, tmp_path / "kept", segments=True)
    theirs = FileBlobs(tmp_path / "theirs", secret=b"s" * 32)
    with postgres.database(postgres_server, like=databases.MIGRATED) as url:
        rows = databases.open_at(url)
        async with rows.writer() as session:
            await preferences_repository.put(session, PART_SIGNING, b"theirs")
        with pytest.raises(Conflict, match="new database"):
            await backup.restore(
                tmp_path / "kept",
                rows=rows,
                draft=tmp_path / "restoring",
                blobs=theirs,
                kept=FileBlobs(tmp_path / "kept", secret=b"s" * 32),
                open_database=SqliteDatabase,
                told=quiet,
            )
        await rows.close()
    assert [key async for key, _ in theirs.list("")] == []
