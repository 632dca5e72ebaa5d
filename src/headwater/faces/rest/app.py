"""REST under /api/v1: FastAPI for routes and their document; bodies and answers are our structs.

Errors are problems (RFC 9457), whoever finds them. The document is at /api/v1/openapi.json; there
is no page around it, because such pages fetch scripts from elsewhere.
"""

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from headwater.faces.kit import Faces
from headwater.faces.problems import plain_problem, problem_response
from headwater.faces.rest import operating, people, videos
from headwater.faces.rest.documents import Beside, document
from headwater.model.errors import HeadwaterError, InvalidInput

ONE_VIDEO = "/api/v1/videos"


class Rest:
    """The face as an application with full paths.

    One video is read far more often than anything else, so that route goes around the framework: it
    is 3 times cheaper there. It stands in the framework too, for the document and other methods.
    """

    def __init__(self, faces: Faces, beside: Beside | None) -> None:
        self._app = framework(faces, beside)
        self._videos = videos.Videos(faces)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        before, _, last = scope["path"].rpartition("/")
        if before == ONE_VIDEO and last and scope["method"] == "GET":
            answer = await self._videos.get(Request(scope, receive), last)
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def create(faces: Faces, beside: Beside | None = None) -> Rest:
    return Rest(faces, beside)


def framework(faces: Faces, beside: Beside | None = None) -> FastAPI:
    """Return every route of the face, with the document that describes them and *beside*."""
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
            app.openapi_schema = document(app, beside)
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
