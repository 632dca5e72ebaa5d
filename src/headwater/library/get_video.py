"""One video, and how far its making is."""

from headwater.access.decide import Action, require
from headwater.engines.work import Work
from headwater.library import videos_repository
from headwater.library.changes import VideoNews, news_of
from headwater.model.ids import VideoId
from headwater.model.video import Video


async def get_video(*, work: Work, video_id: VideoId) -> Video:
    """Return the video if the caller may see it. Raises VideoNotFound."""
    video = await videos_repository.get(work.session, video_id)
    require(work.actor, Action.VIDEO_SEE, video)
    return video


async def progress(*, work: Work, video_id: VideoId) -> VideoNews:
    """Return what notice `video:{id}` would say now. Raises VideoNotFound."""
    return news_of(await get_video(work=work, video_id=video_id))
