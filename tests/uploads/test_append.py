"""Bytes that count are stored, in order, whatever happens around them."""

import base64
import hashlib
import os
import zlib
from collections.abc import AsyncIterator

import anyio
import pytest

from headwater.model.errors import (
    ChecksumMismatch,
    Conflict,
    Gone,
    InvalidInput,
    OffsetMismatch,
    TooLarge,
    Unavailable,
    UploadLocked,
    UploadNotFound,
)
from headwater.model.ids import AccountId, UploadId
from headwater.uploads import appending, repository
from headwater.uploads.checksums import Checksum
from headwater.uploads.turn import LOCK_S
from tests.support.databases import KINDS
from tests.uploads.system import Faucet, System, body, member, until
from tests.uploads.test_place_parts import commit, part_of, put, ticket

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("kept_in", KINDS, indirect=True)]


async def test_the_last_byte_completes_the_upload(system: System) -> None:
    """Its source holds exactly the bytes, its video goes on to be processed."""
    content = os.urandom(100_000)
    upload = await system.create(len(content))
    assert upload.video is not None
    video = await system.ask("videos.get", video_id=upload.video)
    assert (video.state, video.title) == ("uploading", "harbour")

    half = await system.append(upload.id, 0, content[:40_000])
    assert (half.offset, half.completed_at) == (40_000, None)
    done = await system.append(upload.id, 40_000, content[40_000:])

    assert done.completed_at is not None
    assert await system.source(done) == content
    video = await system.ask("videos.get", video_id=upload.video)
    assert (video.state, video.source_bytes) == ("processing", len(content))
    fact = {"video": upload.video, "upload": upload.id}
    assert ("video.uploaded", fact) in await system.facts()


async def test_a_body_is_cut_into_parts(system: System) -> None:
    """No blob is larger than a part, and the parts follow each other."""
    content = os.urandom(appending.PART_BYTES * 2 + 12_345)
    upload = await system.create(len(content))

    done = await system.append(
        upload.id, 0, *(content[i : i + 70_000] for i in range(0, len(content), 70_000))
    )

    assert await system.source(done) == content
    sizes = [(await system.blobs.stat(key)).size for key in await system.keys(upload.id)]
    assert sorted(sizes) == [12_345, appending.PART_BYTES, appending.PART_BYTES]


async def test_an_empty_file_is_refused(system: System) -> None:
    """tus allows a creation of no bytes, and allows to refuse one: a video has some.

    A part of a concatenation may have none, and is complete at once, as clients send no PATCH for
    nothing; all of them together may not.
    """
    with pytest.raises(InvalidInput, match="empty"):
        await system.create(0)
    part = await system.create(0, partial=True)
    assert part.completed_at is not None

    with pytest.raises(InvalidInput, match="empty"):
        await system.ask("uploads.concatenate", parts=[part.id], metadata={})


async def test_completing_twice_changes_nothing(system: System) -> None:
    """A client that lost the answer may ask again."""
    upload = await system.create(3)
    before = await system.used_bytes()
    await system.append(upload.id, 0, b"abc")

    assert (await system.append(upload.id, 3)).offset == 3
    assert (await system.ask("uploads.complete", upload_id=upload.id)).offset == 3
    assert await system.used_bytes() == before + 3
    with pytest.raises(TooLarge):
        await system.append(upload.id, 3, b"d")


async def test_a_body_that_breaks_off_is_kept_so_far(system: System) -> None:
    """What arrived before the connection died is a shorter part."""
    upload = await system.create(10)

    with pytest.raises(InvalidInput, match="cable"):
        await system.ask(
            "uploads.append",
            upload_id=upload.id,
            offset=0,
            body=body([b"abc", b"de"], then=InvalidInput("cable")),
        )
    assert await system.offset(upload.id) == 5
    done = await system.append(upload.id, 5, b"fghij")
    assert await system.source(done) == b"abcdefghij"


@pytest.mark.parametrize("offset", [0, 4, 11])
async def test_a_wrong_offset_is_refused_before_the_body(system: System, offset: int) -> None:
    """Only the end of the upload can be written to; nothing of the body is read."""
    upload = await system.create(10)
    await system.append(upload.id, 0, b"abc")

    with pytest.raises(OffsetMismatch):
        await system.ask("uploads.append", upload_id=upload.id, offset=offset, body=untouchable())
    assert await system.offset(upload.id) == 3


async def test_more_bytes_than_announced_are_refused(system: System) -> None:
    """Before a byte is read if the length says so, else at the byte; none beyond is stored."""
    upload = await system.create(10)

    with pytest.raises(TooLarge):
        await system.ask(
            "uploads.append", upload_id=upload.id, offset=0, body=untouchable(), content_length=11
        )
    with pytest.raises(TooLarge):
        await system.append(upload.id, 0, b"abcdefgh", b"ijkl")
    assert await system.offset(upload.id) == 0
    assert await system.keys(upload.id) == []


