"""Every change of a video's row goes through here, so that whoever watches it hears of it."""

from typing import Any

import msgspec

from headwater.engines.work import Work
from headwater.library import videos_repository
from headwater.model.errors import VideoNotFound
from headwater.model.ids import TrackId, VideoId
from headwater.model.video import Failure, Video, VideoState

LISTS = "videos"  # the cache tag of every list


class VideoNews(msgspec.Struct, frozen=True, kw_only=True):
    """The body of notice `video:{id}`: what a page needs to follow a video without asking again."""

    id: VideoId
    state: VideoState
    progress: float
    ready_in_s: float | None
    speeds: dict[TrackId, float]
    failure: Failure | None
    damage: str | None
    duration_s: float | None
    stream: str | None
    playable_at: float | None
    ready_at: float | None
    deleted_at: float | None
    version: int


def news_of(video: Video) -> VideoNews:
    return VideoNews(**{name: getattr(video, name) for name in VideoNews.__struct_fields__})


def read_news(body: bytes) -> VideoNews:
    return msgspec.json.decode(body, type=VideoNews)


def topic_of(video_id: VideoId) -> str:
    return f"video:{video_id}"


async def change(work: Work, video_id: VideoId, **fields: Any) -> Video:
    """Set *fields* of the video in this transaction; tell listeners and caches after its commit.

    Raises VideoNotFound if the row is gone.
    """
    if not await videos_repository.update_fields(work.session, video_id, fields):
        raise VideoNotFound("There is no such video.")
    video = await videos_repository.get(work.session, video_id)
    tell(work, video)
    return video


async def add(work: Work, video: Video) -> None:
    """Write a new video's row."""
    await videos_repository.add(work.session, video)
    tell(work, video)


def tell(work: Work, video: Video) -> None:
    """Queue notice and purges for a row that was written another way."""
    work.notices.append((topic_of(video.id), msgspec.json.encode(news_of(video))))
    work.notices.append((f"videos-of:{video.owner}", msgspec.json.encode(news_of(video))))
    work.purges += [topic_of(video.id), LISTS]
