"""However a file is cut, broken off, repeated and resumed, the same bytes come out."""

import hashlib
import os
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headwater.model.errors import ChecksumMismatch, HeadwaterError, InvalidInput
from headwater.model.ids import UploadId
from headwater.uploads import appending
from headwater.uploads.checksums import Checksum
from tests.uploads.system import System, body

pytestmark = pytest.mark.anyio
PART_BYTES = 1000  # so that a few kilobytes are many parts
CONTENT = os.urandom(9000)

step = st.fixed_dictionaries(
    {
        "size": st.integers(0, 3500),
        "chunk": st.integers(1, 1500),
        "end": st.sampled_from(["whole", "broken", "wrong offset", "checked", "wrong checksum"]),
    }
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(length=st.integers(1, len(CONTENT)), steps=st.lists(step, max_size=12))
async def test_the_same_bytes_come_back(
    system: System, length: int, steps: list[dict[str, Any]]
) -> None:
    """After every step the offset tells how much of the file is there, and never more or less."""
    original, appending.PART_BYTES = appending.PART_BYTES, PART_BYTES
    try:
        upload = await system.create(length)
        for wanted in steps:
            before = await system.offset(upload.id)
            await take_step(system, upload.id, before, length, wanted)
            offset = await system.offset(upload.id)
            assert before <= offset <= length
        offset = await system.offset(upload.id)
        done = await system.append(upload.id, offset, CONTENT[offset:length])
        assert done.completed_at is not None
        assert await system.source(done) == CONTENT[:length]
    finally:
        appending.PART_BYTES = original


async def take_step(
    system: System, upload_id: UploadId, offset: int, length: int, wanted: dict[str, Any]
) -> None:
    piece = CONTENT[offset : min(offset + wanted["size"], length)]
    chunks = [piece[i : i + wanted["chunk"]] for i in range(0, len(piece), wanted["chunk"])]
    end = wanted["end"]
    digest = hashlib.sha1(piece if end == "checked" else b"?" + piece).digest()
    checksum = Checksum("sha1", digest) if end in {"checked", "wrong checksum"} else None
    try:
        await system.ask(
            "uploads.append",
            upload_id=upload_id,
            offset=offset + (end == "wrong offset"),
            body=body(chunks, then=InvalidInput("cable") if end == "broken" else None),
            checksum=checksum,
        )
    except ChecksumMismatch:
        assert end == "wrong checksum"
        assert await system.offset(upload_id) == offset
    except HeadwaterError:
        assert end in {"broken", "wrong offset"}


async def test_a_cancelled_request_leaves_a_true_offset(system: System) -> None:
    """A server that stops takes its requests down with it, at any moment."""
    upload = await system.create(len(CONTENT))
    for delay in range(40):
        offset = await system.offset(upload.id)
        with anyio.move_on_after(delay / 4000):
            chunks = [CONTENT[i : i + 100] for i in range(offset, len(CONTENT), 100)]
            await system.append(upload.id, offset, *chunks)
    offset = await system.offset(upload.id)
    done = await system.append(upload.id, offset, CONTENT[offset:])
    assert await system.source(done) == CONTENT
