"""One's own videos: uploading them, the studio's table, and the page that edits one."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from headwater.faces.web import views, words
from headwater.faces.web.site import Site, redirect, require_visitor
from headwater.model.account import Usage
from headwater.model.errors import InvalidInput, StaleWrite
from headwater.model.ids import VideoId
from headwater.model.video import Video, Visibility

ROWS = 100


def routes(site: Site) -> list[BaseRoute]:
    async def upload(request: Request) -> Response:
        require_visitor(request)
        usage: Usage = await site.ask(request, "accounts.usage")
        quota = ""
        if usage.quota_bytes:
            used, most = words.size(usage.used_bytes), words.size(usage.quota_bytes)
            quota = site.texts("upload.quota", used=used, quota=most)
        return site.render(request, "upload.html", here="upload", quota=quota)

    async def studio(request: Request) -> Response:
        require_visitor(request)
        before = site.faces.cursors.read("studio", request.query_params.get("after"))
        page = await site.ask(request, "videos.mine", before=before, limit=ROWS)
        following = site.faces.cursors.write("studio", page.following)
        now = site.now
        rows = [views.row(site.texts, video, now=now) for video in page.videos]
        space = words.size(sum(row.space_bytes for row in rows))
        return site.render(
            request,
            "studio.html",
            here="studio",
            rows=rows,
            total=site.texts("studio.space_total", n=len(rows), size=space),
            more=f"/studio?after={following}" if following else None,
        )

    async def show_edit(request: Request) -> Response:
        require_visitor(request)
        video: Video = await site.ask(request, "videos.get", video_id=_id(request))
        return _edit_form(site, request, video, saved="saved" in request.query_params)

    async def edit(request: Request) -> Response:
        given = _edits(await request.form())
        try:
            await site.ask(request, "videos.edit", video_id=_id(request), **given)
        except (InvalidInput, StaleWrite) as error:
            video = await site.ask(request, "videos.get", video_id=_id(request))
            status = 409 if isinstance(error, StaleWrite) else 400
            return _edit_form(site, request, video, status=status, problem=str(error))
        return redirect(f"/studio/videos/{_id(request)}?saved")

    async def delete(request: Request) -> Response:
        await site.ask(request, "videos.delete", video_id=_id(request))
        return redirect("/studio")

    async def restore(request: Request) -> Response:
        await site.ask(request, "videos.restore", video_id=_id(request))
        return redirect("/studio")

    async def retry(request: Request) -> Response:
        await site.ask(request, "jobs.retry_video", video_id=_id(request))
        return redirect(f"/watch/{_id(request)}")

    one = "/studio/videos/{id}"
    return [
        Route("/upload", site.page(upload)),
        Route("/studio", site.page(studio)),
        Route(one, site.page(show_edit), methods=["GET"]),
        Route(one, site.page(edit), methods=["POST"]),
        Route(f"{one}/delete", site.page(delete), methods=["POST"]),
        Route(f"{one}/restore", site.page(restore), methods=["POST"]),
        Route(f"{one}/retry", site.page(retry), methods=["POST"]),
    ]


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
