"""`POST /api/v1/videos`: a file in one request, for curl and scripts.

    curl -H "Authorization: Bearer $KEY" -F title=Harbour -F file=@a.mp4 …/api/v1/videos
    curl -H "Authorization: Bearer $KEY" --data-binary @a.mp4 …/api/v1/videos?filename=a.mp4

The bytes take the same way as any upload's, but cannot be resumed: what breaks starts again.
"""

import re
from collections.abc import AsyncIterable
from urllib.parse import unquote

import anyio
from starlette.requests import Request
from starlette.responses import Response

from headwater.faces.kit import Faces, actor_of
from headwater.faces.tus.answers import json
from headwater.faces.tus.body import RequestBody
from headwater.faces.tus.form import FIELD_BYTES, Form
from headwater.faces.tus.views import TakenVideo
from headwater.faces.tus.wire import VIDEO_HEADER
from headwater.model.errors import InvalidInput
from headwater.model.upload import Upload
from headwater.model.video import Video
from headwater.uploads.create_upload import EMPTY

WORDS = ("filename", "title", "description", "visibility")
FILENAME = re.compile(r"filename\*?=(?:UTF-8'')?\"?([^\";]+)", re.IGNORECASE)  # RFC 6266


class Plain:
    def __init__(self, faces: Faces) -> None:
        self._faces = faces

    async def post(self, request: Request, body: RequestBody) -> Response:
        content_type = request.headers.get("content-type", "")
        metadata = {
            word: request.query_params[word] for word in WORDS if word in request.query_params
        }
        if not content_type.lower().startswith("multipart/"):
            found = FILENAME.search(request.headers.get("content-disposition", ""))
            if found:
                metadata.setdefault("filename", unquote(found[1]))
            upload = await self._take(request, body, body, metadata, length=body.content_length)
            return await self._answer(request, upload)
        coming_bytes = max((body.content_length or 0) - FIELD_BYTES, 0)
        await self._faces.runner.run("uploads.check", actor_of(request), coming_bytes=coming_bytes)
        form = Form(content_type, body)
        await form.open()
        metadata = {"filename": form.filename} | metadata
        metadata |= {word: form.fields[word] for word in WORDS if word in form.fields}
        upload = await self._take(request, body, form, metadata, length=None)
        return await self._answer(request, upload)

    async def _take(
        self,
        request: Request,
        body: RequestBody,
        file: AsyncIterable[bytes],
        metadata: dict[str, str],
        *,
        length: int | None,
    ) -> Upload:
        """Create and fill an upload; whatever breaks between leaves nothing behind."""
        run, actor = self._faces.runner.run, actor_of(request)
        upload: Upload = await run("uploads.create", actor, length=length, metadata=metadata)
        try:
            appended: Upload = await run(
                "uploads.append",
                actor,
                upload_id=upload.id,
                offset=0,
                body=file,
                content_length=length,
            )
            require_whole(body, file)
            require_some(appended)
            completed: Upload = await run("uploads.complete", actor, upload_id=upload.id)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await run("uploads.terminate", actor, upload_id=upload.id)
            raise
        return completed

    async def _answer(self, request: Request, upload: Upload) -> Response:
        video: Video = await self._faces.runner.run(
            "videos.get", actor_of(request), video_id=upload.video
        )
        origin = self._faces.public_url(request)
        taken = TakenVideo(
            id=video.id,
            title=video.title,
            state=video.state,
            visibility=video.visibility,
            watch_url=f"{origin}/watch/{video.id}",
        )
        headers = {"location": f"{origin}/api/v1/videos/{video.id}", VIDEO_HEADER: video.id}
        return json(taken, 201, headers)


def require_whole(body: RequestBody, file: AsyncIterable[bytes]) -> None:
    """Raises InvalidInput if the client went away in the middle."""
    if body.is_interrupted or (isinstance(file, Form) and not file.is_whole):
        raise InvalidInput("The file broke off before its end.")


def require_some(upload: Upload) -> None:
    """Raises InvalidInput if a form or a chunked body, whose length nobody said, held no bytes."""
    if not upload.offset:
        raise InvalidInput(EMPTY)
