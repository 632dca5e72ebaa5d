"""Lists of videos, newest first, in pages that stay put while videos are added."""

import msgspec

from headwater.engines.work import Work
from headwater.library import videos_repository
from headwater.library.videos_repository import Position
from headwater.model.errors import InvalidInput, Unauthenticated
from headwater.model.video import Video, VideoState

PAGE = 24  # fills rows of 2, 3, 4 and 6
LARGEST_PAGE = 100


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """*following* is the position to ask the next page before, None on the last."""

    videos: list[Video]
    following: Position | None


async def list_videos(*, work: Work, before: Position | None = None, limit: int = PAGE) -> Page:
    """Return public videos that can be played."""
    _check(limit)
    found = await videos_repository.list_public(work.session, before=before, limit=limit + 1)
    return _page(found, limit)


async def my_videos(
    *,
    work: Work,
    state: VideoState | None = None,
    deleted: bool = False,
    before: Position | None = None,
    limit: int = PAGE,
) -> Page:
    """Return the caller's own videos; *deleted* ones are those that can still be restored."""
    _check(limit)
    if work.actor.account is None:
        raise Unauthenticated("Please sign in first.")
    found = await videos_repository.list_owned(
        work.session,
        work.actor.account,
        state=state,
        deleted=deleted,
        before=before,
        limit=limit + 1,
    )
    return _page(found, limit)


def _check(limit: int) -> None:
    if not 1 <= limit <= LARGEST_PAGE:
        raise InvalidInput(f"A page has 1 to {LARGEST_PAGE} videos.")


def _page(found: list[Video], limit: int) -> Page:
    videos = found[:limit]
    more = len(found) > limit
    return Page(videos=videos, following=(videos[-1].created_at, videos[-1].id) if more else None)
