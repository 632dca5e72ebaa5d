"""tus 1.0.0 as its specification says it, request by request."""

import base64
import hashlib
import os
import zlib
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime

import anyio
import httpx
import pytest
from msgspec.structs import replace

from headwater.uploads import repository
from tests.faces.tus.serving import BODY, TUS, Served, id_of, metadata
from tests.uploads.system import ROOMY, Faucet, body, until

pytestmark = pytest.mark.anyio
UPLOADS = "/api/v1/uploads/"


async def test_the_server_says_what_it_can(served: Served) -> None:
    """OPTIONS needs neither version nor account."""
    async with httpx.AsyncClient(base_url=served.url) as nobody:
        answer = await nobody.options(UPLOADS)
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert answer.headers["tus-resumable"] == "1.0.0"
    assert answer.headers["tus-max-size"] == str(ROOMY.file_limit_bytes)
    assert set(answer.headers["tus-extension"].split(",")) == {
        "creation",
        "creation-with-upload",
        "creation-defer-length",
        "checksum",
        "expiration",
        "termination",
        "concatenation",
    }
    assert {"sha1", "md5"} <= set(answer.headers["tus-checksum-algorithm"].split(","))


async def test_a_file_in_two_requests(served: Served) -> None:
    """Create, PATCH, HEAD, PATCH: complete, with its video's id known from the start."""
    content = os.urandom(300_000)
    said = metadata(filename="harbour.mp4", title="Hafen — früh")
    created = await served.http.post(
        UPLOADS, headers={**TUS, "Upload-Length": "300000", "Upload-Metadata": said}
    )
    assert created.status_code == 201
    address = created.headers["location"]
    assert address.startswith(f"{served.url}{UPLOADS}")
    assert parsedate_to_datetime(created.headers["upload-expires"]).timestamp() > 0
    video = await served.system.ask("videos.get", video_id=created.headers["headwater-video"])
    assert (video.state, video.title) == ("uploading", "Hafen — früh")

    first = await served.patch(address, 0, content[:100_000])
    assert (first.status_code, first.headers["upload-offset"]) == (204, "100000")
    assert "upload-expires" in first.headers
    head = await served.http.head(address, headers=TUS)
    assert head.status_code == 200
    assert head.headers["upload-offset"] == "100000"
    assert head.headers["upload-length"] == "300000"
    assert head.headers["upload-metadata"] == said
    assert head.headers["cache-control"] == "no-store"
    assert head.headers["tus-resumable"] == "1.0.0"

    last = await served.patch(address, 100_000, content[100_000:])
    assert (last.status_code, last.headers["upload-offset"]) == (204, "300000")
    assert "upload-expires" not in last.headers
    assert await served.source(address) == content


@pytest.mark.parametrize("version", [None, "0.2.2", "2.0.0"])
async def test_another_version_is_refused(served: Served, version: str | None) -> None:
    """Whatever is asked for."""
    address = await served.create(5)
    headers = {"Tus-Resumable": version} if version else {}
    for method in ("HEAD", "PATCH", "DELETE"):
        answer = await served.http.request(method, address, headers=headers)
        assert answer.status_code == 412
        assert answer.headers["tus-version"] == "1.0.0"
    answer = await served.http.post(UPLOADS, headers={**headers, "Upload-Length": "5"})
    assert answer.status_code == 412


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Upload-Length": "-1"},
        {"Upload-Length": "five"},
        {"Upload-Length": "99999999999999999999999"},
        {"Upload-Length": "5", "Upload-Defer-Length": "1"},
        {"Upload-Defer-Length": "2"},
        {"Upload-Length": "5", "Upload-Metadata": "filename ???"},
        {"Upload-Length": "5", "Upload-Metadata": "a YQ==,a YQ=="},
        {"Upload-Length": "5", "Upload-Concat": "finally"},
        {"Upload-Concat": "final;"},
    ],
)
async def test_a_malformed_creation_is_refused(served: Served, headers: dict[str, str]) -> None:
    answer = await served.http.post(UPLOADS, headers={**TUS, **headers})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "invalid-input"


