"""Parts by any HTTP client: tickets, the signed PUT, and the commit by list."""

from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from headwater.engines.blobs.port import PartTicket, Stored
from headwater.faces.kit import Faces, actor_of
from headwater.faces.tus.answers import json
from headwater.faces.tus.body import RequestBody
from headwater.faces.tus.views import PartList, Ticket, TicketList, upload_view
from headwater.model.errors import InvalidInput, TooLarge
from headwater.model.ids import UploadId
from headwater.model.upload import Upload
from headwater.uploads.place_parts import MOST_AT_ONCE, PlacedPart

BODY_BYTES = 1 << 20  # a thousand parts are about 120 kB of JSON
T = TypeVar("T")


class Placed:
    """`/api/v1/uploads/{id}/parts`: POST asks for tickets, PUT commits what they were used for."""

    def __init__(self, faces: Faces) -> None:
        self._faces = faces

    async def parts(self, request: Request, body: RequestBody) -> Response:
        upload_id = UploadId(request.path_params["id"])
        named = await _read(body, PartList)
        if request.method == "PUT":
            upload: Upload = await self._faces.runner.run(
                "uploads.commit_parts",
                actor_of(request),
                upload_id=upload_id,
                parts=named.parts,
            )
            return json(upload_view(upload))
        if len(named.parts) > MOST_AT_ONCE:
            raise InvalidInput(f"Ask for at most {MOST_AT_ONCE} tickets at once.")
        return json(TicketList([await self._ticket(request, upload_id, p) for p in named.parts]))

    async def _ticket(self, request: Request, upload_id: UploadId, part: PlacedPart) -> Ticket:
        ticket: PartTicket = await self._faces.runner.run(
            "uploads.part_url", actor_of(request), upload_id=upload_id, part=part
        )
        ours = ticket.url.startswith("/")
        url = self._faces.public_url(request) + ticket.url if ours else ticket.url
        return Ticket(start=part.start, url=url, method=ticket.method, headers=ticket.headers)

    async def put(self, request: Request, body: RequestBody) -> Response:
        """The address a folder's ticket leads to: the signature in it is the permission."""
        stored: Stored = await self._faces.runner.run(
            "uploads.put_part",
            actor_of(request),
            key=request.path_params["key"],
            query=dict(request.query_params),
            body=body,
            content_length=body.content_length,
        )
        return Response(status_code=204, headers={"etag": f'"{stored.etag}"'})

    async def complete(self, request: Request, _: RequestBody) -> Response:
        """End an upload of deferred length where it is."""
        upload: Upload = await self._faces.runner.run(
            "uploads.complete",
            actor_of(request),
            upload_id=UploadId(request.path_params["id"]),
        )
        return json(upload_view(upload))


async def _read(body: RequestBody, kind: type[T]) -> T:
    collected = bytearray()
    async for chunk in body:
        collected += chunk
        if len(collected) > BODY_BYTES:
            raise TooLarge(f"This body has at most {BODY_BYTES} bytes.")
    try:
        return msgspec.json.decode(collected, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise InvalidInput(f"The body is not as expected: {error}") from None