async def test_somebody_elses_upload_does_not_exist(system: System) -> None:
    """Neither its offset nor its existence is told."""
    upload = await system.create(10)
    owner, system.actor = system.actor, member(AccountId("somebody"))
    try:
        for name in ("inspect", "complete", "terminate"):
            with pytest.raises(UploadNotFound):
                await system.ask(f"uploads.{name}", upload_id=upload.id)
        with pytest.raises(UploadNotFound):
            await system.ask("uploads.append", upload_id=upload.id, offset=0, body=untouchable())
    finally:
        system.actor = owner
    with pytest.raises(UploadNotFound):
        await system.offset(UploadId("nothing"))


# Checksums


def digests(content: bytes) -> dict[str, bytes]:
    return {
        "sha1": hashlib.sha1(content).digest(),
        "sha256": hashlib.sha256(content).digest(),
        "md5": hashlib.md5(content).digest(),
        "crc32": zlib.crc32(content).to_bytes(4, "big"),
    }


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5", "crc32"])
async def test_a_right_checksum_lets_the_body_count(system: System, algorithm: str) -> None:
    """And a wrong one leaves nothing of it, neither offset nor blob."""
    content = os.urandom(3_000_000)
    upload = await system.create(len(content) + 1)
    checksum = Checksum(algorithm, digests(content)[algorithm])

    flipped = bytes([content[0] ^ 1]) + content[1:]
    with pytest.raises(ChecksumMismatch):
        await system.append(upload.id, 0, flipped, checksum=checksum)
    assert await system.offset(upload.id) == 0
    assert await system.keys(upload.id) == []

    assert (await system.append(upload.id, 0, content, checksum=checksum)).offset == len(content)


async def test_a_checked_body_of_several_parts_counts_whole(system: System) -> None:
    """All its parts are published together, after the last of them was checked."""
    content = os.urandom(appending.PART_BYTES + 5)
    upload = await system.create(len(content))
    chunks = [content[i : i + 1_000_000] for i in range(0, len(content), 1_000_000)]
    wrong = Checksum("sha1", digests(content + b"!")["sha1"])

    with pytest.raises(ChecksumMismatch):
        await system.append(upload.id, 0, *chunks, checksum=wrong)
    assert (await system.offset(upload.id), await system.keys(upload.id)) == (0, [])
    done = await system.append(
        upload.id, 0, *chunks, checksum=Checksum("sha1", digests(content)["sha1"])
    )
    assert await system.source(done) == content


@pytest.mark.parametrize(
    "checksum", [Checksum("md4", b"\0" * 16), Checksum("sha1", base64.b64decode("AAAA"))]
)
async def test_an_unknown_checksum_is_refused_before_the_body(
    system: System, checksum: Checksum
) -> None:
    """An algorithm we do not announce, or a digest it cannot give."""
    upload = await system.create(10)
    with pytest.raises(InvalidInput):
        await system.ask(
            "uploads.append", upload_id=upload.id, offset=0, body=untouchable(), checksum=checksum
        )


# Deferred lengths


async def test_a_deferred_length_can_be_said_with_a_later_part(system: System) -> None:
    """Then, and only then, the upload can become complete."""
    upload = await system.create(None)
    assert (await system.append(upload.id, 0, b"abc")).completed_at is None
    with pytest.raises(InvalidInput):
        await system.append(upload.id, 3, length=2)

    done = await system.append(upload.id, 3, b"de", length=5)
    assert done.completed_at is not None
    assert await system.source(done) == b"abcde"


async def test_a_deferred_length_ends_where_the_client_says(system: System) -> None:
    """An empty body with the length, or a request to complete."""
    said = await system.create(None)
    await system.append(said.id, 0, b"abc")
    assert (await system.append(said.id, 3, length=3)).completed_at is not None

    asked = await system.create(None)
    await system.append(asked.id, 0, b"abc")
    done = await system.ask("uploads.complete", upload_id=asked.id)
    assert (done.length, await system.source(done)) == (3, b"abc")


async def test_a_said_length_cannot_change(system: System) -> None:
    upload = await system.create(5)
    with pytest.raises(InvalidInput):
        await system.append(upload.id, 0, b"abc", length=6)


# Two writers


async def untouchable() -> AsyncIterator[bytes]:
    pytest.fail("the body was read")
    yield b""


async def test_a_second_writer_is_told_to_wait(system: System) -> None:
    """Whoever comes second has nothing read of it; the first goes on undisturbed."""
    upload = await system.create(6)
    faucet = Faucet()
    async with anyio.create_task_group() as group:
        group.start_soon(first_writer, system, upload.id, faucet)
        faucet.give(b"abc")
        await until(lambda: is_locked(system, upload.id))

        with pytest.raises(UploadLocked):
            await system.ask("uploads.append", upload_id=upload.id, offset=0, body=untouchable())
        faucet.give(b"def")
        faucet.end()

    assert await system.offset(upload.id) == 6


async def first_writer(system: System, upload: UploadId, faucet: Faucet) -> None:
    await system.ask("uploads.append", upload_id=upload, offset=0, body=faucet)