async def test_metadata_needs_no_values(served: Served) -> None:
    address = await served.create(5, Upload_Metadata="secret,filename YS5tcDQ=")
    head = await served.http.head(address, headers=TUS)
    assert head.headers["upload-metadata"] == "secret,filename YS5tcDQ="


async def test_nobody_in_particular_may_upload(served: Served) -> None:
    """Without a key or a session nothing is created, and nothing of a body is taken."""
    address = await served.create(5)
    async with httpx.AsyncClient(base_url=served.url) as nobody:
        created = await nobody.post(UPLOADS, headers={**TUS, "Upload-Length": "5"})
        assert created.status_code == 401
        assert (await nobody.head(address, headers=TUS)).status_code == 401
        headers = {**BODY, "Upload-Offset": "0"}
        assert (await nobody.patch(address, headers=headers, content=b"abc")).status_code == 401
    assert await served.offset(address) == 0


async def test_a_wrong_offset_is_a_conflict(served: Served) -> None:
    address = await served.create(5)
    assert (await served.patch(address, 2, b"abc")).status_code == 409
    assert (await served.patch(address, 0, b"abc", Upload_Offset="x")).status_code == 400
    assert await served.offset(address) == 0


async def test_another_content_type_is_refused(served: Served) -> None:
    address = await served.create(5)
    answer = await served.patch(address, 0, b"abc", Content_Type="application/octet-stream")
    assert answer.status_code == 415
    answer = await served.http.patch(address, headers=BODY, content=b"abc")
    assert answer.status_code == 400


async def test_too_much_is_refused(served: Served) -> None:
    """Over the limit at creation; over the length in a PATCH, announced or not."""
    served.system.use(limits=replace(ROOMY, file_limit_bytes=1000))
    answer = await served.http.post(UPLOADS, headers={**TUS, "Upload-Length": "1001"})
    assert answer.status_code == 413
    address = await served.create(5)
    assert (await served.patch(address, 0, b"abcdef")).status_code == 413

    chunked = body([b"abc", b"def"])
    assert (await served.patch(address, 0, chunked)).status_code == 413
    assert await served.offset(address) == 0


async def test_a_refused_body_does_not_hide_the_answer(served: Served) -> None:
    """A client that is still sending hears why, instead of a broken connection."""
    address = await served.create(50_000_000)
    answer = await served.patch(address, 7, bytes(8_000_000))
    assert answer.status_code == 409


async def test_a_full_store_says_so(served: Served) -> None:
    served.system.use(limits=replace(ROOMY, floor_bytes=1 << 60))
    answer = await served.http.post(UPLOADS, headers={**TUS, "Upload-Length": "5"})
    assert answer.status_code == 507
    assert int(answer.headers["retry-after"]) > 0


async def test_an_unknown_upload_is_not_found(served: Served) -> None:
    address = f"{served.url}{UPLOADS}nothing"
    head = await served.http.head(address, headers=TUS)
    assert (head.status_code, head.content) == (404, b"")
    assert (await served.patch(address, 0, b"abc")).status_code == 404
    assert (await served.http.delete(address, headers=TUS)).status_code == 404


async def test_termination(served: Served) -> None:
    """Then the upload is gone."""
    address = await served.create(5)
    await served.patch(address, 0, b"abc")
    assert (await served.http.delete(address, headers=TUS)).status_code == 204
    assert (await served.http.head(address, headers=TUS)).status_code == 410
    assert (await served.patch(address, 3, b"de")).status_code == 410


async def test_expiration(served: Served) -> None:
    address = await served.create(5)
    served.system.use(ahead_s=2 * ROOMY.expires_s)
    assert (await served.http.head(address, headers=TUS)).status_code == 410


@pytest.mark.parametrize("method", ["PATCH", "DELETE", "HEAD"])
async def test_methods_can_be_named_in_a_header(served: Served, method: str) -> None:
    """For clients behind what knows GET and POST only."""
    address = await served.create(5)
    headers = {**BODY, "X-HTTP-Method-Override": method, "Upload-Offset": "0"}
    answer = await served.http.post(address, headers=headers, content=b"abc")
    assert answer.status_code == (200 if method == "HEAD" else 204)
    if method == "PATCH":
        assert await served.offset(address) == 3


