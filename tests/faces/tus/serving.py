"""A real server of the tus face on a port of its own, and the clients that talk to it."""

import asyncio
import base64
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from headwater import roles
from headwater.compose.faces import open_faces
from headwater.faces.asgi import UPLOADS, create_app
from headwater.faces.tus.app import routes
from headwater.model.account import NewKey
from tests.uploads.system import EMAIL, System, open_system

TUS = {"Tus-Resumable": "1.0.0"}
BODY = {**TUS, "Content-Type": "application/offset+octet-stream"}


@dataclass(frozen=True, slots=True)
class Served:
    system: System
    url: str
    port: int
    key: str
    http: httpx.AsyncClient

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    async def create(self, length: int | None = None, **headers: str) -> str:
        """Create an upload and return its address."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        said = {"Upload-Defer-Length": "1"} if length is None else {"Upload-Length": str(length)}
        answer = await self.http.post(UPLOADS + "/", headers={**TUS, **said, **named})
        assert answer.status_code == 201, answer.text
        return answer.headers["location"]

    async def patch(
        self, address: str, offset: int, content: bytes, **headers: str
    ) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.patch(
            address, headers={**BODY, "Upload-Offset": str(offset), **named}, content=content
        )

    async def offset(self, address: str) -> int:
        answer = await self.http.head(address, headers=TUS)
        assert answer.status_code == 200
        return int(answer.headers["upload-offset"])

    async def source(self, address: str) -> bytes:
        upload = await self.system.ask("uploads.inspect", upload_id=id_of(address))
        assert upload.completed_at is not None
        return await self.system.source(upload)

    def connect(self) -> socket.socket:
        """Open a bare connection, for clients that behave badly."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)


def id_of(address: str) -> str:
    return address.rpartition("/")[2]


def metadata(**values: str) -> str:
    return ",".join(
        f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in values.items()
    )


def request_head(served: Served, method: str, address: str, headers: Mapping[str, str]) -> bytes:
    lines = [f"{method} {httpx.URL(address).path} HTTP/1.1", f"Host: 127.0.0.1:{served.port}"]
    lines += [f"{name}: {value}" for name, value in {**served.authorization, **headers}.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@asynccontextmanager
async def serve_system(folder: Path, *, port: int = 0) -> AsyncIterator[Served]:
    """Serve the uploads of a system in *folder*."""
    port = port or roles.free_port("127.0.0.1")
    async with open_system(folder) as system:
        faces = await open_faces(system.core)
        object.__setattr__(faces, "runner", system)  # its limits and time are the test's to choose
        key: NewKey = await system.ask_as_system("keys.create", name="test", email=EMAIL)
        assert key.token is not None
        app = create_app(faces, {UPLOADS: routes(faces)})
        serving = roles.http_server(
            app,
            host="127.0.0.1",
            port=port,
            drain_s=5.0,
            stop=asyncio.Event(),
            closing=faces.closing,
        )
        url = f"http://127.0.0.1:{port}"
        headers = {"Authorization": f"Bearer {key.token}"}
        async with serving, httpx.AsyncClient(base_url=url, headers=headers, timeout=20) as http:
            yield Served(system, url, port, key.token, http)
