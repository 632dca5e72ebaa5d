"""Uploads end: completed, given up, expired, or as parts of another; nothing stays behind."""

import pytest
from msgspec.structs import replace

from headwater.engines.blobs.port import BlobKey
from headwater.model.errors import (
    Conflict,
    Forbidden,
    Gone,
    InvalidInput,
    TooLarge,
    UploadIncomplete,
    UploadNotFound,
    VideoNotFound,
)
from headwater.model.ids import UploadId
from headwater.model.upload import Upload
from tests.uploads.system import ROOMY, System

pytestmark = pytest.mark.anyio


async def test_an_upload_given_up_takes_its_video_along(system: System) -> None:
    """It answers "gone", then not at all, and its bytes leave the store."""
    upload = await system.create(10)
    await system.append(upload.id, 0, b"abc")
    await system.ask("uploads.terminate", upload_id=upload.id)

    with pytest.raises(VideoNotFound):
        await system.ask("videos.get", video_id=upload.video)
    with pytest.raises(Gone):
        await system.append(upload.id, 3, b"d")
    with pytest.raises(Gone):
        await system.ask("uploads.terminate", upload_id=upload.id)
    assert ("upload.terminated", {"upload": upload.id}) in await system.facts()

    await system.ask_as_system("uploads.tidy", upload_id=upload.id)
    assert await system.keys(upload.id) == []
    system.use(ahead_s=60)
    await system.ask_as_system("uploads.expire")
    with pytest.raises(UploadNotFound):
        await system.offset(upload.id)


async def test_a_complete_upload_is_not_given_up(system: System) -> None:
    """From then on it is a video, and that can be deleted."""
    upload = await system.create(3)
    await system.append(upload.id, 0, b"abc")
    with pytest.raises(Conflict):
        await system.ask("uploads.terminate", upload_id=upload.id)


async def test_an_upload_nobody_continues_expires(system: System) -> None:
    """Each part gives it its time anew; after that it is gone with its video and bytes."""
    upload = await system.create(10)
    system.use(ahead_s=ROOMY.expires_s - 60)
    await system.append(upload.id, 0, b"abc")
    system.use(ahead_s=ROOMY.expires_s + 60)
    assert await system.ask_as_system("uploads.expire") >= 0
    assert await system.offset(upload.id) == 3

    system.use(ahead_s=2 * ROOMY.expires_s)
    with pytest.raises(Gone):
        await system.offset(upload.id)
    await system.ask_as_system("uploads.expire")
    with pytest.raises(UploadNotFound):
        await system.offset(upload.id)
    assert await system.keys(upload.id) == []
    with pytest.raises(VideoNotFound):
        await system.ask("videos.get", video_id=upload.video)


async def test_strays_of_a_complete_upload_are_tidied(system: System) -> None:
    """A part whose server was killed before its row leaves the store; the source stays."""
    upload = await system.create(3)
    stray = BlobKey(f"uploads/{upload.id}/0-stray")
    await system.blobs.put_absent(stray, b"abc")
    await system.ask_as_system("uploads.tidy", upload_id=upload.id)
    assert stray in await system.keys(upload.id)  # perhaps still on its way

    done = await system.append(upload.id, 0, b"abc")
    await system.ask_as_system("uploads.tidy", upload_id=upload.id)
    assert stray not in await system.keys(upload.id)
    assert await system.source(done) == b"abc"

    system.use(ahead_s=2 * ROOMY.expires_s)
    await system.ask_as_system("uploads.expire")
    assert await system.source(done) == b"abc"
    with pytest.raises(UploadNotFound):
        await system.offset(upload.id)


async def test_a_deleted_video_takes_no_more_bytes(system: System) -> None:
    upload = await system.create(3)
    await system.ask("videos.delete", video_id=upload.video)
    with pytest.raises(Gone):
        await system.append(upload.id, 0, b"abc")


# What a video is called


