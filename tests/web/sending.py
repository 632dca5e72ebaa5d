"""An upload from elsewhere, piece by piece, while a page looks on."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.support.server import Server

TUS = {"tus-resumable": "1.0.0", "content-type": "application/offset+octet-stream"}


class Sending:
    """An upload over tus, piece by piece."""

    def __init__(self, client: httpx.Client, body: bytes) -> None:
        self._client, self._body, self._offset = client, body, 0
        created = client.post(
            "/api/v1/uploads/",
            headers={
                "tus-resumable": "1.0.0",
                "upload-length": str(len(body)),
                "upload-metadata": f"title {base64.b64encode(b'On its way').decode()}",
            },
        ).raise_for_status()
        self._address = created.headers["location"]
        self.video = created.headers["headwater-video"]

    def send(self, size: int | None = None) -> None:
        piece = self._body[self._offset :][:size]
        headers = TUS | {"upload-offset": str(self._offset)}
        self._client.patch(self._address, headers=headers, content=piece).raise_for_status()
        self._offset += len(piece)


@contextmanager
def sending(server: Server, body: bytes) -> Iterator[Sending]:
    with server.client() as client:
        upload = Sending(client, body)
        yield upload
        client.delete(f"/api/v1/videos/{upload.video}").raise_for_status()
