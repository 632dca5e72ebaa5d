"""REST under /api/v1: FastAPI for routes and their document; bodies and answers are our structs.

Errors are problems (RFC 9457), whoever finds them. The document is at /api/v1/openapi.json; there
is no page around it, because such pages fetch scripts from elsewhere.
"""

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from headwater.faces.kit import Faces
from headwater.faces.problems import plain_problem, problem_response
from headwater.faces.rest import operating, people, videos
from headwater.faces.rest.documents import document
from headwater.model.errors import HeadwaterError, InvalidInput


def create(faces: Faces) -> FastAPI:
    """Return the face as an application with full paths."""
    app = FastAPI(
        title="Headwater",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={
            HeadwaterError: _expected,
            RequestValidationError: _invalid,
            HTTPException: _http,
        },
    )
    for face in (videos, people, operating):
        app.include_router(face.router(faces))

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
    return app


async def _expected(_: Request, error: Exception) -> Response:
    assert isinstance(error, HeadwaterError)
    return problem_response(error)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return problem_response(InvalidInput(f"{where}: {first['msg']}"))


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = plain_problem(error.status_code)
    answer.headers.update(error.headers or {})
    return answer
