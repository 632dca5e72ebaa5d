"""What went wrong, to people as a page and to programs as a problem."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from headwater.compose.core import Core, open_core
from headwater.compose.faces import open_app, open_faces
from headwater.settings import load
from tests.support.system import ADDRESS, actor_of, add_video

pytestmark = pytest.mark.anyio
BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
PROGRAM = {"accept": "application/json, text/html;q=0"}
FOREIGN = {"origin": "https://evil.example"}


@pytest.fixture
async def http(core: Core) -> AsyncIterator[httpx.AsyncClient]:
    app = open_app(core, await open_faces(core))
    transport = httpx.ASGITransport(app=app, client=(ADDRESS, 4242))
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as made:
        yield made


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "heading"),
    [
        ("GET", "/no/such/page", {}, 404, "This page is not here"),
        ("GET", "/static/none.js", {}, 404, "This page is not here"),
        ("PUT", "/login", {}, 405, "That did not work"),
        ("POST", "/login", FOREIGN, 403, "This is not allowed"),
        ("POST", "/login", {"content-length": "2000000"}, 413, "That did not work"),
        ("GET", "/", {"authorization": "Basic x"}, 401, "This is not allowed"),
    ],
)
async def test_people_read_a_page_and_programs_a_problem(
    http: httpx.AsyncClient,
    method: str,
    path: str,
    headers: dict[str, str],
    status: int,
    heading: str,
) -> None:
    """The same status either way; the page has one heading, a sentence and a way on."""
    page = await http.request(method, path, headers=headers | BROWSER)
    assert page.status_code == status
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.text.count("<h1>") == 1
    assert f"<h1>{heading}</h1>" in page.text
    assert f"Error {status}" in page.text
    assert '<a class="button main" href="/' in page.text

    problem = await http.request(method, path, headers=headers | PROGRAM)
    assert problem.status_code == status
    if not path.startswith(("/no", "/static")):  # the pages' own addresses answer pages to all
        assert problem.headers["content-type"] == "application/problem+json"


async def test_the_api_answers_problems_to_everybody(http: httpx.AsyncClient) -> None:
    answer = await http.get("/api/v1/videos/22222222222", headers=BROWSER)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_too_fast_is_said_with_the_time_to_wait(http: httpx.AsyncClient) -> None:
    for _ in range(121):
        answer = await http.get("/setup?token=guess", headers=BROWSER)

    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert "That was a little fast" in answer.text
    assert 'href="/setup?token=guess"' in answer.text


@pytest.mark.parametrize(("ago_s", "offered"), [(10, True), (10_000_000, False)])
async def test_what_was_deleted_is_gone_for_its_owner(
    core: Core, ago_s: float, *, offered: bool
) -> None:
    """410 with a page, which offers the way back while there is one; strangers learn only 404."""
    owner = await actor_of(core)
    video = await add_video(core, owner, deleted_at=time.time() - ago_s)  # noqa: TID251
    key = await core.ask("keys.create", name="tests", email="owner@example.org")
    app = open_app(core, await open_faces(core))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as http:
        signed = BROWSER | {"authorization": f"Bearer {key.token}"}
        mine = await http.get(f"/watch/{video.id}", headers=signed)
        theirs = await http.get(f"/watch/{video.id}", headers=BROWSER)

    assert (mine.status_code, theirs.status_code) == (410, 404)
    assert "This video was deleted" in mine.text
    assert (f'action="/studio/videos/{video.id}/restore"' in mine.text) is offered


async def test_a_fault_of_ours_names_the_line_in_the_log(tmp_path: Path) -> None:
    """The database went away: the page says so kindly, gives the request's id, and no cause."""
    async with open_core(load(data=tmp_path)) as core:
        app = open_app(core, await open_faces(core))
    transport = httpx.ASGITransport(app=app)

    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as http:
        answer = await http.get("/", headers=BROWSER)

    assert answer.status_code in {500, 503}
    assert answer.headers["content-type"].startswith("text/html")
    if answer.status_code == 500:
        assert answer.headers["x-request-id"] in answer.text
    assert str(tmp_path) not in answer.text
