"""A server that is behind asks new uploads to come later, before their bytes, in every protocol."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from headwater.model.ids import UploadId
from tests.faces.tus.serving import TUS, Served, id_of, serve_system

pytestmark = pytest.mark.anyio
UPLOADS = "/api/v1/uploads/"
WAIT_S = 0.001  # the shortest: whatever waits at all has waited longer


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serve_system(tmp_path / "served") as served:
        yield served


async def fall_behind(served: Served) -> None:
    """Let an upload wait to become playable, which no worker here will ever make it."""
    address = await served.create(3)
    assert (await served.patch(address, 0, b"abc")).status_code == 204
    served.system.use(wait_s=WAIT_S)


async def test_a_creation_is_told_when_to_come_back(served: Served) -> None:
    await fall_behind(served)

    answer = await served.http.post(UPLOADS, headers={**TUS, "Upload-Length": "5"})

    assert answer.status_code == 503
    assert answer.json()["code"] == "overloaded"
    assert answer.json()["retryable"]
    assert int(answer.headers["retry-after"]) > 0


async def test_a_plain_upload_is_told_before_its_body(served: Served) -> None:
    """Both forms of it; a client that waits for 100 Continue has sent nothing."""
    await fall_behind(served)

    whole = await served.http.post("/api/v1/videos?filename=a.mp4", content=b"abc")
    form = await served.http.post("/api/v1/videos", files={"file": ("a.mp4", b"abc")})

    for answer in (whole, form):
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert int(answer.headers["retry-after"]) > 0


async def test_who_asks_what_the_server_takes_hears_it_too(served: Served) -> None:
    assert "retry-after" not in (await served.http.options(UPLOADS)).headers
    await fall_behind(served)

    answer = await served.http.options(UPLOADS)

    assert answer.status_code == 204
    assert int(answer.headers["retry-after"]) > 0


async def test_an_upload_that_has_begun_goes_on(served: Served) -> None:
    begun = await served.create(6)
    await fall_behind(served)

    assert (await served.patch(begun, 0, b"abc")).status_code == 204
    assert (await served.patch(begun, 3, b"def")).status_code == 204

    upload = await served.system.ask("uploads.inspect", upload_id=UploadId(id_of(begun)))
    assert upload.completed_at is not None
