"""bucket: uploads at once, straight into a bucket, while one request of a hundred fails.

HAProxy stands before server and gateway alike and answers 503 for one request of a hundred. What
the server spends is told beside the same bytes over tus, which pass through it on their way there.
"""

import asyncio
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.clips import Clips
from benchmarks.measure import cpu_s
from benchmarks.report import Row
from headwater.roles import free_port
from tests.support import ceph
from tests.support.server import EMAIL, PASSWORD, Server

ABOUT = "Uploads of one part of 5 MB each; the server has no worker beside it."
UPLOADS = 500
THROUGH = 100  # over tus, for comparison
PART_BYTES = 5_000_000
CONNECTIONS = 100
TRIES = 12
PAUSE_S = 0.2
TUS = {"Tus-Resumable": "1.0.0"}
UNRELIABLE = """
global
  maxconn 2000
defaults
  mode http
  timeout connect 5s
  timeout client 120s
  timeout server 120s
frontend server
  bind 127.0.0.1:{front}
  http-request return status 503 if {{ rand(100) lt 1 }}
  default_backend server
backend server
  server one {server}
frontend bucket
  bind 127.0.0.1:{public}
  http-request return status 503 if {{ rand(100) lt 1 }}
  default_backend bucket
backend bucket
  server one {bucket}
"""


class Client:
    """Sends uploads; what fails is tried again, and counted."""

    def __init__(self, http: httpx.AsyncClient, bucket: httpx.AsyncClient) -> None:
        self._http, self._bucket = http, bucket
        self.asked = self.failed = 0

    async def place(self, body: bytes, digest: str) -> None:
        where = await self._create(len(body))
        named = {"parts": [{"start": 0, "length": len(body), "sha256": digest}]}
        tickets = (await self._ask(self._http, "POST", f"{where}/parts", json=named)).json()
        ticket = tickets["parts"][0]
        await self._ask(
            self._bucket, ticket["method"], ticket["url"], headers=ticket["headers"], content=body
        )
        done = (await self._ask(self._http, "PUT", f"{where}/parts", json=named)).json()
        assert done["complete"], done

    async def pass_through(self, body: bytes) -> None:
        where = await self._create(len(body))
        headers = {
            **TUS,
            "Upload-Offset": "0",
            "Content-Type": "application/offset+octet-stream",
        }
        answer = await self._ask(self._http, "PATCH", where, content=body, headers=headers)
        assert answer.headers["upload-offset"] == str(len(body))

    async def _create(self, length: int) -> str:
        headers = {**TUS, "Upload-Length": str(length)}
        made = await self._ask(self._http, "POST", "/api/v1/uploads/", headers=headers)
        return str(httpx.URL(made.headers["location"]).path)

    async def _ask(
        self, http: httpx.AsyncClient, method: str, url: str, **sent: Any
    ) -> httpx.Response:
        for number in range(1, TRIES + 1):
            self.asked += 1
            try:
                answer = await http.request(method, url, **sent)
            except httpx.TransportError:  # refused before its body had gone
                answer = None
            if answer is not None and answer.status_code < 500:
                return answer.raise_for_status()
            self.failed += 1
            await asyncio.sleep(PAUSE_S * number)
        raise RuntimeError(f"{method} {url} never went well")


def measure(clips: Clips, folder: Path) -> list[Row]:
    _ = clips
    public = free_port("127.0.0.1")
    with ceph.cluster() as store:
        endpoint = store.endpoint()
        where = ceph.url(endpoint, ceph.bucket(endpoint))
        settings = {
            "blobs": f"{where}&public_endpoint=http://127.0.0.1:{public}",
            "owner_email": EMAIL,
            "owner_password": PASSWORD,
            "log_level": "warning",
            "queue_age_s": "86400",
        }
        api = Server(folder / "data", settings, "api")
        api.start()
        try:
            with _unreliable(folder, api.url, endpoint, public) as front, api.client() as signed:
                return asyncio.run(_measure(front, api.pid, dict(signed.cookies)))
        finally:
            api.stop()


async def _measure(front: str, pid: int, cookies: dict[str, str]) -> list[Row]:
    body = os.urandom(PART_BYTES)
    digest = hashlib.sha256(body).hexdigest()
    limits = httpx.Limits(max_connections=CONNECTIONS)
    async with (
        httpx.AsyncClient(
            base_url=front, cookies=cookies, timeout=300, limits=limits, headers={"Origin": front}
        ) as http,
        httpx.AsyncClient(timeout=300, limits=limits) as bucket,
    ):
        client = Client(http, bucket)
        began = cpu_s(pid), time.monotonic()
        await asyncio.gather(*(client.place(body, digest) for _ in range(UPLOADS)))
        direct_s, took_s = cpu_s(pid) - began[0], time.monotonic() - began[1]
        asked, failed = client.asked, client.failed
        before = cpu_s(pid)
        await asyncio.gather(*(client.pass_through(body) for _ in range(THROUGH)))
        tus_s = cpu_s(pid) - before
    size, through = UPLOADS * PART_BYTES / 1e9, THROUGH * PART_BYTES / 1e9
    return [
        Row(
            what=f"complete of {UPLOADS} at once",
            figure=UPLOADS,
            unit="uploads",
            target=UPLOADS,
            at_least=True,
            note=f"{failed} of {asked} requests failed; {took_s:.0f} s, "
            f"{size * 1e3 / took_s:.0f} MB/s in all",
        ),
        Row(
            what="CPU of the server",
            figure=direct_s / size,
            unit="s/GB",
            baseline=tus_s / through,
            against="tus",
        ),
    ]


@contextmanager
def _unreliable(folder: Path, server: str, bucket: str, public: int) -> Iterator[str]:
    """Put HAProxy before both and return where the server is now."""
    front = free_port("127.0.0.1")
    config = folder / "haproxy.cfg"
    server, bucket = (url.removeprefix("http://") for url in (server, bucket))
    config.write_text(
        UNRELIABLE.format(front=front, public=public, server=server, bucket=bucket),
        encoding="utf-8",
    )
    program = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    assert program, "haproxy is missing: apt install haproxy"
    process = subprocess.Popen([program, "-db", "-f", str(config)], start_new_session=True)
    try:
        deadline = time.monotonic() + 10
        while not _answers(f"http://127.0.0.1:{front}"):
            assert time.monotonic() < deadline, "haproxy did not start"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{front}"
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        httpx.get(url)
    except httpx.TransportError:
        return False
    return True