async def test_other_methods_are_not_known(served: Served) -> None:
    address = await served.create(5)
    assert (await served.http.put(address, headers=TUS)).status_code == 405
    assert (await served.http.post(address, headers=TUS)).status_code == 405
    seen = await served.http.get(address)
    assert (seen.status_code, seen.json()["offset"]) == (200, 0)


# Creation with upload, deferred length


async def test_creation_with_upload(served: Served) -> None:
    """The first bytes come with the creation, perhaps all of them."""
    headers = {**BODY, "Upload-Length": "5"}
    some = await served.http.post(UPLOADS, headers=headers, content=b"abc")
    assert (some.status_code, some.headers["upload-offset"]) == (201, "3")
    await served.patch(some.headers["location"], 3, b"de")
    assert await served.source(some.headers["location"]) == b"abcde"
    whole = await served.http.post(UPLOADS, headers=headers, content=b"abcde")
    assert await served.source(whole.headers["location"]) == b"abcde"


async def test_a_failed_creation_with_upload_leaves_nothing(served: Served) -> None:
    """Nobody has its address, so nobody could go on."""
    before = await served.system.ask("videos.mine")
    answer = await served.http.post(UPLOADS, headers={**BODY, "Upload-Length": "2"}, content=b"abc")
    assert answer.status_code == 413
    sha1 = base64.b64encode(hashlib.sha1(b"other").digest()).decode()
    answer = await served.http.post(
        UPLOADS,
        headers={**BODY, "Upload-Length": "3", "Upload-Checksum": f"sha1 {sha1}"},
        content=b"abc",
    )
    assert answer.status_code == 460
    assert await served.system.ask("videos.mine") == before


async def test_a_repeated_creation_with_upload_keeps_what_arrived(served: Served) -> None:
    """Under the same Idempotency-Key: the same upload, where it is by now, and no byte twice."""
    headers = {**BODY, "Upload-Length": "5", "Idempotency-Key": "repeated-with-upload"}
    first = await served.http.post(UPLOADS, headers=headers, content=b"abc")
    again = await served.http.post(UPLOADS, headers=headers, content=b"abc")
    assert (again.status_code, again.headers["upload-offset"]) == (201, "3")
    address = again.headers["location"]
    assert address == first.headers["location"]

    await served.patch(address, 3, b"de")
    ended = await served.http.post(UPLOADS, headers=headers, content=b"abc")
    assert (ended.status_code, ended.headers["upload-offset"]) == (201, "5")
    assert await served.source(address) == b"abcde"


async def test_a_creation_repeated_while_its_bytes_arrive_disturbs_nothing(served: Served) -> None:
    """Nor does the end of the first one take away what the repeat was told of."""
    headers = {**BODY, "Upload-Length": "3", "Idempotency-Key": "repeated-meanwhile"}
    faucet, answers = Faucet(), []

    async def first() -> None:
        answers.append(await served.http.post(UPLOADS, headers=headers, content=faucet))

    async def repeated() -> httpx.Response:
        return await served.http.post(UPLOADS, headers=headers, content=b"abc")

    async with anyio.create_task_group() as group:
        before = {video.id for video in (await served.system.ask("videos.mine")).videos}
        group.start_soon(first)
        await until(lambda: has_another_video(served, before))
        faucet.give(b"abc")
        await until(lambda: is_created(repeated))
        again = await repeated()
        faucet.give(b"more than its length")
        faucet.end()

    assert (again.status_code, answers[0].status_code) == (201, 413)
    assert (await repeated()).headers["location"] == again.headers["location"]
    assert await served.offset(again.headers["location"]) in {0, 3}


async def has_another_video(served: Served, before: set[str]) -> bool:
    return bool({video.id for video in (await served.system.ask("videos.mine")).videos} - before)


async def is_created(repeated: Callable[[], Awaitable[httpx.Response]]) -> bool:
    return (await repeated()).status_code == 201


