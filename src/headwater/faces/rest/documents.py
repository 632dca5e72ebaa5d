"""The OpenAPI document: FastAPI's, with our structs as components and problems for every error."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from headwater.faces.problems import MEDIA_TYPE, Problem
from headwater.faces.rest import bodies, views
from headwater.library.changes import VideoNews
from headwater.pipeline.space import Space

COMPONENTS = (
    Problem,
    bodies.VideoPatch,
    bodies.LogIn,
    bodies.SetUp,
    bodies.CreateKey,
    views.VideoView,
    views.VideoPage,
    views.AccountView,
    views.WhoView,
    views.UsageView,
    views.KeyView,
    views.KeyList,
    views.NewKeyView,
    views.JobView,
    views.JobList,
    VideoNews,
    Space,
)
SECURITY = {
    "session": {"type": "apiKey", "in": "cookie", "name": "headwater"},
    "key": {"type": "http", "scheme": "bearer"},
}
EVENT = {
    "type": "object",
    "properties": {
        "event": {"const": "progress"},
        "id": {"type": "string"},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/VideoNews"},
        },
    },
}
NOTHING: Mapping[int, str] = MappingProxyType({})
EVERYWHERE = (401, 403, 422, 429, 500, 503)  # a wrong key, a foreign page, a bad value, …


def reference(kind: type) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def answers(
    kind: type | None = None,
    *problems: int,
    status: int = 200,
    also: Mapping[int, str] = NOTHING,
) -> dict[str, Any]:
    """Return the keyword arguments that document a route.

    *kind* is what it answers with *status*, *problems* are those beside EVERYWHERE, and *also*
    names answers without a body.
    """
    success: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if kind is not None:
        success["content"] = {"application/json": {"schema": reference(kind)}}
    responses: dict[int | str, Any] = {status: success}
    responses.update({code: {"description": says} for code, says in also.items()})
    for code in sorted({*EVERYWHERE, *problems}):
        responses[code] = problem(code)
    return {"status_code": status, "responses": responses}


def events(*problems: int) -> dict[str, Any]:
    """Return what documents a stream of server-sent events, each with VideoNews as its data."""
    made = answers(None, *problems, also={204: "Nothing will follow."})
    made["responses"][200]["content"] = {"text/event-stream": {"schema": EVENT}}
    return made


def problem(status: int) -> dict[str, Any]:
    return {
        "description": HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": reference(Problem)}},
    }


def takes(kind: type) -> dict[str, Any]:
    """Return openapi_extra for a route with a JSON body."""
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": reference(kind)}},
        }
    }


class Beside(msgspec.Struct, frozen=True):
    """What another face adds to the document: path items and schemas by name."""

    paths: dict[str, Any]
    schemas: dict[str, Any]


def document(app: FastAPI, beside: Beside | None = None) -> dict[str, Any]:
    """Return the whole OpenAPI 3.1 document."""
    made = get_openapi(
        title="Headwater",
        version="1",
        description="Videos, sessions, keys and what an account uses. Uploads speak tus 1.0.0.",
        routes=app.routes,
    )
    _, components = msgspec.json.schema_components(
        COMPONENTS, ref_template="#/components/schemas/{name}"
    )
    if beside is not None:
        components |= beside.schemas
        for path, item in beside.paths.items():
            made["paths"].setdefault(path, {}).update(item)
    made["components"] = {"schemas": components, "securitySchemes": SECURITY}
    made["security"] = [{}, {"session": []}, {"key": []}]
    return made
