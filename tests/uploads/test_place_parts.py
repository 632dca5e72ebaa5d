"""Parts that clients put into the store themselves."""

import hashlib
import os
from urllib.parse import parse_qsl, urlsplit

import pytest
from msgspec.structs import replace

from headwater.engines.blobs.port import PartTicket
from headwater.model.errors import (
    ChecksumMismatch,
    Conflict,
    Forbidden,
    InvalidInput,
    TooLarge,
    UploadNotFound,
)
from headwater.model.ids import AccountId, UploadId
from headwater.uploads.place_parts import TICKET_S, PlacedPart
from tests.uploads.system import ROOMY, System, body, member

pytestmark = pytest.mark.anyio


def part_of(content: bytes, start: int, stop: int) -> PlacedPart:
    piece = content[start:stop]
    return PlacedPart(start=start, length=len(piece), sha256=hashlib.sha256(piece).hexdigest())


async def ticket(system: System, upload: UploadId, part: PlacedPart) -> PartTicket:
    found: PartTicket = await system.ask("uploads.part_url", upload_id=upload, part=part)
    return found


async def put(system: System, ticket: PartTicket, piece: bytes) -> None:
    """Do what the face does with a PUT at the ticket's address."""
    address = urlsplit(ticket.url)
    await system.ask(
        "uploads.put_part",
        key=address.path.removeprefix("/api/v1/uploads/parts/"),
        query=dict(parse_qsl(address.query)),
        body=body([piece]),
        content_length=len(piece),
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


async def test_parts_of_a_deferred_length_keep_to_the_limits(system: System) -> None:
    system.use(limits=replace(ROOMY, file_limit_bytes=100))
    upload = await system.create(None)
    with pytest.raises(TooLarge):
        await ticket(system, upload.id, PlacedPart(start=50, length=51, sha256="0" * 64))
