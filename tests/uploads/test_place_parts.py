"""Parts that clients put into the store themselves."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from msgspec.structs import replace

from headwater.engines.blobs.port import PartTicket
from headwater.model.errors import (
    ChecksumMismatch,
    Conflict,
    Forbidden,
    Gone,
    HeadwaterError,
    InvalidInput,
    StorageFull,
    TooLarge,
    UploadNotFound,
)
from headwater.model.ids import AccountId, UploadId
from headwater.uploads import repository
from headwater.uploads.place_parts import TICKET_S, PlacedPart
from headwater.uploads.turn import LOCK_S
from tests.uploads.system import ROOMY, Faucet, System, body, member, open_system, until

pytestmark = pytest.mark.anyio


@pytest.fixture
async def fresh(tmp_path: Path) -> AsyncIterator[System]:
    """A system of its own: the quota of an account is counted from nothing."""
    async with open_system(tmp_path) as system:
        yield system


def part_of(content: bytes, start: int, stop: int) -> PlacedPart:
    piece = content[start:stop]
    return PlacedPart(start=start, length=len(piece), sha256=hashlib.sha256(piece).hexdigest())


async def ticket(system: System, upload: UploadId, part: PlacedPart) -> PartTicket:
    found: PartTicket = await system.ask("uploads.part_url", upload_id=upload, part=part)
    return found


async def put(system: System, ticket: PartTicket, piece: bytes | Faucet) -> None:
    """Do what the face does with a PUT at the ticket's address."""
    address = urlsplit(ticket.url)
    await system.ask(
        "uploads.put_part",
        key=address.path.removeprefix("/api/v1/uploads/parts/"),
        query=dict(parse_qsl(address.query)),
        body=body([piece]) if isinstance(piece, bytes) else piece,
        content_length=len(piece) if isinstance(piece, bytes) else None,
    )


async def commit(system: System, upload: UploadId, *parts: PlacedPart) -> int:
    done = await system.ask("uploads.commit_parts", upload_id=upload, parts=parts)
    offset: int = done.offset
    return offset


async def test_parts_arrive_in_any_order(system: System) -> None:
    """The offset is where the first hole begins; without one the upload is complete."""
    content = os.urandom(3000)
    upload = await system.create(3000)
    parts = [part_of(content, start, start + 1000) for start in (0, 1000, 2000)]
    for part in parts:
        await put(system, await ticket(system, upload.id, part), content[part.start : part.end])

    assert await commit(system, upload.id, parts[2]) == 0
    with pytest.raises(Conflict):
        await system.append(upload.id, 0, content[:10])
    assert await commit(system, upload.id, parts[0], parts[0]) == 1000
    assert await commit(system, upload.id, parts[0], parts[1]) == 3000
    assert await commit(system, upload.id, *parts) == 3000
    done = await system.ask("uploads.inspect", upload_id=upload.id)
    assert done.completed_at is not None
    assert await system.source(done) == content


async def left_bytes(system: System) -> int:
    left: int = await system.ask("uploads.check", coming_bytes=0)
    return left


async def test_parts_count_from_their_put_on(fresh: System) -> None:
    """Committed or not, of a known length or not, and each of them once."""
    fresh.use(limits=replace(ROOMY, quota_bytes=100))
    content, other = os.urandom(60), os.urandom(60)
    upload = await fresh.create(60)
    part, rival = part_of(content, 0, 60), part_of(other, 0, 60)
    await put(fresh, await ticket(fresh, upload.id, part), content)
    assert await left_bytes(fresh) == 40  # the length was counted already
    with pytest.raises(TooLarge):
        await put(fresh, await ticket(fresh, upload.id, rival), other)
    small = part_of(other, 0, 10)
    for _ in range(2):
        await put(fresh, await ticket(fresh, upload.id, small), other[:10])
    assert await left_bytes(fresh) == 30

    late = await fresh.create(None)
    behind = part_of(other, 10, 30)
    with pytest.raises(ChecksumMismatch):
        await put(fresh, await ticket(fresh, late.id, behind), bytes(20))
    assert await left_bytes(fresh) == 30  # what did not arrive does not count
    await put(fresh, await ticket(fresh, late.id, behind), other[10:30])
    assert await left_bytes(fresh) == 10
    assert await commit(fresh, late.id, behind) == 0
    assert await left_bytes(fresh) == 10
    first = part_of(other, 0, 10)
    await put(fresh, await ticket(fresh, late.id, first), other[:10])
    assert await left_bytes(fresh) == 0
    with pytest.raises(TooLarge):
        await fresh.create(1)
    assert await commit(fresh, late.id, first) == 30

    assert await commit(fresh, upload.id, part) == 60
    assert await fresh.used_bytes() == 60
    assert await left_bytes(fresh) == 10  # the rest of a finished upload goes with its tidying


