"""Every Blobs adapter keeps every promise of engines/blobs/port.py."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from headwater.engines.blobs.filesystem import FileBlobs
from headwater.engines.blobs.movable import MovableBlobs
from headwater.engines.blobs.moving import Place, Stage
from headwater.engines.blobs.port import CHUNK_BYTES, BlobKey, Blobs, OpenBlob, blob_key, chunks_of
from headwater.engines.blobs.s3 import S3Blobs
from headwater.engines.blobs.s3_place import place_of
from headwater.engines.clock import Clock
from headwater.engines.reach import Reach
from headwater.model.errors import BlobNotFound, InvalidInput
from headwater.model.upload import Extent
from tests.support import ceph
from tests.support.killed import said_before_kill

pytestmark = pytest.mark.anyio

KEY = BlobKey("v1/g1/v720/0")
LONG = bytes(range(256)) * 9000  # a little over two chunks


@dataclass
class Store:
    """One store; each call opens one more handle on it, which plays another process."""

    where: str
    opened: list[Blobs] = field(default_factory=list)

    def __call__(self) -> Blobs:
        self.opened.append(opened(self.where))
        return self.opened[-1]

    def left(self) -> list[str]:
        """Return all that lies in the store, seen past the adapter: parts nobody joined as well."""
        if not self.where.startswith("s3:"):
            folder = Path(self.where.rpartition(":")[2])
            return [str(path) for path in folder.rglob("*") if path.is_file()]
        place = place_of(self.where)
        client = ceph.client(place.endpoint)
        objects = client.list_objects_v2(Bucket=place.bucket).get("Contents", [])
        uploads = client.list_multipart_uploads(Bucket=place.bucket).get("Uploads", [])
        return [found["Key"] for found in [*objects, *uploads]]


def opened(where: str) -> Blobs:
    if where.startswith("s3:"):
        return S3Blobs(where, clock=Clock())
    stage, _, folder = where.rpartition(":")
    if stage:
        return on_the_way(Stage(stage), folder)
    return FileBlobs(Path(where), secret=b"s")


def on_the_way(stage: Stage, folder: str) -> MovableBlobs:
    """Return a store that is moving from one folder to another, and has come so far."""
    place = Place(of=f"file:{folder}/old", to=f"file:{folder}/new", stage=stage)

    async def look() -> Place:
        return place

    async def miss() -> None:
        raise AssertionError("a store that works misses nothing")

    def open_at(url: str) -> Blobs:
        return FileBlobs(Path(url.removeprefix("file:")), secret=b"s")

    return MovableBlobs(place.of, open_at=open_at, look=look, miss=miss, place=place)


STORES = {"filesystem": "", "movable": "both:", "movable-later": "moved:"}


@pytest.fixture(params=[*STORES, "s3"])
def open_blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "s3":
        store = Store(request.getfixturevalue("bucket_url"))
    else:
        store = Store(STORES[request.param] + str(tmp_path / "store"))
    yield store
    for blobs in store.opened:
        blobs.close()  # type: ignore[attr-defined]


async def body(*chunks: bytes, then: Exception | None = None) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
    if then is not None:
        raise then


async def content(
    blobs: Blobs, key: BlobKey = KEY, start: int = 0, stop: int | None = None
) -> bytes:
    return b"".join([chunk async for chunk in chunks_of(blobs, key, start, stop)])


async def keys(blobs: Blobs, prefix: str = "") -> list[str]:
    return sorted([key async for key, _ in blobs.list(prefix)])


async def test_another_process_reads_what_one_put(open_blobs: Store) -> None:
    """A put is visible to every handle as soon as it returns."""
    stored = await open_blobs().put_absent(KEY, body(b"seg", b"ment"))

    assert (stored.size, stored.won) == (7, True)
    assert await content(open_blobs()) == b"segment"
    there = await open_blobs().stat(KEY)
    assert (there.size, there.etag) == (7, stored.etag)


@pytest.mark.parametrize("long", [b"", b"x", LONG])
async def test_bytes_and_streams_are_the_same_blob(open_blobs: Store, long: bytes) -> None:
    """The etag tells content apart, not how it came."""
    blobs = open_blobs()
    whole = await blobs.put_absent(BlobKey("a"), long)
    pieces = [long[i : i + 100_000] for i in range(0, len(long), 100_000)]
    streamed = await blobs.put_absent(BlobKey("b"), body(*pieces))

    assert whole == streamed
    assert await content(blobs, BlobKey("a")) == await content(blobs, BlobKey("b")) == long


async def test_etags_tell_contents_apart(open_blobs: Store) -> None:
    one = await open_blobs().put_absent(BlobKey("a"), b"one")
    two = await open_blobs().put_absent(BlobKey("b"), b"two")
    assert one.etag != two.etag


@pytest.mark.parametrize(
    ("start", "stop", "part"), [(0, 3, b"seg"), (3, None, b"ment"), (2, 5, b"gme"), (6, 7, b"t")]
)
async def test_a_range_is_half_open(
    open_blobs: Store, start: int, stop: int | None, part: bytes
) -> None:
    """The byte at *stop* is left out."""
    await open_blobs().put_absent(KEY, b"segment")
    assert await content(open_blobs(), KEY, start, stop) == part


async def test_chunks_are_bounded(open_blobs: Store) -> None:
    await open_blobs().put_absent(KEY, LONG)
    chunks = [chunk async for chunk in chunks_of(open_blobs(), KEY, 5, len(LONG) - 5)]
    assert b"".join(chunks) == LONG[5:-5]
    assert max(map(len, chunks)) <= CHUNK_BYTES


async def read(opened: OpenBlob, start: int, stop: int) -> bytes:
    pieces = b""
    while start < stop:
        chunk = await opened.read(start, stop)
        assert 0 < len(chunk) <= CHUNK_BYTES
        pieces, start = pieces + chunk, start + len(chunk)
    return pieces


async def test_what_is_open_can_be_read(open_blobs: Store) -> None:
    """From anywhere, in bounded chunks, as often as one likes."""
    blobs = open_blobs()
    put = await blobs.put_absent(KEY, LONG)
    opened = await blobs.open(KEY)

    assert (opened.stored.size, opened.stored.etag) == (len(LONG), put.etag)
    for start, stop in ((5, len(LONG) - 5), (0, len(LONG)), (0, 1), (len(LONG) - 1, len(LONG))):
        assert await read(opened, start, stop) == LONG[start:stop]
    opened.close()


async def test_what_is_open_never_changes(open_blobs: Store) -> None:
    """Deleted, and its name gone to other bytes: its own, which a folder still has, or none."""
    blobs = open_blobs()
    await blobs.put_absent(KEY, LONG)
    opened = await blobs.open(KEY)
    await open_blobs().delete(KEY)
    await open_blobs().put_absent(KEY, LONG[::-1])

    try:
        assert await read(opened, 5, len(LONG) - 5) == LONG[5:-5]
    except BlobNotFound:
        assert blobs.reach is Reach.FLEET
    opened.close()


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_first_writer_wins(open_blobs: Store, *, streamed: bool) -> None:
    """The second is told what is there, and its own bytes are gone."""
    first = await open_blobs().put_absent(KEY, b"first")
    second = await open_blobs().put_absent(KEY, body(b"the second") if streamed else b"the second")

    assert (second.size, second.etag, second.won) == (5, first.etag, False)
    assert await content(open_blobs()) == b"first"


async def test_of_many_writers_one_wins(open_blobs: Store) -> None:
    """Whoever asks, all are told the same size and etag, and readers see just that."""
    stores = [open_blobs() for _ in range(4)]
    bodies = [bytes([i]) * (i + 1) for i in range(24)]
    results = await asyncio.gather(
        *(
            stores[i % 4].put_absent(KEY, text if i % 2 else body(text))
            for i, text in enumerate(bodies)
        )
    )

    [winner] = [i for i, stored in enumerate(results) if stored.won]
    assert {(r.size, r.etag) for r in results} == {(winner + 1, results[winner].etag)}
    assert await content(stores[0]) == bodies[winner]


async def test_a_broken_put_leaves_nothing(open_blobs: Store) -> None:
    """A body that raises half-way changes nothing and leaves no bytes behind."""
    blobs = open_blobs()
    with pytest.raises(ConnectionError):
        await blobs.put_absent(KEY, body(LONG, b"rest", then=ConnectionError()))
    with pytest.raises(BlobNotFound):
        await blobs.stat(KEY)
    assert await keys(blobs) == []
    assert open_blobs.left() == []


async def test_a_cancelled_put_leaves_nothing(open_blobs: Store) -> None:
    blobs = open_blobs()
    waits, goes_on = asyncio.Event(), asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        yield LONG
        yield LONG
        waits.set()
        await goes_on.wait()

    putting = asyncio.ensure_future(blobs.put_absent(KEY, stuck()))
    await waits.wait()
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert await keys(blobs) == []
    assert open_blobs.left() == []


VERY_LONG = 40 << 20  # of bytes, more than any adapter holds in memory


async def very_long(seed: int) -> AsyncIterator[bytes]:
    for number in range(VERY_LONG // CHUNK_BYTES):
        yield bytes([seed, number]) * (CHUNK_BYTES // 2)


async def test_of_many_long_writers_one_wins(open_blobs: Store) -> None:
    """However long it takes them; what the others brought is gone."""
    stores = [open_blobs() for _ in range(3)]
    results = await asyncio.gather(
        *(blobs.put_absent(KEY, very_long(seed)) for seed, blobs in enumerate(stores))
    )

    [winner] = [seed for seed, stored in enumerate(results) if stored.won]
    assert {(r.size, r.etag) for r in results} == {(VERY_LONG, results[winner].etag)}
    there = await stores[0].stat(KEY)
    assert (there.size, there.etag) == (VERY_LONG, results[winner].etag)
    whole = b"".join([chunk async for chunk in very_long(winner)])
    assert await content(open_blobs()) == whole
    reader = open_blobs().reader([Extent("a", 0), Extent(KEY, VERY_LONG)])
    assert (
        await asyncio.to_thread(reader.read_at, 3_000_001, 20 << 20)
        == (whole[3_000_001 : 3_000_001 + (20 << 20)])
    )
    assert [item async for item in stores[0].list("")] == [(KEY, VERY_LONG)]
    await stores[1].delete(KEY)
    assert open_blobs.left() == []


async def test_a_long_blob_is_the_same_however_it_came(open_blobs: Store) -> None:
    blobs = open_blobs()
    whole = b"".join([chunk async for chunk in very_long(7)])
    one = await blobs.put_absent(BlobKey("a"), whole)
    two = await blobs.put_absent(BlobKey("b"), body(whole[:1], whole[1:]))
    assert one == two


async def test_what_is_not_there_is_not_found(open_blobs: Store) -> None:
    """Also below and above what is there."""
    blobs = open_blobs()
    await blobs.put_absent(KEY, b"x")
    for key in ("v1", "v1/g1/v720", "v1/g1/v720/0/1", "other"):
        with pytest.raises(BlobNotFound):
            await blobs.stat(BlobKey(key))
        with pytest.raises(BlobNotFound):
            await blobs.open(BlobKey(key))
        with pytest.raises(BlobNotFound):
            await content(blobs, BlobKey(key))


async def test_deleting_forgets(open_blobs: Store) -> None:
    """Once or twice; the key is then free for another."""
    blobs = open_blobs()
    await blobs.put_absent(KEY, LONG)

    await open_blobs().delete(KEY)
    await blobs.delete(KEY)

    with pytest.raises(BlobNotFound):
        await blobs.stat(KEY)
    assert (await blobs.put_absent(KEY, b"new")).won
    assert await content(open_blobs()) == b"new"


async def test_putting_while_neighbours_are_deleted(open_blobs: Store) -> None:
    """Emptying a folder and filling it at the same time loses nothing."""
    ours, theirs = open_blobs(), open_blobs()

    async def put_and_delete(blobs: Blobs, key: BlobKey) -> None:
        for _ in range(15):
            assert (await blobs.put_absent(key, key.encode())).won
            assert await content(blobs, key) == key.encode()
            await blobs.delete(key)

    await asyncio.gather(
        *(put_and_delete(b, BlobKey(f"v/g/{i}")) for i, b in enumerate([ours, theirs] * 2))
    )
    assert await keys(ours) == []


async def test_listing_by_prefix(open_blobs: Store) -> None:
    """A prefix is of the key, not of a folder."""
    blobs = open_blobs()
    for key in ("v1/g1/a/0", "v1/g1/a/1", "v1/g10/a/0", "v2/g/0"):
        await blobs.put_absent(BlobKey(key), key.encode())

    assert await keys(blobs) == ["v1/g1/a/0", "v1/g1/a/1", "v1/g10/a/0", "v2/g/0"]
    assert await keys(blobs, "v1/g1/") == ["v1/g1/a/0", "v1/g1/a/1"]
    assert await keys(blobs, "v1/g1") == ["v1/g1/a/0", "v1/g1/a/1", "v1/g10/a/0"]
    assert await keys(blobs, "v3") == []
    assert [item async for item in blobs.list("v2")] == [("v2/g/0", 6)]


async def test_extents_read_as_one(open_blobs: Store) -> None:
    """Any range, across any seams, fewer bytes only at the end; blocking, so in a thread."""
    blobs = open_blobs()
    parts = [b"abc", b"", b"d", LONG, *(bytes([i]) for i in range(40))]
    for i, part in enumerate(parts):
        await blobs.put_absent(BlobKey(f"u/{i}"), part)
    whole = b"".join(parts)
    reader = open_blobs().reader([Extent(f"u/{i}", len(part)) for i, part in enumerate(parts)])

    assert reader.size == len(whole)
    ranges = [(0, 2), (2, 3), (3, 1), (0, len(whole) + 9), (len(whole), 5), (len(whole) - 41, 41)]
    ranges += [(start, 7) for start in range(0, len(whole), 9973)]
    for start, size in ranges:
        piece = await asyncio.to_thread(reader.read_at, start, size)
        assert piece == whole[start : start + size]


async def test_an_extent_that_is_gone(open_blobs: Store) -> None:
    await open_blobs().put_absent(BlobKey("u/0"), b"abc")
    reader = open_blobs().reader([Extent("u/0", 3), Extent("u/1", 3)])
    assert reader.read_at(0, 3) == b"abc"
    with pytest.raises(BlobNotFound):
        reader.read_at(2, 2)


async def test_a_store_says_its_room(open_blobs: Store) -> None:
    assert await open_blobs().free_bytes() > 0


async def test_a_part_has_an_address(open_blobs: Store) -> None:
    ticket = await open_blobs().part_url(KEY, length=3, checksum="00" * 32, expires_at=2e9)
    assert ticket.method == "PUT"
    assert KEY in ticket.url


@pytest.mark.parametrize(
    "text",
    ["", "/a", "a/", "a//b", "..", "a/../b", "./a", "a/.b", "a b", "a\n", "a\x00", "é", "a" * 201],
)
async def test_what_is_no_key(open_blobs: Store, text: str) -> None:
    """No text leads out of the store, whoever calls."""
    with pytest.raises(InvalidInput):
        blob_key(text)
    with pytest.raises(InvalidInput):
        await open_blobs().put_absent(BlobKey(text), b"")


CHILD = """
import asyncio, sys
from headwater.engines.blobs.port import BlobKey
from tests.contracts.test_blobs import opened

async def put(blobs, part):
    async def body(i):
        for _ in range(8):
            yield f"{part} {i} ".encode() * 30_000
    for i in range(10_000):
        await blobs.put_absent(BlobKey(f"{part}/{i}"), body(i))
        print(f"{part}/{i}", flush=True)

async def main():
    blobs = opened(sys.argv[1])
    await asyncio.gather(*(put(blobs, part) for part in range(4)))

asyncio.run(main())
"""


@pytest.mark.parametrize("acknowledged", [1, 9, 20])
async def test_kill_leaves_whole_blobs_or_none(open_blobs: Store, acknowledged: int) -> None:
    """Killed while writing: what was acknowledged is there, what is there is whole."""
    seen = said_before_kill(CHILD, open_blobs.where, lines=acknowledged)

    blobs = open_blobs()
    there = await keys(blobs)
    assert set(seen) <= set(there)
    for number, key in enumerate(there):
        whole = (" ".join(key.split("/")) + " ").encode() * 240_000
        assert await content(blobs, BlobKey(key)) == whole
        again = await blobs.put_absent(BlobKey(f"again/{number}"), whole)
        assert (await blobs.stat(BlobKey(key))).etag == again.etag