@pytest.mark.parametrize(
    ("metadata", "title"),
    [
        ({"filename": "walk in_the rain.mp4"}, "walk in the rain"),
        ({"filename": "C:\\Videos\\clip.final.MOV"}, "clip.final"),
        ({"name": "../../etc/passwd"}, "passwd"),
        ({"filename": "x.mp4", "title": "  The\tHarbour\u0000 "}, "The Harbour"),
        ({"filename": ".mp4"}, "Untitled"),
        ({}, "Untitled"),
        ({"title": "x" * 500}, "x" * 200),
    ],
)
async def test_a_title_is_found(system: System, metadata: dict[str, str], title: str) -> None:
    """In the words the file came with."""
    upload = await system.create(1, metadata=metadata)
    assert (await system.ask("videos.get", video_id=upload.video)).title == title


async def test_metadata_is_looked_at(system: System) -> None:
    """A visibility that is none, and more text than describes a file, are refused."""
    private = await system.create(1, metadata={"visibility": "private"})
    assert (await system.ask("videos.get", video_id=private.video)).visibility == "private"
    with pytest.raises(InvalidInput):
        await system.create(1, metadata={"visibility": "secret"})
    with pytest.raises(InvalidInput):
        await system.create(1, metadata={"note": "x" * 20_000})
    with pytest.raises(InvalidInput):
        await system.create(-1)


async def test_a_creation_repeated_under_its_key_is_one(system: System) -> None:
    """A client that lost the answer gets the same upload."""
    asked = {"idempotency_key": "once", "metadata": {"filename": "a.mp4"}}
    first, again = await system.create(7, **asked), await system.create(7, **asked)
    assert first == again


# Concatenation


async def partial(system: System, content: bytes) -> Upload:
    upload = await system.create(len(content), partial=True, metadata={})
    return await system.append(upload.id, 0, content)


async def concatenate(system: System, *parts: Upload) -> Upload:
    upload: Upload = await system.ask(
        "uploads.concatenate",
        parts=[part.id for part in parts],
        metadata={"filename": "joined.mp4"},
    )
    return upload


async def test_partial_uploads_become_one(system: System) -> None:
    """Their extents end to end, in the order asked for; counted once."""
    before = await system.used_bytes()
    one, two = await partial(system, b"abc"), await partial(system, b"defg")
    assert one.video is None
    assert one.completed_at is not None

    joined = await concatenate(system, two, one)
    assert (joined.length, joined.offset, joined.concat) == (7, 7, f"{two.id} {one.id}")
    assert await system.source(joined) == b"defgabc"
    assert (await system.ask("videos.get", video_id=joined.video)).state == "processing"
    assert await system.used_bytes() == before + 7
    with pytest.raises(Forbidden):
        await system.append(joined.id, 7, b"h")
    with pytest.raises(Conflict):
        await concatenate(system, one)
    with pytest.raises(Conflict):
        await system.ask("uploads.terminate", upload_id=one.id)


async def test_what_became_part_of_a_video_outlives_its_upload(system: System) -> None:
    """The rows of the parts go in time, their bytes belong to the video."""
    joined = await concatenate(system, await partial(system, b"ab"), await partial(system, b"c"))
    for part in joined.concat.split():
        await system.ask_as_system("uploads.tidy", upload_id=UploadId(part))
    system.use(ahead_s=2 * ROOMY.expires_s)
    while await system.ask_as_system("uploads.expire"):
        pass
    assert await system.source(joined) == b"abc"


async def test_only_finished_partial_uploads_concatenate(system: System) -> None:
    whole = await system.create(3)
    unfinished = await system.create(3, partial=True, metadata={})
    finished = await partial(system, b"abc")
    with pytest.raises(InvalidInput):
        await concatenate(system, whole)
    with pytest.raises(UploadIncomplete):
        await concatenate(system, finished, unfinished)
    with pytest.raises(InvalidInput):
        await concatenate(system)
    with pytest.raises(InvalidInput):
        await concatenate(system, finished, finished)
    with pytest.raises(UploadNotFound):
        await system.ask("uploads.concatenate", parts=[UploadId("none")], metadata={})
    system.use(limits=replace(ROOMY, file_limit_bytes=2))
    with pytest.raises(TooLarge):
        await concatenate(system, finished)


async def test_a_partial_upload_can_be_given_up(system: System) -> None:
    """As long as it is part of nothing."""
    part = await partial(system, b"abc")
    await system.ask("uploads.terminate", upload_id=part.id)
    await system.ask_as_system("uploads.tidy", upload_id=part.id)
    assert await system.keys(part.id) == []
