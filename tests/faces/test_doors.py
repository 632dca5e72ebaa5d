"""Setting up and logging in: the pages say which of the two comes first."""

from pathlib import Path

import pytest

from headwater.compose.core import Core, open_core
from headwater.compose.faces import open_app, open_faces
from headwater.settings import load
from tests.support.system import PASSWORD, client, client_of, quick_passwords

pytestmark = pytest.mark.anyio


async def test_before_there_is_an_owner_the_link_comes_first(tmp_path: Path) -> None:
    """The log-in page points to the terminal; a wrong address is said on the form, which stays."""
    async with open_core(load(data=tmp_path), passwords=quick_passwords()) as core:
        app = open_app(core, await open_faces(core))
        token = await core.ask("accounts.issue_setup_link")
        form = {"token": token, "email": "notanemail@x", "name": "Jo", "password": PASSWORD}
        async with client(core, app=app) as web:
            early = await web.get("/login")
            wrong = await web.post("/setup", data=form)
            made = await web.post("/setup", data=form | {"email": "jo@example.org"})
        async with client(core, app=app) as web:
            later = await web.get("/login")

    assert (early.status_code, wrong.status_code, made.status_code) == (200, 400, 303)
    assert "printed in the terminal" in early.text
    assert 'name="password"' not in early.text
    assert "does not look like an e-mail address" in wrong.text
    assert 'value="notanemail@x"' in wrong.text
    assert 'name="password"' in later.text


async def test_a_used_link_offers_what_comes_next(core: Core) -> None:
    """Logging in, or, to whoever has done so, the videos."""
    app = open_app(core, await open_faces(core))
    async with client(core, app=app) as nobody, client_of(core, app=app) as owner:
        out = await nobody.get("/setup?token=used")
        within = await owner.get("/setup?token=used")

    assert (out.status_code, within.status_code) == (403, 403)
    assert '<a class="button main" href="/login">' in out.text
    assert '<a class="button main" href="/">' in within.text