async def test_parts_put_and_bytes_sent_share_the_room(fresh: System) -> None:
    """What was put for an upload of unknown length is not there for its PATCH any more."""
    fresh.use(limits=replace(ROOMY, quota_bytes=100))
    content = os.urandom(90)
    upload = await fresh.create(None)
    behind = part_of(content, 50, 90)
    await put(fresh, await ticket(fresh, upload.id, behind), content[50:])
    with pytest.raises(TooLarge):
        await fresh.append(upload.id, 0, bytes(61))
    await fresh.append(upload.id, 0, content[:50])
    assert await commit(fresh, upload.id, behind) == 90


async def test_parts_follow_what_was_sent_in_order(system: System) -> None:
    """Both ways fill the same upload."""
    content = os.urandom(2000)
    upload = await system.create(2000)
    await system.append(upload.id, 0, content[:500])
    rest = part_of(content, 500, 2000)
    await put(system, await ticket(system, upload.id, rest), content[500:])
    assert await commit(system, upload.id, rest) == 2000


async def test_a_part_must_be_what_was_signed_for(system: System) -> None:
    """Other bytes, more of them, another address or an old one: nothing is stored."""
    content = os.urandom(100)
    upload = await system.create(100)
    part = part_of(content, 0, 100)
    signed = await ticket(system, upload.id, part)

    with pytest.raises(ChecksumMismatch):
        await put(system, signed, bytes(100))
    with pytest.raises(ChecksumMismatch):
        await put(system, signed, content[:50])
    with pytest.raises(TooLarge):
        await put(system, signed, content + b"!")
    with pytest.raises(Forbidden):
        await put(system, replace(signed, url=signed.url.replace("length=100", "length=99")), b"")
    with pytest.raises(Forbidden):
        await put(system, replace(signed, url=signed.url.replace("/0-100-", "/1-100-")), content)
    with pytest.raises(InvalidInput):
        await commit(system, upload.id, part)
    system.use(ahead_s=TICKET_S + 2)
    with pytest.raises(Forbidden):
        await put(system, signed, content)
    assert await system.keys(upload.id) == []


async def test_parts_keep_to_the_upload(system: System) -> None:
    """Neither beyond its length nor over each other, nor by somebody else."""
    content = os.urandom(100)
    upload = await system.create(100)
    with pytest.raises(TooLarge):
        await ticket(system, upload.id, replace(part_of(content, 0, 100), start=1))
    for wrong in (
        PlacedPart(start=-1, length=1, sha256="0" * 64),
        PlacedPart(start=0, length=0, sha256="0" * 64),
        PlacedPart(start=0, length=1, sha256="../" * 20),
    ):
        with pytest.raises(InvalidInput):
            await ticket(system, upload.id, wrong)
        with pytest.raises(InvalidInput):
            await commit(system, upload.id, wrong)
    with pytest.raises(InvalidInput):
        await commit(system, upload.id)

    one, two = part_of(content, 0, 60), part_of(content, 50, 100)
    for part in (one, two):
        await put(system, await ticket(system, upload.id, part), content[part.start : part.end])
    with pytest.raises(Conflict):
        await commit(system, upload.id, one, two)
    assert await commit(system, upload.id, one) == 60

    owner, system.actor = system.actor, member(AccountId("somebody"))
    try:
        with pytest.raises(UploadNotFound):
            await ticket(system, upload.id, two)
        with pytest.raises(UploadNotFound):
            await commit(system, upload.id, two)
    finally:
        system.actor = owner


async def test_a_part_is_taken_only_while_its_upload_takes_bytes(system: System) -> None:
    """Given up, expired, complete, or removed: a ticket of the hour before opens nothing."""
    content = os.urandom(100)
    part = part_of(content, 0, 100)
    given_up, expired, complete, removed = [await system.create(100) for _ in range(4)]
    tickets = [await ticket(system, u.id, part) for u in (given_up, expired, complete, removed)]

    await system.ask("uploads.terminate", upload_id=given_up.id)
    async with system.engines.writer(system.actor) as work:
        await repository.update_fields(work.session, expired.id, {"expires_at": work.now - 1})
        await repository.remove(work.session, removed.id)
    await system.append(complete.id, 0, content)

    for signed, error in zip(tickets, (Gone, Gone, Gone, UploadNotFound), strict=True):
        with pytest.raises(error):
            await put(system, signed, content)
    assert await system.keys(given_up.id) + await system.keys(expired.id) == []
    assert await system.keys(removed.id) == []


