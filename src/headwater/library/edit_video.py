"""Editing what people see of a video."""

from typing import Any

import msgspec

from headwater.access.decide import Action, require
from headwater.engines.work import Work
from headwater.library import changes, streams_repository, videos_repository
from headwater.model.errors import Gone, InvalidInput, StaleWrite
from headwater.model.ids import VideoId
from headwater.model.video import Video, Visibility

TITLE_CHARACTERS = 200
DESCRIPTION_CHARACTERS = 10_000


async def edit_video(
    *,
    work: Work,
    video_id: VideoId,
    title: str | None = None,
    description: str | None = None,
    visibility: Visibility | None = None,
    if_version: int | None = None,
) -> Video:
    """Change what is given, leave what is None.

    Another visibility gives the streams new addresses, so that what caches keep under the old ones
    says nothing about the new.

    Raises:
        VideoNotFound, Forbidden: not the caller's.
        Gone: it was deleted; it can be edited once it is back.
        StaleWrite: *if_version* is not the version there is.
        InvalidInput: an empty or over-long title, an over-long description.
    """
    video = await videos_repository.get(work.session, video_id)
    require(work.actor, Action.VIDEO_EDIT, video)
    if video.deleted_at is not None:
        raise Gone("This video was deleted. Bring it back before you change it.")
    if if_version is not None and if_version != video.version:
        raise StaleWrite("Somebody changed this video meanwhile; look at it again first.")

    fields: dict[str, Any] = {}
    if title is not None:
        fields["title"] = clean_title(title)
    if description is not None:
        fields["description"] = _clean_description(description)
    if visibility is not None and visibility is not video.visibility:
        fields["visibility"] = visibility
        await streams_repository.renew(work.session, video.id, work.now)
    if not fields:
        return video
    edited = await changes.change(work, video.id, version=video.version + 1, **fields)
    work.facts.append(("video.edited", msgspec.json.encode({"video": video.id})))
    return edited


def clean_title(title: str) -> str:
    """Return the title as it is stored: one line, no control characters. Raises InvalidInput."""
    cleaned = " ".join("".join(c if c.isprintable() else " " for c in title).split())
    if not 0 < len(cleaned) <= TITLE_CHARACTERS:
        raise InvalidInput(f"A title has 1 to {TITLE_CHARACTERS} characters.")
    return cleaned


def _clean_description(description: str) -> str:
    cleaned = "".join(c for c in description if c.isprintable() or c in "\n\t").strip()
    if len(cleaned) > DESCRIPTION_CHARACTERS:
        raise InvalidInput(f"A description has at most {DESCRIPTION_CHARACTERS} characters.")
    return cleaned
