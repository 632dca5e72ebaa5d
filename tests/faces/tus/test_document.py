"""What the OpenAPI document says of uploads is what answers."""

import re
from typing import Any

import msgspec
import pytest
from starlette.routing import Route

from headwater.compose.faces import open_faces
from headwater.faces.rest import app as rest
from headwater.faces.rest.documents import Beside
from headwater.faces.tus import document
from headwater.faces.tus.app import routes
from tests.faces.tus.serving import BODY, TUS, Served

pytestmark = pytest.mark.anyio
WRONG_BODY = b'{"parts": 7}'


async def whole(served: Served) -> dict[str, Any]:
    faces = await open_faces(served.system.core)
    beside = Beside(document.paths(), document.schemas())
    made: dict[str, Any] = rest.framework(faces, beside).openapi()
    return made


async def test_every_route_is_documented(served: Served) -> None:
    """Beside those of the other face, whose listing of videos stays; signed parts are no API."""
    made = await whole(served)
    assert {"get", "post"} <= made["paths"]["/api/v1/videos"].keys()
    for route in routes(await open_faces(served.system.core)):
        assert isinstance(route, Route)
        if route.path in {"/api/v1/uploads", "/api/v1/uploads/parts/{key:path}"}:
            continue
        said = {method.upper() for method in made["paths"][route.path]} - {"GET"}
        assert said <= (route.methods or set())


async def test_every_reference_leads_somewhere(served: Served) -> None:
    made = await whole(served)
    text = msgspec.json.encode(made).decode()
    for name in set(re.findall(r"#/components/schemas/(\w+)", text)):
        assert name in made["components"]["schemas"]


REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/api/v1/videos", {"content": b"abc", "params": {"filename": "a.mp4"}}),
    ("POST", "/api/v1/videos", {"params": {"visibility": "odd"}, "content": b"abc"}),
    ("POST", "/api/v1/uploads/", {"headers": {**TUS, "Upload-Length": "3"}}),
    ("POST", "/api/v1/uploads/", {"headers": {"Upload-Length": "3"}}),
    ("OPTIONS", "/api/v1/uploads/", {}),
    ("GET", "/api/v1/uploads/{id}", {}),
    ("HEAD", "/api/v1/uploads/{id}", {"headers": TUS}),
    ("PATCH", "/api/v1/uploads/{id}", {"headers": {**BODY, "Upload-Offset": "7"}}),
    ("PATCH", "/api/v1/uploads/{id}", {"headers": {**BODY, "Upload-Offset": "0"}, "content": b"a"}),
    ("PATCH", "/api/v1/uploads/{id}", {"headers": TUS}),
    ("DELETE", "/api/v1/uploads/{id}", {"headers": TUS}),
    ("POST", "/api/v1/uploads/{id}/complete", {}),
    ("POST", "/api/v1/uploads/{id}/parts", {"content": WRONG_BODY}),
    ("PUT", "/api/v1/uploads/{id}/parts", {"content": WRONG_BODY}),
    (
        "POST",
        "/api/v1/uploads/{id}/parts",
        {"json": {"parts": [{"start": 0, "length": 3, "sha256": "0" * 64}]}},
    ),
    (
        "PUT",
        "/api/v1/uploads/{id}/parts",
        {"json": {"parts": [{"start": 0, "length": 9, "sha256": "0" * 64}]}},
    ),
]


@pytest.mark.parametrize(("method", "path", "request_of"), REQUESTS)
@pytest.mark.parametrize("known", ["known", "unknown"])
async def test_answers_are_as_documented(
    served: Served, method: str, path: str, request_of: dict[str, Any], known: str
) -> None:
    """Status and kind of body, for an upload there is and for one there is not."""
    made = await whole(served)
    address = await served.create(3) if known == "known" else f"{served.url}/api/v1/uploads/none"
    url = path.replace("{id}", address.rpartition("/")[2])

    answer = await served.http.request(method, url, **request_of)

    responses = made["paths"][path][method.lower()]["responses"]
    assert str(answer.status_code) in responses
    content = responses[str(answer.status_code)].get("content", {})
    if answer.content:
        assert answer.headers["content-type"] in content
        schema = content[answer.headers["content-type"]]["schema"]["$ref"].rpartition("/")[2]
        required = made["components"]["schemas"][schema].get("required", [])
        assert set(required) <= answer.json().keys()
