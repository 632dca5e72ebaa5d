"""Streams: HLS and DASH manifests, segments and pictures below `/streams/{id}`.

Every address but the two manifests names a stream (see library/streams_repository.py), so what is
behind it never changes. A segment that takes longer to make than a request is held is a 503, or
for a client that says it can wait for it, such as our player, a 202 (RFC 7240 §4.1).
"""

import hashlib
import math
from collections.abc import Sequence
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from headwater.delivery.ranges import matches
from headwater.delivery.streams import Manifest, Piece
from headwater.faces.kit import ACTOR, Faces, actor_of
from headwater.faces.streaming.responder import Headers, Share, header, respond
from headwater.model.errors import BeingMade, NotFound
from headwater.model.ids import TrackId, VideoId
from headwater.pipeline.keys import INIT

HLS = "application/vnd.apple.mpegurl"
DASH = "application/dash+xml"
VTT = "text/vtt; charset=utf-8"
SHARED_FOR_EVER: Headers = [
    (b"cache-control", b"public, max-age=31536000, immutable"),
    (b"access-control-allow-origin", b"*"),
]
PRIVATE: Headers = [(b"cache-control", b"private, no-store")]
READING = ("GET", "HEAD")
LONGEST_INDEX = 9  # digits; more segments than that no video has


def _text(request: Request, manifest: Manifest, content_type: str, *, immutable: bool) -> Response:
    etag = hashlib.sha256(manifest.text.encode()).hexdigest()[:32]
    headers = {"etag": f'"{etag}"'}
    if manifest.shared:
        headers["access-control-allow-origin"] = "*"
        headers["cache-control"] = (
            "public, max-age=31536000, immutable" if immutable else "public, no-cache"
        )
    else:
        headers["cache-control"] = "private, no-store"
    if matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    return Response(manifest.text, headers=headers, media_type=content_type)


class Streaming:
    """The face. Segments, the hottest path of all, are matched by splitting; the rest by *routes*.

    `/streams/{id}/{stream}/{track}/{index}.m4s`
    """

    def __init__(self, segment: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._segment = segment
        self._rest = Router(routes=routes, redirect_slashes=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = segment_of(scope["path"])
        if found is None:
            await self._rest(scope, receive, send)
            return
        if scope["method"] not in READING:
            raise HTTPException(405, headers={"allow": ", ".join(READING)})
        scope["path_params"] = found
        await self._segment(scope, receive, send)


def segment_of(path: str) -> dict[str, Any] | None:
    """Return what the address of a segment names, None for another address."""
    words = path.split("/")
    if len(words) != 6:
        return None
    _, _, video, stream, track, name = words
    index, _, kind = name.partition(".")
    if kind != "m4s" or not (video and stream and track):
        return None
    if len(index) > LONGEST_INDEX or not (index.isascii() and index.isdigit()):
        return None
    return {"id": video, "stream": stream, "track": track, "index": int(index)}


class PieceEndpoint:
    """One kind of immutable blob as a bare ASGI application: no framework on the hot path."""

    def __init__(self, faces: Faces, operation: str, content_type: bytes) -> None:
        self._faces, self._operation, self._content_type = faces, operation, content_type
        self._share = Share()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path_params"]
        inputs: dict[str, Any] = {"video_id": VideoId(path["id"]), "stream": path["stream"]}
        if "track" in path:
            inputs["track"] = TrackId(path["track"])
        inputs["index"] = path.get("index", INIT if "track" in path else 0)
        try:
            piece: Piece = await self._faces.runner.run(self._operation, scope[ACTOR], **inputs)
        except BeingMade as error:
            if not may_be_told_later(scope):
                raise
            await accepted(error)(scope, receive, send)
            return
        try:
            with self._share as share:
                await respond(
                    scope,
                    receive,
                    send,
                    blob=piece.blob,
                    content_type=self._content_type,
                    headers=SHARED_FOR_EVER if piece.shared else PRIVATE,
                    share=share,
                )
        finally:
            piece.blob.close()


def may_be_told_later(scope: Scope) -> bool:
    """Say whether the client prefers `respond-async` to an error while something is made."""
    preferences = (header(scope, b"prefer") or "").lower().split(",")
    return any(preference.strip() == "respond-async" for preference in preferences)


def accepted(error: BeingMade) -> Response:
    """Answer that it is being made; asked again after Retry-After it is there, or nearly."""
    headers = {"cache-control": "no-store", "preference-applied": "respond-async"}
    headers["retry-after"] = str(math.ceil(error.retry_after_s or 1))
    return Response(status_code=202, headers=headers)


def create(faces: Faces) -> ASGIApp:
    """Return the face."""
    segment = PieceEndpoint(faces, "streams.segment", b"video/mp4")
    picture = PieceEndpoint(faces, "streams.picture", b"image/jpeg")
    base = "/streams/{id}/{stream}"
    return Streaming(
        segment,
        [
            Route(base + "/{track}/init.mp4", segment, methods=READING),
            Route(base + "/poster.jpg", picture, methods=READING),
            Route(base + "/storyboard-{index:int}.jpg", picture, methods=READING),
            *_texts(faces),
        ],
    )


def _texts(faces: Faces) -> list[BaseRoute]:
    """Return the routes of what is written out of the plan."""
    runner = faces.runner

    async def master(request: Request) -> Response:
        video = VideoId(request.path_params["id"])
        manifest = await runner.run("streams.master", actor_of(request), video_id=video)
        return _text(request, manifest, HLS, immutable=False)

    async def mpd(request: Request) -> Response:
        video = VideoId(request.path_params["id"])
        manifest = await runner.run("streams.manifest", actor_of(request), video_id=video)
        return _text(request, manifest, DASH, immutable=False)

    async def playlist(request: Request) -> Response:
        path = request.path_params
        manifest = await runner.run(
            "streams.playlist",
            actor_of(request),
            video_id=VideoId(path["id"]),
            stream=path["stream"],
            track=TrackId(path["track"]),
        )
        return _text(request, manifest, HLS, immutable=True)

    async def storyboard(request: Request) -> Response:
        path = request.path_params
        manifest = await runner.run(
            "streams.storyboard",
            actor_of(request),
            video_id=VideoId(path["id"]),
            stream=path["stream"],
        )
        return _text(request, manifest, VTT, immutable=True)

    async def nothing(_: Request) -> Response:
        raise NotFound("There is nothing under this address.")

    base = "/streams/{id}/{stream}"
    return [
        Route(base + "/{track}/playlist.m3u8", playlist),
        Route("/streams/{id}/master.m3u8", master),
        Route("/streams/{id}/manifest.mpd", mpd),
        Route(base + "/storyboard.vtt", storyboard),
        Route("/streams/{rest:path}", nothing),
    ]
