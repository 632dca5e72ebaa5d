"""tus 1.0.0: creation, HEAD, PATCH and DELETE as operations.

Source: https://tus.io/protocols/resumable-upload.
"""

import math

import anyio
from starlette.requests import Request
from starlette.responses import Response

from headwater.faces.kit import Faces, actor_of
from headwater.faces.tus import wire
from headwater.faces.tus.answers import NotTus, json
from headwater.faces.tus.body import RequestBody
from headwater.faces.tus.views import upload_view
from headwater.model.errors import InvalidInput
from headwater.model.ids import UploadId
from headwater.model.upload import Upload
from headwater.uploads.checksums import ALGORITHMS
from headwater.uploads.tell_limits import Terms

PATH = "/api/v1/uploads/"


class Resumable:
    """The handlers of one upload (item) and of all (collection)."""

    def __init__(self, faces: Faces) -> None:
        self._faces = faces

    async def collection(self, request: Request, body: RequestBody) -> Response:
        if request.method == "OPTIONS":
            return await self.announce(request)
        require_version(request)
        return await self._create(request, body)

    async def item(self, request: Request, body: RequestBody) -> Response:
        method = request.headers.get("x-http-method-override", request.method).upper()
        upload_id = UploadId(request.path_params["id"])
        match method:
            case "OPTIONS":
                return await self.announce(request)
            case "GET":
                return json(upload_view(await self._inspect(request, upload_id)))
        require_version(request)
        match method:
            case "HEAD":
                upload = await self._inspect(request, upload_id)
                return Response(headers=wire.answer_headers(upload, base=self._base(request)))
            case "PATCH":
                return await self._append(request, upload_id, body)
            case "DELETE":
                await self._faces.runner.run(
                    "uploads.terminate", actor_of(request), upload_id=upload_id
                )
                return Response(status_code=204)
        raise NotTus(405, f"An upload knows no {method}.")

    async def announce(self, request: Request) -> Response:
        """Say what this server can do; no version is needed to ask."""
        terms: Terms = await self._faces.runner.run("uploads.limits", actor_of(request))
        headers = {
            "tus-version": wire.VERSION,
            "tus-extension": ",".join(wire.EXTENSIONS),
            "tus-max-size": str(terms.limits.file_limit_bytes),
            "tus-checksum-algorithm": ",".join(ALGORITHMS),
        }
        if terms.again_s is not None:  # creations are refused until then
            headers["retry-after"] = str(math.ceil(terms.again_s))
        return Response(status_code=204, headers=headers)

    async def _create(self, request: Request, body: RequestBody) -> Response:
        concat = wire.concat_of(request.headers)
        run, actor = self._faces.runner.run, actor_of(request)
        metadata = wire.metadata_of(request.headers)
        key = request.headers.get("idempotency-key")
        headers: dict[str, str] = {}
        if concat is not None and concat.parts:
            upload: Upload = await run(
                "uploads.concatenate",
                actor,
                idempotency_key=key,
                parts=concat.parts,
                metadata=metadata,
            )
        else:
            repeats: list[bool] = []
            upload = await run(
                "uploads.create",
                actor,
                idempotency_key=key,
                on_repeat=lambda: repeats.append(True),
                length=wire.length_of(request.headers),
                metadata=metadata,
                partial=concat is not None,
            )
            if _media_type(request) == wire.BODY_TYPE:
                if repeats:  # its bytes are on their way, or here: the client goes on from there
                    upload = await self._inspect(request, upload.id)
                else:
                    upload = await self._create_with_upload(request, upload, body)
                headers["upload-offset"] = str(upload.offset)
        headers["location"] = self._base(request) + upload.id
        return Response(status_code=201, headers=headers | wire.expiry(upload) | wire.video(upload))

    async def _create_with_upload(
        self, request: Request, upload: Upload, body: RequestBody
    ) -> Upload:
        """Append the body of the creation itself.

        If that fails nobody has the address: give up. With an Idempotency-Key a repeat is told the
        address, perhaps has been already, and goes on with the bytes that are here: keep them.
        """
        run, actor = self._faces.runner.run, actor_of(request)
        try:
            appended: Upload = await run(
                "uploads.append",
                actor,
                upload_id=upload.id,
                offset=0,
                body=body,
                content_length=body.content_length,
                checksum=wire.checksum_of(request.headers),
            )
        except BaseException:
            if "idempotency-key" not in request.headers:
                with anyio.CancelScope(shield=True):
                    await run("uploads.terminate", actor, upload_id=upload.id)
            raise
        return appended

    async def _append(self, request: Request, upload_id: UploadId, body: RequestBody) -> Response:
        if _media_type(request) != wire.BODY_TYPE:
            raise NotTus(415, f"The body of a PATCH is {wire.BODY_TYPE}.")
        offset = wire.number(request.headers, "Upload-Offset")
        if offset is None:
            raise InvalidInput("Upload-Offset is missing.")
        upload: Upload = await self._faces.runner.run(
            "uploads.append",
            actor_of(request),
            upload_id=upload_id,
            offset=offset,
            body=body,
            content_length=body.content_length,
            length=wire.number(request.headers, "Upload-Length"),
            checksum=wire.checksum_of(request.headers),
        )
        headers = {"upload-offset": str(upload.offset)}
        return Response(status_code=204, headers=headers | wire.expiry(upload) | wire.video(upload))

    async def _inspect(self, request: Request, upload_id: UploadId) -> Upload:
        upload: Upload = await self._faces.runner.run(
            "uploads.inspect", actor_of(request), upload_id=upload_id
        )
        return upload

    def _base(self, request: Request) -> str:
        return self._faces.public_url(request) + PATH


def require_version(request: Request) -> None:
    if request.headers.get("tus-resumable") != wire.VERSION:
        raise NotTus(412, f"This server speaks tus {wire.VERSION}; say so in Tus-Resumable.")


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
