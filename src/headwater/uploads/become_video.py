"""The moment the last byte is there: a list of extents becomes a source, and its video a job.

O(parts), inside the transaction that published the last of them, without touching a byte.
"""

from collections.abc import Sequence

import msgspec

from headwater.access import accounts_repository
from headwater.engines.work import Work
from headwater.library import changes
from headwater.model.errors import Conflict
from headwater.model.job import JobKind
from headwater.model.upload import Extent, Upload
from headwater.model.video import VideoState
from headwater.pipeline import jobs_repository
from headwater.uploads import repository
from headwater.uploads.naming import filename_of


async def become_video(
    work: Work, upload: Upload, extents: Sequence[Extent] | None = None
) -> Upload:
    """Complete *upload*, all of whose bytes are there; *extents* are its own if not given.

    A partial upload only ends here; what it is part of is made by a concatenation. Asking twice
    changes nothing.

    Raises Conflict if the extents are not as long as the upload: some lie beyond a hole.
    """
    if upload.completed_at is not None:
        return upload
    if extents is None:
        placed = await repository.extents_from(work.session, upload.id)
        extents = [extent for _, extent in placed]
    if sum(extent.size for extent in extents) != upload.length:
        raise Conflict(f"The upload's parts do not make up its {upload.length} bytes.")
    done = msgspec.structs.replace(upload, completed_at=work.now)
    await repository.update_fields(
        work.session,
        upload.id,
        {"completed_at": work.now, "locked_by": None, "locked_until": None},
    )
    if upload.video is None:
        return done
    await _make_source(work, upload, extents)
    return done


async def _make_source(work: Work, upload: Upload, extents: Sequence[Extent]) -> None:
    assert upload.video is not None
    size = sum(extent.size for extent in extents)
    await repository.add_source(
        work.session,
        upload.video,
        filename=filename_of(upload.metadata),
        size=size,
        extents=extents,
    )
    await accounts_repository.add_used(work.session, upload.owner, size)
    await changes.change(work, upload.video, state=VideoState.PROCESSING, source_bytes=size)
    await jobs_repository.enqueue(
        work.session, kind=JobKind.PLAN, video=upload.video, owner=upload.owner, now=work.now
    )
    body = {"video": upload.video, "upload": upload.id}
    work.facts.append(("video.uploaded", msgspec.json.encode(body)))
    work.notices.append(("jobs", b""))
