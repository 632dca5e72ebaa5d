"""Blobs move to another store while everybody puts, reads and deletes, and nothing is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random  # noqa: TID251 (seeded)
from typing import Any

import pytest

from headwater.compose.engines import folder_of, store_of, whole_address
from headwater.engines.blobs.filesystem import FileBlobs
from headwater.engines.blobs.movable import MovableBlobs
from headwater.engines.blobs.moving import Place, Stage
from headwater.engines.blobs.port import BlobKey, Blobs, blob_key, chunks_of
from headwater.engines.clock import Clock
from headwater.engines.database.port import Database
from headwater.engines.database.sqlite import SqliteDatabase
from headwater.model.errors import (
    BlobNotFound,
    ChecksumMismatch,
    Conflict,
    SettingsError,
    Unavailable,
)
from headwater.model.upload import Extent
from headwater.operations import places
from headwater.operations.move_blobs import abandon, move_blobs
from tests.drills.sample import SEED

pytestmark = pytest.mark.anyio

SETTLE_S = 0.3  # processes of these tests look so much more often
LOOK_S = 0.05
FEW = 20
DEADLINE_S = 30.0
SIZES = (0, 1, 70_000, 3 << 20)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = SqliteDatabase(tmp_path / "headwater.sqlite3")
    await opened.migrate()
    yield opened
    await opened.close()


class Stores:
    """The old and the new store of a test, and processes that use them."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.place = Place(of=f"file:{folder}/old", to=f"file:{folder}/new")
        self._database = database
        self.old, self.new = self.open_at(self.place.of), self.open_at(self.place.to)

    def open_at(self, url: str) -> FileBlobs:
        return FileBlobs(folder_of(url), secret=b"s")

    @asynccontextmanager
    async def process(self, url: str = "") -> AsyncIterator[MovableBlobs]:
        blobs = MovableBlobs(
            url or self.place.of,
            open_at=self.open_at,
            look=lambda: places.look(self._database),
            miss=lambda: places.count_missed(self._database),
            look_s=LOOK_S,
            store_of=store_of,
        )
        await blobs.watch()
        try:
            yield blobs
        finally:
            blobs.close()

    async def move(self, *, told: Any = lambda *_: None, target: Blobs | None = None) -> Any:
        return await move_blobs(
            self.place,
            source=self.old,
            target=target or self.new,
            database=self._database,
            clock=Clock(),
            is_set=False,
            told=told,
            settle_s=SETTLE_S,
        )


@pytest.fixture
def stores(tmp_path: Path, database: Database) -> Stores:
    return Stores(tmp_path, database)


async def content(blobs: Blobs, key: BlobKey) -> bytes:
    if not (await blobs.stat(key)).size:
        return b""
    return b"".join([chunk async for chunk in chunks_of(blobs, key)])


async def everything(blobs: Blobs) -> dict[str, bytes]:
    """Return what is there, but for what is deleted while this looks."""
    found = {}
    async for key, _ in blobs.list(""):
        with suppress(BlobNotFound):
            found[key] = await content(blobs, key)
    return found


class Load:
    """Somebody who puts, reads and deletes without pause, and knows what must be there."""

    def __init__(self, blobs: MovableBlobs, number: int) -> None:
        self.kept: dict[BlobKey, bytes] = {}
        self.turns = 0
        self._blobs, self._number = blobs, number
        self._random = Random(SEED + number)
        self._moved_on = asyncio.Condition()

    async def run(self, until: asyncio.Event) -> None:
        while not until.is_set():
            await self._turn()
            async with self._moved_on:
                self.turns += 1
                self._moved_on.notify_all()

    async def go_on(self, turns: int) -> None:
        wanted = self.turns + turns
        async with asyncio.timeout(DEADLINE_S), self._moved_on:
            await self._moved_on.wait_for(lambda: self.turns >= wanted)

    async def _turn(self) -> None:
        key = blob_key(f"v{self._number}/{self.turns}")
        body = self._random.randbytes(self._random.choice(SIZES[:3]))
        assert (await self._blobs.put_absent(key, body)).won
        self.kept[key] = body
        older = self._random.choice(list(self.kept))
        assert await content(self._blobs, older) == self.kept[older]
        if self.kept[older]:
            reader = self._blobs.reader([Extent(older, len(self.kept[older]))])
            assert await asyncio.to_thread(reader.read_at, 0, 9) == self.kept[older][:9]
        if self._random.random() < 0.4:
            await self._blobs.delete(older)
            del self.kept[older]
            with pytest.raises(BlobNotFound):
                await self._blobs.open(older)


