"""What every request passes: origins, proxies, headers, keys, health."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from headwater.compose.core import Core, open_core
from headwater.compose.faces import open_faces
from headwater.faces.guards.entry import TrustedProxies, level_of
from headwater.faces.guards.principals import cookie_named
from headwater.faces.problems import STATUS, status_of
from headwater.model import errors
from headwater.settings import load
from tests.support.system import (
    EMAIL,
    PASSWORD,
    actor_of,
    add_video,
    application,
    client,
    client_of,
    system,
)

pytestmark = pytest.mark.anyio
RIGHT = {"email": EMAIL, "password": PASSWORD}


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://testserver.evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
async def test_a_write_from_another_site_is_refused(core: Core, headers: dict[str, str]) -> None:
    async with client(core) as http:
        answer = await http.post("/api/v1/session", json=RIGHT, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    "headers", [{"origin": "http://testserver"}, {"sec-fetch-site": "same-origin"}, {}]
)
async def test_a_write_from_our_own_page_or_no_browser_passes(
    core: Core, headers: dict[str, str]
) -> None:
    async with client(core) as http:
        answer = await http.post("/api/v1/session", json=RIGHT, headers=headers)

    assert answer.status_code == 200


async def test_a_write_with_a_key_may_come_from_anywhere(core: Core) -> None:
    """No browser adds a key by itself."""
    async with client_of(core) as http:
        answer = await http.post(
            "/api/v1/keys", json={"name": "x"}, headers={"origin": "https://evil.example"}
        )

    assert answer.status_code == 201


async def test_the_public_address_is_the_only_origin(tmp_path: Path) -> None:
    async with (
        system(tmp_path, public_url="https://video.example.org") as core,
        client(core) as http,
    ):
        ours = {"origin": "https://video.example.org"}
        other = {"origin": "https://internal", "host": "internal"}
        assert (await http.post("/api/v1/session", json=RIGHT, headers=ours)).status_code == 200
        assert (await http.post("/api/v1/session", json=RIGHT, headers=other)).status_code == 403


async def test_every_answer_carries_the_policies(core: Core) -> None:
    async with client(core) as http:
        answers = [await http.get("/api/v1/videos"), await http.get("/nowhere")]

    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("peer", "chain", "client_address"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.7", "10.0.0.7"),
        ("unknown", "198.51.100.1", "unknown"),
    ],
)
def test_only_trusted_proxies_say_who_the_client_is(
    peer: str, chain: str, client_address: str
) -> None:
    """What a client writes in front of the chain is never believed."""
    assert TrustedProxies(["10.0.0.0/8"]).client_of(peer, chain) == client_address


async def test_a_trusted_proxy_says_that_the_page_came_by_https(tmp_path: Path) -> None:
    async with system(tmp_path, trusted_proxies="192.0.2.0/24") as core, client(core) as http:
        video = await add_video(core, await actor_of(core))
        answer = await http.get(
            f"/api/v1/videos/{video.id}", headers={"x-forwarded-proto": "https"}
        )

    assert answer.json()["watch_url"] == f"https://testserver/watch/{video.id}"


@pytest.mark.parametrize("proof", ["Bearer wrong", "Bearer", "Basic eDp5", "Bearer " + "x" * 500])
async def test_a_wrong_key_is_an_error(core: Core, proof: str) -> None:
    async with client(core, authorization=proof) as http:
        assert (await http.get("/api/v1/videos")).status_code == 401


@pytest.mark.parametrize("cookie", ["headwater=wrong", "headwater=", "=;;", "headwater"])
async def test_a_wrong_cookie_is_nobody(core: Core, cookie: str) -> None:
    async with client(core, cookie=cookie) as http:
        assert (await http.get("/api/v1/session")).json()["kind"] == "anonymous"


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("headwater=a", "a"),
        ("theme=dark; headwater=a-_1; headwater=b", "a-_1"),
        ("theme=dark;headwater = a ;", "a"),
        ("xheadwater=a; headwater2=b", ""),
        ('odd="headwater=a"; {}[]=;;=', ""),
        ("", ""),
    ],
)
def test_the_first_cookie_of_our_name_counts(header: str, value: str) -> None:
    """Whatever other cookies of this host look like."""
    assert cookie_named("headwater", header) == value


async def test_live_and_ready_say_so(core: Core) -> None:
    async with client(core) as http:
        live = await http.get("/health/live")
        ready = await http.get("/health/ready")

    assert live.status_code == 200
    assert ready.json()["ready"] is True
    assert {part["name"] for part in ready.json()["parts"]} >= {"database", "blobs"}


async def test_a_server_that_stops_is_not_ready(core: Core) -> None:
    faces = await open_faces(core)
    faces.closing.set()

    async with client(core, faces=faces) as http:
        assert (await http.get("/health/ready")).status_code == 503


async def test_an_unknown_error_says_nothing_of_its_cause(tmp_path: Path) -> None:
    """The database went away: the log knows why, the answer does not."""
    async with open_core(load(data=tmp_path)) as core:
        app = application(core, await open_faces(core))
    transport = httpx.ASGITransport(app=app)

    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as http:
        answer = await http.get("/api/v1/videos/22222222222")

    assert answer.status_code in {500, 503}
    assert str(tmp_path) not in answer.text
    assert "sqlite" not in answer.text.lower()


def test_every_error_has_a_status() -> None:
    """A branch of the tree without one would answer 500."""

    def below(kind: type[errors.HeadwaterError]) -> list[type[errors.HeadwaterError]]:
        return [kind, *(leaf for child in kind.__subclasses__() for leaf in below(child))]

    for kind in below(errors.HeadwaterError):
        assert (status_of(kind()) == 500) == (kind is errors.HeadwaterError)
    assert set(errors.HeadwaterError.__subclasses__()) <= set(STATUS)


async def test_a_body_of_unsaid_length_is_counted(core: Core) -> None:
    """Chunked: nothing says beforehand that it is too long."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 65_536

    async with client_of(core) as http:
        answer = await http.post(
            "/api/v1/keys", content=endless(), headers={"content-type": "application/json"}
        )

    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


@pytest.mark.parametrize(
    ("path", "status", "level"),
    [
        ("/streams/v/s/v720/3.m4s", 200, logging.DEBUG),
        ("/streams/v/s/v720/init.mp4", 206, logging.DEBUG),
        ("/streams/v/s/poster.jpg", 304, logging.DEBUG),
        ("/streams/v/s/v720/3.m4s", 503, logging.INFO),
        ("/streams/v/master.m3u8", 200, logging.INFO),
        ("/watch/3.m4s", 200, logging.INFO),
    ],
)
def test_pieces_are_sent_quietly(path: str, status: int, level: int) -> None:
    """A player asks for one every few seconds; what goes wrong is worth a line."""
    assert level_of(path, status) == level