async def test_what_lands_after_its_upload_is_gone_does_not_stay(system: System) -> None:
    """Given up, and tidied away with its row, while the part still came."""
    content = os.urandom(100)
    upload = await system.create(100)
    signed = await ticket(system, upload.id, part_of(content, 0, 100))
    slow = Faucet()
    async with asyncio.TaskGroup() as group:
        putting = group.create_task(refused(system, signed, slow))
        slow.give(content[:50])
        await until(lambda: placed(system, upload.id))

        await system.ask("uploads.terminate", upload_id=upload.id)
        system.use(ahead_s=LOCK_S + 1)
        await system.ask_as_system("uploads.tidy", upload_id=upload.id)
        slow.give(content[50:])
        slow.end()

    assert isinstance(putting.result(), UploadNotFound)
    assert await system.keys(upload.id) == []


async def test_a_part_sent_over_two_connections_counts_though_the_first_one_ends(
    fresh: System,
) -> None:
    """Which one counted it, and which one brought it, may be two."""
    fresh.use(limits=replace(ROOMY, quota_bytes=100))
    content = os.urandom(60)
    upload = await fresh.create(None)
    signed = await ticket(fresh, upload.id, part_of(content, 0, 60))
    first, second = Faucet(), Faucet()
    async with asyncio.TaskGroup() as group:
        broken = group.create_task(refused(fresh, signed, first))
        await until(lambda: placed(fresh, upload.id))
        whole = group.create_task(refused(fresh, signed, second))
        second.give(content[:30])
        await until(lambda: second.is_taken)

        first.end()
        await until(broken.done)
        second.give(content[30:])
        second.end()

    assert isinstance(broken.result(), ChecksumMismatch)
    assert whole.result() is None
    assert await left_bytes(fresh) == 40


async def refused(system: System, ticket: PartTicket, slow: Faucet) -> HeadwaterError | None:
    """Put a part and return why it was not taken."""
    try:
        await put(system, ticket, slow)
    except HeadwaterError as error:
        return error
    return None


async def placed(system: System, upload: UploadId) -> int:
    async with system.engines.reader(system.actor) as work:
        return await repository.placed_bytes(work.session, upload)


async def test_a_part_keeps_to_limits_that_came_after_its_ticket(system: System) -> None:
    """The store's floor, the limit for files, and the length that was said since."""
    content = os.urandom(100)
    part = part_of(content, 0, 100)
    upload = await system.create(None)
    signed = await ticket(system, upload.id, part)

    system.use(limits=replace(ROOMY, floor_bytes=1 << 60))
    with pytest.raises(StorageFull):
        await put(system, signed, content)
    system.use(limits=replace(ROOMY, file_limit_bytes=99))
    with pytest.raises(TooLarge):
        await put(system, signed, content)
    system.use()
    await system.append(upload.id, 0, b"", length=99)
    with pytest.raises(TooLarge):
        await put(system, signed, content)
    assert await system.keys(upload.id) == []


async def test_a_deferred_length_does_not_end_before_a_hole(system: System) -> None:
    """The part beyond it would make the video longer than the upload."""
    content = os.urandom(100)
    upload = await system.create(None)
    ends = [part_of(content, 0, 30), part_of(content, 60, 100)]
    for part in ends:
        await put(system, await ticket(system, upload.id, part), content[part.start : part.end])
    assert await commit(system, upload.id, *ends) == 30
    with pytest.raises(Conflict):
        await system.ask("uploads.complete", upload_id=upload.id)

    middle = part_of(content, 30, 60)
    await put(system, await ticket(system, upload.id, middle), content[30:60])
    assert await commit(system, upload.id, middle) == 100
    done = await system.ask("uploads.complete", upload_id=upload.id)
    assert await system.source(done) == content


async def test_parts_of_a_deferred_length_keep_to_the_limits(system: System) -> None:
    system.use(limits=replace(ROOMY, file_limit_bytes=100))
    upload = await system.create(None)
    with pytest.raises(TooLarge):
        await ticket(system, upload.id, PlacedPart(start=50, length=51, sha256="0" * 64))