@asynccontextmanager
async def loaded(*processes: MovableBlobs) -> AsyncIterator[list[Load]]:
    over = asyncio.Event()
    loads = [Load(blobs, number) for number, blobs in enumerate(processes)]
    async with asyncio.TaskGroup() as group:
        for load in loads:
            group.create_task(load.run(over))
        try:
            yield loads
        finally:
            over.set()


async def fill(blobs: Blobs, count: int = 30) -> dict[str, bytes]:
    random = Random(SEED)
    filled = {f"old/{i}": random.randbytes(SIZES[i % len(SIZES)]) for i in range(count)}
    for key, body in filled.items():
        await blobs.put_absent(BlobKey(key), body)
    return filled


async def test_blobs_move_under_load(stores: Stores) -> None:
    """Two processes put, read and delete all the time; what they see is what they did."""
    before = await fill(stores.old)
    async with stores.process() as api, stores.process() as worker:
        async with loaded(api, worker) as loads:
            await loads[0].go_on(5)
            moved = await stores.move()
            await loads[0].go_on(5)
            await loads[1].go_on(5)
        kept = {key: body for load in loads for key, body in load.kept.items()}
    assert moved.stage is Stage.ENDED
    assert moved.copied.blobs >= len(before)
    assert await everything(stores.new) == before | kept


async def test_a_move_that_died_goes_on(stores: Stores, database: Database) -> None:
    """The old store lacks nothing until the new one is in charge; then the new one does not."""

    class Interrupted(Exception):
        pass

    def dying(after: int) -> Any:
        steps = iter(range(after))

        def told(*_: object) -> None:
            if next(steps, None) is None:
                raise Interrupted

        return told

    before = await fill(stores.old)
    async with stores.process() as api, loaded(api) as loads:
        for after in (0, 7, 25, 1000):
            with suppress(Interrupted):
                await stores.move(told=dying(after))
                break
            known = await places.look(database)
            assert known is not None
            assert known.stage is Stage.BOTH
            await loads[0].go_on(3)
            assert set(before) <= set(await everything(stores.old))
    assert await everything(stores.new) == before | loads[0].kept


async def test_what_is_deleted_while_it_is_copied_stays_deleted(stores: Stores) -> None:
    """It is gone before its copy was there, and after."""
    await fill(stores.old)
    async with stores.process() as api:

        class Late(FileBlobs):
            async def put_absent(self, key: BlobKey, body: Any) -> Any:
                if key == "old/3":
                    await api.delete(key)
                return await super().put_absent(key, body)

        await stores.move(target=Late(Path(stores.place.to.removeprefix("file:")), secret=b""))
    assert "old/3" not in await everything(stores.new)


async def test_a_new_store_that_fails_leaves_the_old_in_charge(stores: Stores) -> None:
    """Puts succeed, and what the new store missed comes before it is in charge."""
    before = await fill(stores.old)
    failing = asyncio.Event()
    failing.set()

    class Failing(FileBlobs):
        async def put_absent(self, key: BlobKey, body: Any) -> Any:
            if failing.is_set() and key.startswith("late/"):
                raise Unavailable("the new store is away")
            return await super().put_absent(key, body)

    def open_at(url: str) -> FileBlobs:
        kind = Failing if url == stores.place.to else FileBlobs
        return kind(Path(url.removeprefix("file:")), secret=b"s")

    stores.open_at = open_at  # type: ignore[method-assign]
    async with stores.process() as api:
        count = 0

        async def put_late(*_: object) -> None:
            nonlocal count
            count += 1
            await api.put_absent(blob_key(f"late/{count}"), b"late")

        late: list[asyncio.Task[None]] = []

        def told(step: str, *_: object) -> None:
            if len(late) < FEW:
                late.append(asyncio.ensure_future(put_late()))
            if step == "comparing stores":
                failing.clear()

        await stores.move(told=told)
        await asyncio.gather(*late)
    kept = {f"late/{i}": b"late" for i in range(1, count + 1)}
    assert await everything(stores.new) == before | kept


