"""The routes of this face: tus below `/api/v1/uploads/`, parts beside it, plain POST for curl."""

from starlette.routing import BaseRoute, Route

from headwater.faces.kit import Faces
from headwater.faces.tus.answers import Endpoint
from headwater.faces.tus.placed import Placed
from headwater.faces.tus.plain import Plain
from headwater.faces.tus.resumable import Resumable

UPLOADS = "/api/v1/uploads"


def routes(faces: Faces) -> list[BaseRoute]:
    resumable, placed, plain = Resumable(faces), Placed(faces), Plain(faces)
    collection = Endpoint(resumable.collection)
    of_item = ["HEAD", "GET", "PATCH", "DELETE", "POST", "OPTIONS"]  # POST: method override
    return [
        Route(UPLOADS, collection, methods=["POST", "OPTIONS"]),
        Route(f"{UPLOADS}/", collection, methods=["POST", "OPTIONS"]),
        Route(f"{UPLOADS}/parts/{{key:path}}", Endpoint(placed.put), methods=["PUT"]),
        Route(f"{UPLOADS}/{{id}}", Endpoint(resumable.item), methods=of_item),
        Route(f"{UPLOADS}/{{id}}/parts", Endpoint(placed.parts), methods=["POST", "PUT"]),
        Route(f"{UPLOADS}/{{id}}/complete", Endpoint(placed.complete), methods=["POST"]),
        Route("/api/v1/videos", Endpoint(plain.post), methods=["POST"]),
    ]