async def is_locked(system: System, upload: UploadId) -> bool:
    async with system.engines.reader(system.actor) as work:
        held = await repository.find_held(work.session, upload)
    return held is not None and held.holder is not None


async def test_a_silent_writer_gives_way(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that died unnoticed keeps nobody waiting; its late bytes do not count."""
    monkeypatch.setattr(appending, "SILENCE_S", 0.05)
    upload = await system.create(6)
    faucet, outcome = Faucet(), []

    async def silent() -> None:
        try:
            await first_writer(system, upload.id, faucet)
        except UploadLocked as error:
            outcome.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(silent)
        faucet.give(b"abc")
        await until(lambda: arrived(system, upload.id, 3))
        await until(lambda: is_free(system, upload.id))
        await system.append(upload.id, 3, b"d")
        faucet.give(b"XYZ")
        faucet.end()

    assert outcome
    done = await system.append(upload.id, 4, b"ef")
    assert await system.source(done) == b"abcdef"


async def test_a_silent_writer_may_go_on_alone(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If nobody came meanwhile, it takes its turn again."""
    monkeypatch.setattr(appending, "SILENCE_S", 0.05)
    upload = await system.create(6)
    faucet = Faucet()
    async with anyio.create_task_group() as group:
        group.start_soon(first_writer, system, upload.id, faucet)
        faucet.give(b"abc")
        await until(lambda: arrived(system, upload.id, 3))
        await until(lambda: is_free(system, upload.id))
        faucet.give(b"def")
        faucet.end()
    assert await system.offset(upload.id) == 6


async def test_a_dead_connection_ends(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body without a byte for a minute is over."""
    monkeypatch.setattr(appending, "SILENCE_S", 0.02)
    monkeypatch.setattr(appending, "IDLE_S", 0.1)
    upload = await system.create(6)
    with pytest.raises(Unavailable):
        await first_writer(system, upload.id, Faucet())


async def arrived(system: System, upload: UploadId, offset: int) -> bool:
    return await system.offset(upload) == offset


async def is_free(system: System, upload: UploadId) -> bool:
    return not await is_locked(system, upload)


async def test_a_lock_of_a_killed_server_lapses(system: System) -> None:
    """Nobody waits longer than the lock's time."""
    upload = await system.create(3)
    async with system.engines.writer(system.actor) as work:
        await repository.lock(
            work.session,
            upload.id,
            holder="dead",
            now=work.now,
            until=work.now + LOCK_S,
            expires_at=upload.expires_at,
        )
    with pytest.raises(UploadLocked):
        await system.append(upload.id, 0, b"abc")
    system.use(ahead_s=LOCK_S + 0.1)
    assert (await system.append(upload.id, 0, b"abc")).offset == 3


async def test_a_writer_that_lost_its_lock_publishes_nothing(system: System) -> None:
    """Its part is stored for nobody and goes again."""
    upload = await system.create(6)
    faucet, outcome = Faucet(), []

    async def loser() -> None:
        try:
            await first_writer(system, upload.id, faucet)
        except UploadLocked as error:
            outcome.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(loser)
        faucet.give(b"XYZ")
        await until(lambda: is_locked(system, upload.id))
        system.use(ahead_s=60)
        await system.append(upload.id, 0, b"abc")
        faucet.end()

    assert outcome
    assert await system.offset(upload.id) == 3
    assert [await system.content(key) for key in await system.keys(upload.id)] == [b"abc"]


async def test_a_part_put_while_the_lock_had_lapsed_is_not_overlapped(system: System) -> None:
    """The writer's part for the same bytes goes again; what is missing can still be sent."""
    content = os.urandom(6)
    upload = await system.create(6)
    tail = part_of(content, 2, 6)
    await put(system, await ticket(system, upload.id, tail), content[2:])
    faucet, outcome = Faucet(), []

    async def loser() -> None:
        try:
            await first_writer(system, upload.id, faucet)
        except Conflict as error:
            outcome.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(loser)
        faucet.give(b"XYZ")
        await until(lambda: is_locked(system, upload.id))
        system.use(ahead_s=60)
        assert await commit(system, upload.id, tail) == 0
        faucet.end()

    assert outcome
    assert await system.offset(upload.id) == 0
    head = part_of(content, 0, 2)
    await put(system, await ticket(system, upload.id, head), content[:2])
    assert await commit(system, upload.id, head) == 6
    assert await system.source(upload) == content


async def test_an_upload_given_up_meanwhile_keeps_nothing(system: System) -> None:
    """The writer finds it gone at its next part."""
    upload = await system.create(6)
    faucet, outcome = Faucet(), []

    async def writer() -> None:
        try:
            await first_writer(system, upload.id, faucet)
        except Gone as error:
            outcome.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(writer)
        faucet.give(b"abc")
        await until(lambda: is_locked(system, upload.id))
        await system.ask("uploads.terminate", upload_id=upload.id)
        faucet.end()

    assert outcome
    assert await system.keys(upload.id) == []
