"""Uploads into a bucket: through any server, or straight to it; no server keeps a byte of them."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace

from headwater.engines.blobs.port import PartTicket
from headwater.model.errors import Forbidden, Gone, InvalidInput, TooLarge
from headwater.model.ids import UploadId
from headwater.uploads.place_parts import TICKET_S, PlacedPart
from tests.uploads.system import ROOMY, System, open_system
from tests.uploads.test_place_parts import commit, left_bytes, part_of

pytestmark = pytest.mark.anyio


@pytest.fixture
async def servers(tmp_path: Path, bucket_url: str) -> AsyncIterator[list[System]]:
    """Two servers with the same settings but for their folders."""
    rows = f"sqlite:{tmp_path / 'rows.sqlite3'}"
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                open_system(tmp_path / name, database=rows, blobs=bucket_url)
            )
            for name in ("one", "two")
        ]


async def ticket(system: System, upload: UploadId, part: PlacedPart) -> PartTicket:
    found: PartTicket = await system.ask("uploads.part_url", upload_id=upload, part=part)
    return found


async def put(ticket: PartTicket, piece: bytes) -> int:
    async with httpx.AsyncClient() as http:
        answer = await http.request(
            ticket.method, ticket.url, content=piece, headers=ticket.headers
        )
    return answer.status_code


async def test_any_server_goes_on(servers: list[System], tmp_path: Path) -> None:
    """What one server received, another continues; nothing lies on a disk of either."""
    one, two = servers
    content = os.urandom(3_000_000)
    upload = await one.create(len(content))
    await one.append(upload.id, 0, content[:1_000_000], content[1_000_000:1_500_000])
    assert await two.offset(upload.id) == 1_500_000
    await two.append(upload.id, 1_500_000, content[1_500_000:2_000_000])
    done = await one.append(upload.id, 2_000_000, content[2_000_000:])

    assert await two.source(done) == content
    assert not list(tmp_path.glob("*/blobs"))


async def test_parts_go_straight_to_the_bucket(servers: list[System]) -> None:
    """In any order, twice, asked of one server and committed by another."""
    one, two = servers
    content = os.urandom(3000)
    upload = await one.create(len(content))
    parts = [part_of(content, start, start + 1000) for start in (0, 1000, 2000)]
    for part in [*reversed(parts), parts[0]]:
        piece = content[part.start : part.end]
        assert await put(await ticket(one, upload.id, part), piece) == 200
    assert await commit(two, upload.id, *parts) == 3000

    done = await two.ask("uploads.inspect", upload_id=upload.id)
    assert await two.source(done) == content
    with pytest.raises(Gone):
        await ticket(one, upload.id, part_of(content, 0, 10))


async def test_a_part_that_is_not_there_is_not_committed(servers: list[System]) -> None:
    one, _ = servers
    content = os.urandom(2000)
    upload = await one.create(len(content))
    part = part_of(content, 0, 1000)
    address = await ticket(one, upload.id, part)
    with pytest.raises(InvalidInput):
        await commit(one, upload.id, part)
    assert await put(address, content[1000:]) == 400  # other bytes
    with pytest.raises(InvalidInput):
        await commit(one, upload.id, part)


async def test_parts_count_from_their_ticket_on(servers: list[System]) -> None:
    """A bucket tells nobody when a part arrives; each counts once."""
    one, _ = servers
    one.use(limits=replace(ROOMY, quota_bytes=100))
    content = os.urandom(60)
    upload = await one.create(60)
    for _ in range(2):
        await ticket(one, upload.id, part_of(content, 0, 60))
    assert await left_bytes(one) == 40  # the length was counted already
    with pytest.raises(TooLarge):
        await ticket(one, upload.id, part_of(os.urandom(60), 0, 60))
    await ticket(one, upload.id, part_of(os.urandom(10), 0, 10))
    assert await left_bytes(one) == 30


async def test_what_comes_after_the_end_is_tidied(servers: list[System]) -> None:
    """A ticket outlives its upload by an hour at most, and so does the note of what to remove."""
    one, two = servers
    content = os.urandom(100)
    upload = await one.create(200)
    late = await ticket(one, upload.id, part_of(content, 0, 100))
    await one.ask("uploads.terminate", upload_id=upload.id)
    await one.ask_as_system("uploads.tidy", upload_id=upload.id)
    assert await put(late, content) == 200
    assert await one.keys(upload.id) != []

    two.use(ahead_s=TICKET_S - 60)
    await two.ask_as_system("uploads.expire")
    assert await one.keys(upload.id) != []
    two.use(ahead_s=TICKET_S + 60)
    await two.ask_as_system("uploads.expire")
    assert await one.keys(upload.id) == []


async def test_the_server_takes_no_parts_for_a_bucket(servers: list[System]) -> None:
    with pytest.raises(Forbidden):
        await servers[0].ask(
            "uploads.put_part", key="uploads/a/0-1-a", query={}, body=None, content_length=1
        )