async def test_a_deferred_length(served: Served) -> None:
    """HEAD says that it is; a PATCH says what it is."""
    address = await served.create(None)
    head = await served.http.head(address, headers=TUS)
    assert head.headers["upload-defer-length"] == "1"
    assert "upload-length" not in head.headers
    await served.patch(address, 0, b"abc")
    assert (await served.patch(address, 3, b"de", Upload_Length="4")).status_code == 413
    assert (await served.patch(address, 3, b"de", Upload_Length="5")).status_code == 204
    assert await served.source(address) == b"abcde"


async def test_a_deferred_length_can_end_by_request(served: Served) -> None:
    address = await served.create(None)
    await served.patch(address, 0, b"abc")
    done = await served.http.post(address + "/complete")
    assert (done.status_code, done.json()["complete"]) == (200, True)


# Checksums


@pytest.mark.parametrize(
    ("algorithm", "digest_of"),
    [
        ("sha1", lambda content: hashlib.sha1(content).digest()),
        ("sha256", lambda content: hashlib.sha256(content).digest()),
        ("md5", lambda content: hashlib.md5(content).digest()),
        ("crc32", lambda content: zlib.crc32(content).to_bytes(4, "big")),
    ],
)
async def test_checksums(
    served: Served, algorithm: str, digest_of: Callable[[bytes], bytes]
) -> None:
    """460 and nothing kept if it is wrong, 400 if it is none."""
    digest = digest_of(b"abc")
    address = await served.create(5)
    right = f"{algorithm} {base64.b64encode(digest).decode()}"
    wrong = await served.patch(address, 0, b"abd", Upload_Checksum=right)
    assert (wrong.status_code, wrong.json()["code"]) == (460, "checksum-mismatch")
    assert await served.offset(address) == 0
    assert (await served.patch(address, 0, b"abc", Upload_Checksum=right)).status_code == 204
    for bad in (f"{algorithm} !!", f"{algorithm} AAAA", "crc64 AAAA", algorithm):
        assert (await served.patch(address, 3, b"de", Upload_Checksum=bad)).status_code == 400
    assert await served.offset(address) == 3


# Concatenation


async def test_concatenation(served: Served) -> None:
    """Partial uploads become one, named by full addresses or by paths."""
    one = await served.create(3, Upload_Concat="partial")
    two = await served.create(4, Upload_Concat="partial")
    final = f"final;{one} {UPLOADS}{id_of(two)}"
    early = await served.http.post(UPLOADS, headers={**TUS, "Upload-Concat": final})
    assert early.status_code == 409

    await served.patch(one, 0, b"abc")
    await served.patch(two, 0, b"defg")
    head = await served.http.head(one, headers=TUS)
    assert head.headers["upload-concat"] == "partial"
    assert "headwater-video" not in head.headers

    said = metadata(filename="joined.mp4")
    answer = await served.http.post(
        UPLOADS, headers={**TUS, "Upload-Concat": final, "Upload-Metadata": said}
    )
    assert (answer.status_code, "headwater-video" in answer.headers) == (201, True)
    address = answer.headers["location"]
    assert await served.source(address) == b"abcdefg"
    head = await served.http.head(address, headers=TUS)
    assert head.headers["upload-length"] == head.headers["upload-offset"] == "7"
    assert head.headers["upload-concat"] == f"final;{one} {two}"
    assert (await served.patch(address, 7, b"h")).status_code == 403


# Two writers, dying connections


async def test_two_writers(served: Served) -> None:
    """The second hears 423 and when to come back; the first is not disturbed."""
    address = await served.create(6)
    faucet = Faucet()
    answers = []

    async def first() -> None:
        answers.append(await served.patch(address, 0, faucet))

    async with anyio.create_task_group() as group:
        group.start_soon(first)
        faucet.give(b"abc")
        await until(lambda: is_locked(served, address))
        second = await served.patch(address, 0, b"ABCDEF")
        assert second.status_code == 423
        assert second.json()["retryable"]
        assert int(second.headers["retry-after"]) > 0
        faucet.give(b"def")
        faucet.end()

    assert answers[0].status_code == 204
    assert await served.source(address) == b"abcdef"


async def is_locked(served: Served, address: str) -> bool:
    async with served.system.engines.reader(served.system.actor) as work:
        held = await repository.find_held(work.session, id_of(address))
    return held is not None and held.holder is not None
