"""One's own videos: uploading them, the studio's tables, and the page that edits one."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from headwater.faces.web import views, words
from headwater.faces.web.site import Site, redirect, require_visitor
from headwater.faces.web.videos import deleted_page
from headwater.model.account import Usage
from headwater.model.errors import Gone, InvalidInput, NotFound, StaleWrite
from headwater.model.ids import VideoId
from headwater.model.upload import Upload
from headwater.model.video import Video, VideoState, Visibility

ROWS = 100


def routes(site: Site) -> list[BaseRoute]:
    own = OwnVideos(site)
    one = "/studio/videos/{id}"
    return [
        Route("/upload", site.page(own.upload)),
        Route("/studio", site.page(own.studio)),
        Route(one, site.page(own.show_edit), methods=["GET"]),
        Route(one, site.page(own.edit), methods=["POST"]),
        Route(f"{one}/delete", site.page(own.delete), methods=["POST"]),
        Route(f"{one}/restore", site.page(own.restore), methods=["POST"]),
        Route(f"{one}/retry", site.page(own.retry), methods=["POST"]),
    ]


class OwnVideos:
    """What people do with their own videos."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def upload(self, request: Request) -> Response:
        require_visitor(request)
        usage: Usage = await self._site.ask(request, "accounts.usage")
        quota = ""
        if usage.quota_bytes:
            used, most = words.size(usage.used_bytes), words.size(usage.quota_bytes)
            quota = self._site.texts("upload.quota", used=used, quota=most)
        is_direct = bool(self._site.faces.blobs.part_origin)
        return self._site.render(
            request, "upload.html", here="upload", quota=quota, is_direct=is_direct
        )

    async def studio(self, request: Request) -> Response:
        require_visitor(request)
        if "deleted" in request.query_params:
            return await self._deleted(request)
        before = self._site.faces.cursors.read("studio", request.query_params.get("after"))
        page = await self._site.ask(request, "videos.mine", before=before, limit=ROWS)
        following = self._site.faces.cursors.write("studio", page.following)
        rows = await self._rows(request, page.videos)
        space = words.size(sum(row.space_bytes for row in rows))
        return self._site.render(
            request,
            "studio.html",
            here="studio",
            rows=rows,
            total=self._site.texts("studio.space_total", n=len(rows), size=space),
            more=f"/studio?after={following}" if following else None,
            gone=await self._just_deleted(request),
        )

    async def _deleted(self, request: Request) -> Response:
        """Show what can still be brought back, and until when."""
        before = self._site.faces.cursors.read("deleted", request.query_params.get("after"))
        page = await self._site.ask(request, "videos.mine", deleted=True, before=before, limit=ROWS)
        following = self._site.faces.cursors.write("deleted", page.following)
        texts, now, undo_s = self._site.texts, self._site.now, self._site.undo_s
        rows = [
            views.deleted_row(texts, video, now=now, undo_s=undo_s)
            for video in page.videos
            if self._site.can_restore(video)
        ]
        more = f"/studio?deleted&after={following}" if following else None
        return self._site.render(request, "deleted.html", here="studio", rows=rows, more=more)

    async def _just_deleted(self, request: Request) -> Video | None:
        """Return the video that the page before this one deleted, while that can be undone."""
        named = request.query_params.get("gone")
        if not named:
            return None
        try:
            video: Video = await self._site.ask(request, "videos.get", video_id=VideoId(named))
        except NotFound:
            return None
        return video if self._site.can_restore(video) else None

    async def _rows(self, request: Request, videos: Sequence[Video]) -> list[views.Row]:
        uploads: list[Upload] = []
        if any(video.state is VideoState.UPLOADING for video in videos):
            uploads = await self._site.ask(request, "uploads.unfinished")
        by_video = {upload.video: upload for upload in uploads}
        texts, now = self._site.texts, self._site.now
        return [views.row(texts, video, upload=by_video.get(video.id), now=now) for video in videos]

    async def show_edit(self, request: Request) -> Response:
        require_visitor(request)
        video: Video = await self._site.ask(request, "videos.get", video_id=_id(request))
        if video.deleted_at is not None:
            return deleted_page(self._site, request, video)
        return _edit_form(self._site, request, video, saved="saved" in request.query_params)

    async def edit(self, request: Request) -> Response:
        given = _edits(await request.form())
        try:
            await self._site.ask(request, "videos.edit", video_id=_id(request), **given)
        except (InvalidInput, StaleWrite) as error:
            video = await self._site.ask(request, "videos.get", video_id=_id(request))
            status = 409 if isinstance(error, StaleWrite) else 400
            return _edit_form(self._site, request, video, status=status, problem=str(error))
        except Gone:
            video = await self._site.ask(request, "videos.get", video_id=_id(request))
            return deleted_page(self._site, request, video)
        return redirect(f"/studio/videos/{_id(request)}?saved")

    async def delete(self, request: Request) -> Response:
        await self._site.ask(request, "videos.delete", video_id=_id(request))
        return redirect(f"/studio?gone={_id(request)}")

    async def restore(self, request: Request) -> Response:
        await self._site.ask(request, "videos.restore", video_id=_id(request))
        return redirect("/studio")

    async def retry(self, request: Request) -> Response:
        await self._site.ask(request, "jobs.retry_video", video_id=_id(request))
        return redirect(f"/watch/{_id(request)}")


def _id(request: Request) -> VideoId:
    return VideoId(request.path_params["id"])


def _edits(form: Mapping[str, Any]) -> dict[str, Any]:
    """Read the form of the edit page. Raises InvalidInput."""
    version, visibility = str(form.get("version", "")), str(form.get("visibility", ""))
    if visibility not in list(Visibility) or not version.isdecimal():
        raise InvalidInput("The form is not complete; open the page again.")
    return {
        "title": str(form.get("title", "")),
        "description": str(form.get("description", "")).replace("\r\n", "\n"),
        "visibility": Visibility(visibility),
        "if_version": int(version),
    }


def _edit_form(
    site: Site,
    request: Request,
    video: Video,
    *,
    status: int = 200,
    problem: str = "",
    saved: bool = False,
) -> Response:
    return site.render(
        request,
        "edit.html",
        status=status,
        here="studio",
        video=video,
        state_words=words.state(site.texts, video),
        problem=problem,
        saved=saved,
    )
