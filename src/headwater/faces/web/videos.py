"""What everybody sees: the grid of videos and the watch page."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from headwater.faces.kit import actor_of
from headwater.faces.web import views, words
from headwater.faces.web.site import Site
from headwater.model.actor import Actor, Role
from headwater.model.errors import Gone
from headwater.model.ids import VideoId
from headwater.model.video import Video, VideoState, Visibility

BESIDE = 12  # videos beside the player


def routes(site: Site) -> list[BaseRoute]:
    async def home(request: Request) -> Response:
        return await _home(site, request)

    async def watch(request: Request) -> Response:
        return await _watch(site, request)

    return [
        Route("/", site.page(home)),
        Route("/watch/{id}", site.page(watch)),
    ]


async def _home(site: Site, request: Request) -> Response:
    before = site.faces.cursors.read("home", request.query_params.get("after"))
    page = await site.ask(request, "videos.list", before=before)
    following = site.faces.cursors.write("home", page.following)
    now = site.now
    cards = [views.card(site.texts, video, now=now) for video in page.videos]
    more = f"/?after={following}" if following else None
    return site.render(request, "home.html", here="home", cards=cards, more=more)


async def _watch(site: Site, request: Request) -> Response:
    video_id = VideoId(request.path_params["id"])
    video: Video = await site.ask(request, "videos.get", video_id=video_id)
    if video.deleted_at is not None:
        return deleted_page(site, request, video)
    page = await site.ask(request, "videos.list", before=None)
    others = [other for other in page.videos if other.id != video.id][:BESIDE]
    now = site.now
    origin = site.faces.public_url(request)
    is_public = video.visibility is Visibility.PUBLIC
    return site.render(
        request,
        "watch.html",
        here="watch",
        video=video,
        mine=may_edit(actor_of(request), video),
        playable=video.state in (VideoState.PLAYABLE, VideoState.READY),
        warms=site.warms,
        poster=views.picture_of(video, "poster.jpg"),
        channel="",
        origin=origin,
        link=f"{origin}/watch/{video.id}" if is_public else None,
        age=words.age(site.texts, video.created_at, now),
        added=words.machine_time(video.created_at),
        added_exact=words.exact_time(video.created_at),
        next=[views.card(site.texts, other, now=now) for other in others],
    )


def deleted_page(site: Site, request: Request, video: Video) -> Response:
    """Say to who may still see it that it was deleted, and offer the way back while there is one.

    Raises Gone for everybody else, and once its undo window is over.
    """
    if not site.can_restore(video) or not may_edit(actor_of(request), video):
        raise Gone("This video was deleted.")
    return site.render(
        request,
        "message.html",
        status=410,
        here="watch",
        code=None,
        heading=site.texts("watch.deleted"),
        sentence=site.texts("watch.deleted_more", title=video.title),
        action=site.texts("watch.restore"),
        action_href=f"/studio/videos/{video.id}/restore",
        posts=True,
    )


def may_edit(actor: Actor, video: Video) -> bool:
    """Say whether the page offers the owner's actions; whether they are allowed, decide() says."""
    return actor.is_signed_in and (actor.account == video.owner or actor.role is Role.OWNER)
