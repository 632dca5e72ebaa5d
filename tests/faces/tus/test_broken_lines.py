"""Connections that die, servers that are killed: the offset stays true, the bytes right."""

import asyncio
import contextlib
import os
import socket
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest
from anyio.abc import Process

from headwater import roles
from headwater.uploads import appending
from tests.faces.tus.serving import BODY, TUS, Served, id_of, request_head
from tests.faces.tus.test_protocol import is_locked
from tests.uploads.system import open_system, until

pytestmark = pytest.mark.anyio
UPLOADS = "/api/v1/uploads/"


def send_some(served: Served, address: str, content: bytes, *, length: int) -> socket.socket:
    """Send *content* as the beginning of a PATCH of *length* bytes and leave it there."""
    line = served.connect()
    headers = {**BODY, "Upload-Offset": "0", "Content-Length": str(length)}
    line.sendall(request_head(served, "PATCH", address, headers) + content)
    return line


@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_what_arrived_before_a_line_died_is_kept(served: Served, how: str) -> None:
    """And the lock is free at once, so the client resumes without waiting."""
    content = os.urandom(500_000)
    address = await served.create(len(content))
    line = await asyncio.to_thread(
        send_some, served, address, content[:200_000], length=len(content)
    )
    await until(lambda: is_locked(served, address))
    if how == "reset":
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()

    await until(lambda: is_free(served, address))
    offset = await served.offset(address)
    assert 0 < offset <= 200_000
    if how == "closed":
        assert offset == 200_000
    assert (await served.patch(address, offset, content[offset:])).status_code == 204
    assert await served.source(address) == content


async def is_free(served: Served, address: str) -> bool:
    return not await is_locked(served, address)


async def test_a_line_that_died_unnoticed_gives_way(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client that comes back over another one resumes after a moment of silence."""
    monkeypatch.setattr(appending, "SILENCE_S", 0.2)
    address = await served.create(10)
    line = await asyncio.to_thread(send_some, served, address, b"abcd", length=10)
    with line:
        await until(lambda: resumed(served, address, b"abcdefghij"))
    assert await served.source(address) == b"abcdefghij"


async def resumed(served: Served, address: str, content: bytes) -> bool:
    offset = await served.offset(address)
    if not offset:
        return False
    answer = await served.patch(address, offset, content[offset:])
    assert answer.status_code in {204, 423}
    return answer.status_code == 204


async def test_a_checked_body_that_broke_off_is_forgotten(served: Served) -> None:
    """Its checksum cannot be right."""
    address = await served.create(10)
    line = served.connect()
    headers = {
        **BODY,
        "Upload-Offset": "0",
        "Content-Length": "10",
        "Upload-Checksum": "sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
    }
    line.sendall(request_head(served, "PATCH", address, headers) + b"abc")
    await until(lambda: is_locked(served, address))
    line.close()
    await until(lambda: is_free(served, address))
    assert await served.offset(address) == 0
    await until(lambda: has_no_blobs(served, address))


async def has_no_blobs(served: Served, address: str) -> bool:
    return await served.system.keys(id_of(address)) == []


async def test_a_plain_upload_that_broke_off_leaves_nothing(served: Served) -> None:
    """Nobody could resume it, so its video goes with it."""
    before = await videos(served)
    line = served.connect()
    head = request_head(served, "POST", "http://x/api/v1/videos", {"Content-Length": "10"})
    line.sendall(head + b"abc")
    await until(lambda: has_another_video(served, before))
    line.close()
    await until(lambda: has_the_same_videos(served, before))


async def has_another_video(served: Served, before: list[str]) -> bool:
    return len(await videos(served)) == len(before) + 1


async def has_the_same_videos(served: Served, before: list[str]) -> bool:
    return await videos(served) == before


async def videos(served: Served) -> list[str]:
    page = await served.system.ask("videos.mine")
    return [video.id for video in page.videos]


# A server that is killed


@asynccontextmanager
async def running(folder: Path, port: int) -> AsyncIterator[tuple[httpx.AsyncClient, Process]]:
    """Run a server in a process of its own, until it is killed."""
    command = [sys.executable, "-m", "tests.faces.tus.serve_process", str(folder), str(port)]
    process = await anyio.open_process(command, stderr=None)
    try:
        assert process.stdout is not None
        with anyio.fail_after(20):
            key = (await process.stdout.receive()).decode().strip()
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {key}"},
            timeout=20,
        ) as http:
            yield http, process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.aclose()


async def test_a_killed_server_remembers_what_it_acknowledged(tmp_path: Path) -> None:
    """Again and again in the middle of a body: the offset never lies and never goes back."""
    content = os.urandom(6_000_000)
    port = roles.free_port("127.0.0.1")
    address, acknowledged = "", 0
    for pause_s in (0.05, 0.2):
        async with running(tmp_path, port) as (http, process):
            address = address or await create(http, len(content))
            assert acknowledged <= await offset_of(http, address)
            acknowledged = await send(http, address, content, stop=acknowledged + 900_000)
            async with anyio.create_task_group() as group:
                group.start_soon(send_slowly, http, address, content, acknowledged)
                await anyio.sleep(pause_s)
                process.kill()
    async with running(tmp_path, port) as (http, process):
        assert await send(http, address, content, stop=len(content)) == len(content)
    assert await stored(tmp_path, address) == content


async def create(http: httpx.AsyncClient, length: int) -> str:
    answer = await http.post(UPLOADS, headers={**TUS, "Upload-Length": str(length)})
    return answer.headers["location"]


async def offset_of(http: httpx.AsyncClient, address: str) -> int:
    return int((await http.head(address, headers=TUS)).headers["upload-offset"])


async def send(http: httpx.AsyncClient, address: str, content: bytes, *, stop: int) -> int:
    """Send up to *stop*, as soon as the lock of the life before has lapsed."""
    with anyio.fail_after(20):
        while True:
            offset = await offset_of(http, address)
            headers = {**BODY, "Upload-Offset": str(offset)}
            answer = await http.patch(address, headers=headers, content=content[offset:stop])
            if answer.status_code != 423:
                assert answer.status_code == 204
                return int(answer.headers["upload-offset"])
            await anyio.sleep(0.05)


async def send_slowly(http: httpx.AsyncClient, address: str, content: bytes, offset: int) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(offset, len(content) - 1, 100_000):
            yield content[start : start + 100_000]
            await anyio.sleep(0.01)

    headers = {**BODY, "Upload-Offset": str(offset)}
    with pytest.raises(httpx.HTTPError):  # the server dies meanwhile
        await http.patch(address, headers=headers, content=pieces())


async def stored(folder: Path, address: str) -> bytes:
    async with open_system(folder) as system:
        upload = await system.ask("uploads.inspect", upload_id=id_of(address))
        await system.ask_as_system("uploads.tidy", upload_id=upload.id)
        assert len(await system.keys(upload.id)) == len(await system.extents(upload))
        return await system.source(upload)
