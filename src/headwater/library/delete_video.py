"""Deleting a video, and taking that back while the undo window is open."""

import msgspec

from headwater.access.decide import Action, require
from headwater.engines.work import Work
from headwater.library import changes, videos_repository
from headwater.model.errors import Gone
from headwater.model.ids import VideoId
from headwater.model.video import Video


async def delete_video(*, work: Work, video_id: VideoId, undo_s: float) -> Video:
    """Hide the video from everybody but its owner; its bytes go when the undo window is over.

    Doing it twice keeps the first time. Raises VideoNotFound, Forbidden.
    """
    video = await videos_repository.get(work.session, video_id)
    require(work.actor, Action.VIDEO_DELETE, video)
    if video.deleted_at is not None:
        return video
    sweep = {"video": video.id, "run_at": work.now + undo_s}
    work.facts.append(("video.deleted", msgspec.json.encode(sweep)))
    return await changes.change(work, video.id, deleted_at=work.now, version=video.version + 1)


async def restore_video(*, work: Work, video_id: VideoId, undo_s: float) -> Video:
    """Take a deletion back. One that is not deleted is returned as it is.

    Raises:
        VideoNotFound, Forbidden: not the caller's.
        Gone: the undo window is over.
    """
    video = await videos_repository.get(work.session, video_id)
    require(work.actor, Action.VIDEO_RESTORE, video)
    if video.deleted_at is None:
        return video
    if video.deleted_at + undo_s <= work.now:  # the sweep takes it from here on
        raise Gone("This video was deleted too long ago to bring it back.")
    work.facts.append(("video.restored", msgspec.json.encode({"video": video.id})))
    return await changes.change(work, video.id, deleted_at=None, version=video.version + 1)
