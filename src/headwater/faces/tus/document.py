"""What the OpenAPI document says of this face; faces/rest prints it with its own."""

from http import HTTPStatus
from typing import Any

import msgspec

from headwater.faces.problems import MEDIA_TYPE
from headwater.faces.tus.answers import CHECKSUM_MISMATCH
from headwater.faces.tus.views import PartList, TakenVideo, TicketList, UploadView
from headwater.faces.tus.wire import BODY_TYPE

Json = dict[str, Any]
ANYWHERE = (400, 401, 403, 429, 500, 503)
OF_ONE = (*ANYWHERE, 404, 410)
BINARY = {"schema": {"type": "string", "format": "binary"}}


def paths() -> Json:
    """Return the path items of every route of app.py."""
    return {
        "/api/v1/videos": {"post": _plain()},
        "/api/v1/uploads/": {"post": _creation(), "options": _announcement()},
        "/api/v1/uploads/{id}": {
            "get": _operation("Get an upload", _json(200, UploadView), *OF_ONE),
            "head": _operation(
                "Ask how far an upload is (tus)",
                _empty(200),
                *OF_ONE,
                412,
                headers=("Tus-Resumable",),
            ),
            "patch": _appending(),
            "delete": _operation(
                "Give an upload up (tus)",
                _empty(204),
                *OF_ONE,
                409,
                412,
                headers=("Tus-Resumable",),
            ),
        },
        "/api/v1/uploads/{id}/complete": {
            "post": _operation(
                "End an upload of deferred length", _json(200, UploadView), *OF_ONE, 409
            ),
        },
        "/api/v1/uploads/{id}/parts": {
            "post": _operation(
                "Ask where parts can be put", _json(200, TicketList), *OF_ONE, 413, body=PartList
            ),
            "put": _operation(
                "Say which parts were put",
                _json(200, UploadView),
                *OF_ONE,
                409,
                413,
                423,
                body=PartList,
            ),
        },
    }


def schemas() -> Json:
    """Return the schemas that paths() refers to; Problem is the other face's."""
    kinds = (UploadView, TakenVideo, PartList, TicketList)
    return msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")[1]


def _plain() -> Json:
    words = ("filename", "title", "description", "visibility")
    operation = _operation("Upload a whole file", _json(201, TakenVideo), *ANYWHERE, 413, 507)
    operation["parameters"] = [_named(word, "query", required=False) for word in words]
    fields: Json = {word: {"type": "string"} for word in words}
    form = {"type": "object", "properties": {**fields, "file": BINARY["schema"]}}
    operation["requestBody"] = {
        "required": True,
        "content": {"video/*": BINARY, "multipart/form-data": {"schema": form}},
    }
    return operation


def _creation() -> Json:
    operation = _operation(
        "Create an upload (tus)",
        _empty(201),
        *ANYWHERE,
        *(404, 409, 412, 413, 507),
        headers=("Tus-Resumable",),
        optional=("Upload-Length", "Upload-Defer-Length", "Upload-Metadata", "Upload-Concat"),
    )
    operation["requestBody"] = {"required": False, "content": {BODY_TYPE: BINARY}}
    return operation


def _announcement() -> Json:
    return _operation("Ask what the server can do (tus)", _empty(204), 429, 500, 503)


def _appending() -> Json:
    operation = _operation(
        "Append bytes (tus)",
        _empty(204),
        *OF_ONE,
        *(409, 412, 413, 415, 423, CHECKSUM_MISMATCH, 507),
        headers=("Tus-Resumable", "Upload-Offset"),
        optional=("Upload-Length", "Upload-Checksum"),
    )
    operation["requestBody"] = {"required": True, "content": {BODY_TYPE: BINARY}}
    return operation


def _operation(
    summary: str,
    success: Json,
    *problems: int,
    headers: tuple[str, ...] = (),
    optional: tuple[str, ...] = (),
    body: type | None = None,
) -> Json:
    refused = {str(status): _problem(status) for status in sorted(problems)}
    operation: Json = {"summary": summary, "tags": ["uploads"], "responses": success | refused}
    operation["parameters"] = [_named(name, "header") for name in headers]
    if 410 in problems:  # only what is asked of one upload can be gone
        operation["parameters"].append(_named("id", "path"))
    operation["parameters"] += [_named(name, "header", required=False) for name in optional]
    if body is not None:
        content = {"application/json": {"schema": _reference(body)}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _named(name: str, place: str, *, required: bool = True) -> Json:
    return {"name": name, "in": place, "required": required, "schema": {"type": "string"}}


def _json(status: int, kind: type) -> Json:
    content = {"application/json": {"schema": _reference(kind)}}
    return {str(status): {"description": HTTPStatus(status).phrase, "content": content}}


def _empty(status: int) -> Json:
    return {str(status): {"description": HTTPStatus(status).phrase}}


def _problem(status: int) -> Json:
    ours = status == CHECKSUM_MISMATCH
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": "Checksum Mismatch" if ours else HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": schema}},
    }


def _reference(kind: type) -> Json:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}
