"""Every Blobs adapter keeps every promise of engines/blobs/port.py."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from xxhash import xxh3_128

from headwater.engines.blobs.filesystem import FileBlobs
from headwater.engines.blobs.port import CHUNK_BYTES, BlobKey, Blobs, blob_key, chunks_of
from headwater.model.errors import BlobNotFound, InvalidInput
from headwater.model.upload import Extent
from tests.support.killed import said_before_kill

pytestmark = pytest.mark.anyio

Open = Callable[[], Blobs]
KEY = BlobKey("v1/g1/v720/0")
LONG = bytes(range(256)) * 9000  # a little over two chunks


@pytest.fixture(params=["filesystem"])
def open_blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Open one more handle on the *same* store: the second one plays another process."""
    opened: list[FileBlobs] = []

    def opener() -> Blobs:
        assert request.param == "filesystem"
        opened.append(FileBlobs(tmp_path / "store", secret=b"s"))
        return opened[-1]

    yield opener
    for blobs in opened:
        blobs.close()


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


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_another_process_reads_what_one_put(open_blobs: Open) -> None:
    """A put is visible to every handle as soon as it returns."""
    stored = await open_blobs().put_absent(KEY, body(b"seg", b"ment"))

    assert (stored.size, stored.won) == (7, True)
    assert await content(open_blobs()) == b"segment"
    there = await open_blobs().stat(KEY)
    assert (there.size, there.etag) == (7, stored.etag)


@pytest.mark.parametrize("long", [b"", b"x", LONG])
async def test_bytes_and_streams_are_the_same_blob(open_blobs: Open, long: bytes) -> None:
    """The etag tells content apart, not how it came."""
    blobs = open_blobs()
    whole = await blobs.put_absent(BlobKey("a"), long)
    pieces = [long[i : i + 100_000] for i in range(0, len(long), 100_000)]
    streamed = await blobs.put_absent(BlobKey("b"), body(*pieces))

    assert whole == streamed
    assert await content(blobs, BlobKey("a")) == await content(blobs, BlobKey("b")) == long


async def test_etags_tell_contents_apart(open_blobs: Open) -> None:
    one = await open_blobs().put_absent(BlobKey("a"), b"one")
    two = await open_blobs().put_absent(BlobKey("b"), b"two")
    assert one.etag != two.etag


@pytest.mark.parametrize(
    ("start", "stop", "part"), [(0, 3, b"seg"), (3, None, b"ment"), (2, 5, b"gme"), (6, 7, b"t")]
)
async def test_a_range_is_half_open(
    open_blobs: Open, start: int, stop: int | None, part: bytes
) -> None:
    """The byte at *stop* is left out."""
    await open_blobs().put_absent(KEY, b"segment")
    assert await content(open_blobs(), KEY, start, stop) == part


async def test_chunks_are_bounded(open_blobs: Open) -> None:
    await open_blobs().put_absent(KEY, LONG)
    chunks = [chunk async for chunk in chunks_of(open_blobs(), KEY, 5, len(LONG) - 5)]
    assert b"".join(chunks) == LONG[5:-5]
    assert max(map(len, chunks)) <= CHUNK_BYTES


async def test_what_is_open_can_be_read(open_blobs: Open) -> None:
    """From anywhere, in bounded chunks, also when its name has gone to other bytes."""
    blobs = open_blobs()
    put = await blobs.put_absent(KEY, LONG)
    opened = await blobs.open(KEY)
    await blobs.delete(KEY)
    await blobs.put_absent(KEY, b"other")

    assert (opened.stored.size, opened.stored.etag) == (len(LONG), put.etag)
    start, read = 5, b""
    while start < len(LONG) - 5:
        chunk = await opened.read(start, len(LONG) - 5)
        assert 0 < len(chunk) <= CHUNK_BYTES
        read, start = read + chunk, start + len(chunk)
    assert read == LONG[5:-5]
    opened.close()


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_first_writer_wins(open_blobs: Open, *, streamed: bool) -> None:
    """The second is told what is there, and its own bytes are gone."""
    first = await open_blobs().put_absent(KEY, b"first")
    second = await open_blobs().put_absent(KEY, body(b"the second") if streamed else b"the second")

    assert (second.size, second.etag, second.won) == (5, first.etag, False)
    assert await content(open_blobs()) == b"first"


async def test_of_many_writers_one_wins(open_blobs: Open) -> None:
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


async def test_a_broken_put_leaves_nothing(open_blobs: Open, tmp_path: Path) -> None:
    """A body that raises half-way changes nothing and leaves no bytes behind."""
    blobs = open_blobs()
    with pytest.raises(ConnectionError):
        await blobs.put_absent(KEY, body(LONG, b"rest", then=ConnectionError()))
    with pytest.raises(BlobNotFound):
        await blobs.stat(KEY)
    assert await keys(blobs) == []
    assert files(tmp_path) == []


