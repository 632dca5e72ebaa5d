"""/api/v1/videos: list, look, edit, delete, restore, try again, follow."""

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Header, Query, Request, Response

from headwater.faces.kit import Faces, actor_of, principal_of
from headwater.faces.rest.answers import json_answer, tagged_answer, version_of
from headwater.faces.rest.bodies import VideoPatch, body_of
from headwater.faces.rest.documents import answers, events, takes
from headwater.faces.rest.following import FINAL_ID, Following, still_stands
from headwater.faces.rest.views import VideoPage, VideoView, video_view
from headwater.library.changes import VideoNews, news_of, topic_of
from headwater.library.list_videos import LARGEST_PAGE, PAGE, Page
from headwater.model.actor import Role
from headwater.model.errors import Unauthenticated
from headwater.model.ids import VideoId
from headwater.model.video import Video, VideoState

Limit = Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="Videos a page.")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the page before.")]
Owner = Annotated[Literal["me"] | None, Query(description="me: the caller's own, in any state.")]
State = Annotated[VideoState | None, Query(description="Only with owner=me.")]
Deleted = Annotated[bool, Query(description="With owner=me: those that can be restored.")]
IfMatch = Annotated[str | None, Header(description="Edit only the version with this ETag.")]
LastEvent = Annotated[str | None, Header(alias="last-event-id")]


class Videos:
    """The routes of one process; *self.faces* is all they share."""

    def __init__(self, faces: Faces) -> None:
        self.faces = faces

    def view(self, request: Request, video: Video) -> VideoView:
        principal = principal_of(request)
        is_own = principal is not None and (
            principal.account == video.owner or principal.role is Role.OWNER
        )
        return video_view(video, base=self.faces.public_url(request), is_own=is_own)

    def answer(self, request: Request, video: Video) -> Response:
        return tagged_answer(request, self.view(request, video), version=video.version)

    async def list_videos(
        self,
        request: Request,
        limit: Limit = PAGE,
        cursor: Cursor = None,
        owner: Owner = None,
        state: State = None,
        *,
        deleted: Deleted = False,
    ) -> Response:
        """Newest first: what everybody may watch, or the caller's own."""
        run, actor = self.faces.runner.run, actor_of(request)
        of = "videos.mine" if owner else "videos.list"
        before = self.faces.cursors.read(of, cursor)
        chosen: dict[str, Any] = {"state": state, "deleted": deleted} if owner else {}
        page: Page = await run(of, actor, before=before, limit=limit, **chosen)
        following = self.faces.cursors.write(of, page.following)
        views = [self.view(request, video) for video in page.videos]
        answer = json_answer(VideoPage(videos=views, next=following))
        if following is not None:
            url = request.url.include_query_params(cursor=following)
            answer.headers["link"] = f'<{url.path}?{url.query}>; rel="next"'
        return answer

    async def get(self, request: Request, video_id: str) -> Response:
        """One video; its link works from the moment its upload is created."""
        video: Video = await self.faces.runner.run(
            "videos.get", actor_of(request), video_id=VideoId(video_id)
        )
        return self.answer(request, video)

    async def edit(self, request: Request, video_id: str, if_match: IfMatch = None) -> Response:
        """Change title, description or visibility; what is left out stays."""
        patch = await body_of(request, VideoPatch)
        if_version = version_of(if_match)
        fields = {
            name: value
            for name in patch.__struct_fields__
            if (value := getattr(patch, name)) is not msgspec.UNSET
        }
        video: Video = await self.faces.runner.run(
            "videos.edit",
            actor_of(request),
            video_id=VideoId(video_id),
            if_version=if_version,
            **fields,
        )
        return self.answer(request, video)

    async def delete(self, request: Request, video_id: str) -> Response:
        """Hide the video; it can be restored for a while."""
        await self.faces.runner.run("videos.delete", actor_of(request), video_id=VideoId(video_id))
        return Response(status_code=204)

    async def restore(self, request: Request, video_id: str) -> Response:
        """Take a deletion back."""
        video: Video = await self.faces.runner.run(
            "videos.restore", actor_of(request), video_id=VideoId(video_id)
        )
        return self.answer(request, video)

    async def retry(self, request: Request, video_id: str) -> Response:
        """Try a failed video again."""
        video: Video = await self.faces.runner.run(
            "jobs.retry_video", actor_of(request), video_id=VideoId(video_id)
        )
        return self.answer(request, video)

    async def follow(
        self, request: Request, video_id: str, last_event_id: LastEvent = None
    ) -> Response:
        """Server-sent events: state and progress now, then each change; ends when all is made."""
        if last_event_id == FINAL_ID:
            return Response(status_code=204)
        actor, video = actor_of(request), VideoId(video_id)

        async def snapshot() -> list[VideoNews]:
            return [await self.faces.runner.run("videos.progress", actor, video_id=video)]

        async def may_hear() -> bool:
            return await still_stands(self.faces, request) and await self.faces.runner.run(
                "videos.may_see", actor, video_id=video
            )

        return Following(self.faces, topic_of(video), snapshot, may_hear=may_hear, ends=True)

    async def follow_mine(self, request: Request) -> Response:
        """Server-sent events of all the caller's videos: the newest now, then each change."""
        actor = actor_of(request)
        if actor.account is None:
            raise Unauthenticated("Please sign in first.")

        async def snapshot() -> list[VideoNews]:
            page: Page = await self.faces.runner.run("videos.mine", actor, limit=LARGEST_PAGE)
            return [news_of(video) for video in page.videos]

        async def may_hear() -> bool:
            return await still_stands(self.faces, request)

        return Following(
            self.faces, f"videos-of:{actor.account}", snapshot, may_hear=may_hear, ends=False
        )


def router(faces: Faces) -> APIRouter:
    videos = Videos(faces)
    one = "/videos/{video_id}"
    found = APIRouter(prefix="/api/v1", tags=["videos"], default_response_class=Response)
    add = found.add_api_route
    add("/videos", videos.list_videos, methods=["GET"], **answers(VideoPage))
    add("/videos/mine/events", videos.follow_mine, methods=["GET"], **events())
    add(one, videos.get, methods=["GET"], **answers(VideoView, 404, also={304: "Not Modified"}))
    add(
        one,
        videos.edit,
        methods=["PATCH"],
        openapi_extra=takes(VideoPatch),
        **answers(VideoView, 400, 404, 410, 412, 413, 415),
    )
    add(one, videos.delete, methods=["DELETE"], **answers(None, 404, status=204))
    add(f"{one}/restore", videos.restore, methods=["POST"], **answers(VideoView, 404, 410))
    add(f"{one}/retry", videos.retry, methods=["POST"], **answers(VideoView, 404, 409))
    add(f"{one}/events", videos.follow, methods=["GET"], **events(404))
    return found