async def test_a_damaged_blob_is_not_brought(stores: Stores, tmp_path: Path) -> None:
    """Neither the wrong bytes nor the whole store."""
    before = await fill(stores.old)
    (damaged,) = tmp_path.glob("old/blobs/old/3")
    body = bytearray(damaged.read_bytes())
    body[1_000_000] ^= 1
    damaged.write_bytes(body)

    with pytest.raises(ChecksumMismatch, match="old/3"):
        await stores.move()
    async with stores.process() as api:
        assert await content(api, BlobKey("old/2")) == before["old/2"]
        with pytest.raises(BlobNotFound):
            await stores.new.stat(BlobKey("old/3"))


async def test_a_store_in_use_is_refused(stores: Stores) -> None:
    await fill(stores.old)
    await stores.new.put_absent(BlobKey("a"), b"theirs")
    with pytest.raises(Conflict, match="empty store"):
        await stores.move()


async def test_a_process_with_the_old_setting_follows(stores: Stores) -> None:
    """The store it finds has the name of the old one, whatever it was called before."""
    before = await fill(stores.old) | {"store/name": b"ours"}
    await stores.old.put_absent(BlobKey("store/name"), b"ours")
    await stores.new.put_absent(BlobKey("store/name"), b"tried")
    await stores.move()
    async with stores.process() as late:
        assert await everything(late) == before
        await late.put_absent(BlobKey("late"), b"late")
    assert await content(stores.new, BlobKey("late")) == b"late"
    with pytest.raises(BlobNotFound):
        await stores.old.stat(BlobKey("late"))


@pytest.mark.parametrize("spelled", ["file:{}/sub/../old", "file://{}/old", "file:{}/link"])
async def test_a_process_that_spells_the_old_store_otherwise_follows(
    stores: Stores, tmp_path: Path, spelled: str
) -> None:
    """As one whose data folder is named from where it was started, or through a link."""
    before = await fill(stores.old)
    (tmp_path / "link").symlink_to(stores.place.of.removeprefix("file:"))
    async with stores.process(spelled.format(tmp_path)) as api:
        await stores.move()
        assert await everything(api) == before
        await api.put_absent(BlobKey("late"), b"late")
    assert await content(stores.new, BlobKey("late")) == b"late"
    with pytest.raises(BlobNotFound):
        await stores.old.stat(BlobKey("late"))


def test_one_store_has_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a process was started, and whatever else its address says."""
    monkeypatch.chdir(tmp_path)
    assert whole_address("file:data/blobs") == f"file:{tmp_path}/data/blobs"
    assert whole_address("file:a#b?c") == f"file:{tmp_path}/a#b?c"
    bucket = "s3://key:secret@bucket/p?endpoint=http://h:1"
    assert store_of(f"{bucket}&public_endpoint=https://p") == store_of(bucket)
    assert store_of(bucket.replace("secret", "newer")) == store_of(bucket)
    assert store_of(bucket.replace("/p?", "/q?")) != store_of(bucket)
    with pytest.raises(SettingsError):
        whole_address("file:")


async def test_a_move_that_is_ended_changes_nothing(stores: Stores, database: Database) -> None:
    before = await fill(stores.old)

    def die(*_: object) -> None:
        raise ConnectionError

    with suppress(ConnectionError):
        await stores.move(told=die)
    await abandon(database)
    async with stores.process() as api:
        await api.put_absent(BlobKey("on"), b"on")
    assert await everything(stores.old) == before | {"on": b"on"}
    with pytest.raises(BlobNotFound):
        await stores.new.stat(BlobKey("on"))
