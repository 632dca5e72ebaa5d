"""One video, and how far its making is."""

from headwater.access.decide import Action, decide, require
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


async def may_see(*, work: Work, video_id: VideoId) -> bool:
    """Say whether there is such a video that the caller may see."""
    video = await videos_repository.find(work.session, video_id)
    return video is not None and decide(work.actor, Action.VIDEO_SEE, video).allowed
