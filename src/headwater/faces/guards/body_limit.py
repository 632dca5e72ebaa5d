"""BodyLimit: what is no upload is small, and is refused as soon as that is known to be untrue."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headwater.model.errors import InvalidInput, TooLarge

LARGEST_BYTES = 1 << 20
TOO_LARGE = "What was sent is larger than 1 MiB, the most that is taken here."


def is_plain_upload(scope: Scope) -> bool:
    """Say whether the request carries a whole video file (faces/tus/plain.py)."""
    return scope["path"] == "/api/v1/videos" and scope.get("method") == "POST"


class BodyLimit:
    """*free* are the prefixes of paths that count their bytes themselves."""

    def __init__(self, app: ASGIApp, *, free: tuple[str, ...]) -> None:
        self._app, self._free = app, free

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._is_free(scope):
            await self._app(scope, receive, send)
            return
        if _declared(scope) > LARGEST_BYTES:
            raise TooLarge(TOO_LARGE)
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > LARGEST_BYTES:
                raise TooLarge(TOO_LARGE)
            return message

        await self._app(scope, counted, send)

    def _is_free(self, scope: Scope) -> bool:
        path: str = scope["path"]
        return path.startswith(self._free) or is_plain_upload(scope)


def _declared(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            if not value.isdigit():
                raise InvalidInput("Content-Length is a number of bytes.")
            return int(value)
    return 0