async def test_a_cancelled_put_leaves_nothing(open_blobs: Open, tmp_path: Path) -> None:
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
    assert files(tmp_path) == []


async def test_what_is_not_there_is_not_found(open_blobs: Open) -> None:
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


async def test_deleting_forgets(open_blobs: Open) -> None:
    """Once or twice; the key is then free for another; an open reader may finish."""
    blobs = open_blobs()
    await blobs.put_absent(KEY, LONG)
    reading = chunks_of(blobs, KEY)
    start = await anext(reading)

    await open_blobs().delete(KEY)
    await blobs.delete(KEY)

    assert start + b"".join([chunk async for chunk in reading]) == LONG
    with pytest.raises(BlobNotFound):
        await blobs.stat(KEY)
    assert (await blobs.put_absent(KEY, b"new")).won
    assert await content(open_blobs()) == b"new"


async def test_putting_while_neighbours_are_deleted(open_blobs: Open) -> None:
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


async def test_listing_by_prefix(open_blobs: Open) -> None:
    """A prefix is of the key, not of a folder."""
    blobs = open_blobs()
    for key in ("v1/g1/a/0", "v1/g1/a/1", "v1/g10/a/0", "v2/g/0"):
        await blobs.put_absent(BlobKey(key), key.encode())

    assert await keys(blobs) == ["v1/g1/a/0", "v1/g1/a/1", "v1/g10/a/0", "v2/g/0"]
    assert await keys(blobs, "v1/g1/") == ["v1/g1/a/0", "v1/g1/a/1"]
    assert await keys(blobs, "v1/g1") == ["v1/g1/a/0", "v1/g1/a/1", "v1/g10/a/0"]
    assert await keys(blobs, "v3") == []
    assert [item async for item in blobs.list("v2")] == [("v2/g/0", 6)]


async def test_extents_read_as_one(open_blobs: Open) -> None:
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


async def test_an_extent_that_is_gone(open_blobs: Open) -> None:
    await open_blobs().put_absent(BlobKey("u/0"), b"abc")
    reader = open_blobs().reader([Extent("u/0", 3), Extent("u/1", 3)])
    assert reader.read_at(0, 3) == b"abc"
    with pytest.raises(BlobNotFound):
        reader.read_at(2, 2)


async def test_a_store_says_its_room(open_blobs: Open) -> None:
    assert await open_blobs().free_bytes() > 0


async def test_a_part_has_an_address(open_blobs: Open) -> None:
    ticket = await open_blobs().part_url(KEY, length=3, checksum="00" * 32, expires_at=2e9)
    assert ticket.method == "PUT"
    assert KEY in ticket.url


@pytest.mark.parametrize(
    "text",
    ["", "/a", "a/", "a//b", "..", "a/../b", "./a", "a/.b", "a b", "a\n", "a\x00", "é", "a" * 201],
)
async def test_what_is_no_key(open_blobs: Open, text: str) -> None:
    """No text leads out of the store, whoever calls."""
    with pytest.raises(InvalidInput):
        blob_key(text)
    with pytest.raises(InvalidInput):
        await open_blobs().put_absent(BlobKey(text), b"")


CHILD = """
import asyncio, sys
from pathlib import Path
from headwater.engines.blobs.filesystem import FileBlobs
from headwater.engines.blobs.port import BlobKey

async def put(blobs, part):
    async def body(i):
        for _ in range(8):
            yield f"{part} {i} ".encode() * 30_000
    for i in range(10_000):
        await blobs.put_absent(BlobKey(f"{part}/{i}"), body(i))
        print(f"{part}/{i}", flush=True)

async def main():
    blobs = FileBlobs(Path(sys.argv[1]), secret=b"")
    await asyncio.gather(*(put(blobs, part) for part in range(4)))

asyncio.run(main())
"""


@pytest.mark.parametrize("acknowledged", [1, 9, 20])
async def test_kill_leaves_whole_blobs_or_none(
    open_blobs: Open, tmp_path: Path, acknowledged: int
) -> None:
    """Killed while writing: what was acknowledged is there, what is there is whole."""
    seen = said_before_kill(CHILD, tmp_path / "store", lines=acknowledged)

    blobs = open_blobs()
    there = await keys(blobs)
    assert set(seen) <= set(there)
    for key in there:
        text = " ".join(key.split("/")) + " "
        assert await content(blobs, BlobKey(key)) == text.encode() * 240_000
        assert (await blobs.stat(BlobKey(key))).etag == xxh3_128(
            text.encode() * 240_000
        ).hexdigest()
