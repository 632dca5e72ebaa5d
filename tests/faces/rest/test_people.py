"""Sessions, set-up, keys and accounts over REST."""

from pathlib import Path

import pytest

from headwater.access import proofs_repository
from headwater.access.tokens import hash_of
from headwater.compose.core import Core, open_core
from headwater.model.errors import SettingsError
from headwater.settings import load
from tests.support.system import (
    EMAIL,
    PASSWORD,
    actor_of,
    add_member,
    client,
    client_of,
    quick_passwords,
    said_of,
    system,
)

pytestmark = pytest.mark.anyio
RIGHT = {"email": EMAIL, "password": PASSWORD}


async def test_a_login_opens_a_session_and_a_logout_ends_it(core: Core) -> None:
    async with client(core) as http:
        before = await http.get("/api/v1/session")
        entered = await http.post("/api/v1/session", json=RIGHT)
        cookie = entered.headers["set-cookie"]
        during = await http.get("/api/v1/session")
        token = http.cookies["headwater"]
        await http.delete("/api/v1/session")
        http.cookies.set("headwater", token)
        after = await http.get("/api/v1/session")

    assert before.json() == {"kind": "anonymous", "account": None}
    assert entered.json()["email"] == EMAIL
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert during.json()["kind"] == "session"
    assert after.json()["kind"] == "anonymous"


async def test_a_login_replaces_the_session_before_it(core: Core) -> None:
    """A token that was known before the login is worth nothing after it."""
    async with client(core) as http:
        await http.post("/api/v1/session", json=RIGHT)
        old = http.cookies["headwater"]
        await http.post("/api/v1/session", json=RIGHT)
        assert http.cookies["headwater"] != old
        http.cookies.clear()  # of two with one name the first counts
        http.cookies.set("headwater", old)
        assert (await http.get("/api/v1/session")).json()["account"] is None


async def test_over_https_the_cookie_is_bound_to_this_host(tmp_path: Path) -> None:
    async with (
        system(tmp_path, public_url="https://video.example.org") as core,
        client(core) as http,
    ):
        answer = await http.post("/api/v1/session", json=RIGHT)

    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-headwater=")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "strict-transport-security" in answer.headers


async def test_a_wrong_password_and_an_unknown_address_say_the_same(core: Core) -> None:
    async with client(core) as http:
        wrong = await http.post("/api/v1/session", json={**RIGHT, "password": "wrong"})
        unknown = await http.post("/api/v1/session", json={**RIGHT, "email": "a@b.example"})

    assert wrong.status_code == unknown.status_code == 401
    assert said_of(wrong) == said_of(unknown)


async def test_guessing_gets_slower(core: Core) -> None:
    """The right password waits too: whoever is asked to wait cannot tell which it was."""
    async with client(core) as http:
        for _ in range(5):
            await http.post("/api/v1/session", json={**RIGHT, "password": "wrong"})
        answer = await http.post("/api/v1/session", json=RIGHT)

    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["retryable"] is True


async def test_the_set_up_link_works_once(tmp_path: Path) -> None:
    async with (
        open_core(load(data=tmp_path), passwords=quick_passwords()) as core,
        client(core) as http,
    ):
        old = await core.ask("accounts.issue_setup_link")
        token = await core.ask("accounts.issue_setup_link")
        sent = {"email": " Owner@Example.org", "password": PASSWORD, "name": "Jo"}
        replaced = await http.post("/api/v1/setup", json={**sent, "token": old})
        made = await http.post("/api/v1/setup", json={**sent, "token": token})
        again = await http.post("/api/v1/setup", json={**sent, "token": token})
        who = await http.get("/api/v1/session")
        assert await core.ask("accounts.issue_setup_link") is None

    assert replaced.status_code == 403
    assert (made.status_code, made.json()["role"]) == (201, "owner")
    assert again.status_code == 409
    assert who.json()["account"]["email"] == EMAIL


async def test_a_short_password_is_refused_before_the_link_is_used(tmp_path: Path) -> None:
    async with (
        open_core(load(data=tmp_path), passwords=quick_passwords()) as core,
        client(core) as http,
    ):
        token = await core.ask("accounts.issue_setup_link")
        sent = {"token": token, "email": EMAIL, "password": "short"}
        assert (await http.post("/api/v1/setup", json=sent)).status_code == 422
        assert await core.ask("accounts.needs_setup", token=token)


@pytest.mark.parametrize(
    ("email", "status"),
    [
        ("notanemail@x", 422),
        ("jo@@example.org", 422),
        ("jo doe@example.org", 422),
        ("jo@example..org", 422),
        ("jo@.org", 422),
        ("jo@example.", 422),
        ("jo@localhost", 201),
        ("jo+videos@mail.example.co.uk", 201),
    ],
)
async def test_an_owner_has_a_plausible_address(tmp_path: Path, email: str, status: int) -> None:
    """The same check for the API, the page and the setting; what was refused can be mended."""
    async with (
        open_core(load(data=tmp_path), passwords=quick_passwords()) as core,
        client(core) as http,
    ):
        token = await core.ask("accounts.issue_setup_link")
        sent = {"token": token, "email": email, "password": PASSWORD}
        answer = await http.post("/api/v1/setup", json=sent)
        if status == 422:
            assert "does not look like an e-mail address" in answer.json()["detail"]
            assert await core.ask("accounts.needs_setup", token=token)
            with pytest.raises(SettingsError, match="HEADWATER_OWNER_EMAIL"):
                await core.ask("accounts.make_owner", email=email, password=PASSWORD)

    assert answer.status_code == status


async def test_a_key_is_shown_once_and_can_be_revoked(core: Core) -> None:
    async with client_of(core) as http:
        made = await http.post("/api/v1/keys", json={"name": "backup script"})
        token, key_id = made.json()["token"], made.json()["key"]["id"]
        listed = await http.get("/api/v1/keys")
        async with client(core, authorization=f"Bearer {token}") as other:
            assert (await other.get("/api/v1/session")).json()["kind"] == "key"
            assert (await http.delete(f"/api/v1/keys/{key_id}")).status_code == 204
            refused = await other.get("/api/v1/session")

    assert made.status_code == 201
    assert token not in listed.text
    assert "backup script" in listed.text
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Bearer")


async def test_somebody_elses_key_does_not_exist(core: Core) -> None:
    await add_member(core, "else@example.org")

    async with client_of(core) as http, client_of(core, "else@example.org") as other:
        key_id = (await http.get("/api/v1/keys")).json()["keys"][0]["id"]
        assert (await other.delete(f"/api/v1/keys/{key_id}")).status_code == 404
        assert len((await http.get("/api/v1/keys")).json()["keys"]) == 1


async def test_a_repeat_with_the_same_idempotency_key_makes_no_second_key(core: Core) -> None:
    """The repeat gets the first answer, without the token: that was shown once."""
    headers = {"idempotency-key": "one"}

    async with client_of(core) as http:
        first = await http.post("/api/v1/keys", json={"name": "a"}, headers=headers)
        again = await http.post("/api/v1/keys", json={"name": "a"}, headers=headers)
        other = await http.post("/api/v1/keys", json={"name": "b"}, headers=headers)
        listed = await http.get("/api/v1/keys")

    assert again.json() == {"key": first.json()["key"], "token": None}
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    assert len(listed.json()["keys"]) == 2  # the test's own and the new one


async def test_the_use_of_a_key_is_remembered_by_the_hour(core: Core) -> None:
    async with client_of(core) as http:
        await http.get("/api/v1/account")
        used = (await http.get("/api/v1/keys")).json()["keys"][0]["last_used_at"]
        again = (await http.get("/api/v1/keys")).json()["keys"][0]["last_used_at"]

    assert used is not None
    assert again == used


async def test_an_account_says_what_it_keeps(tmp_path: Path) -> None:
    async with system(tmp_path, quota_bytes=5000) as core, client_of(core) as http:
        answer = await http.get("/api/v1/account")

    assert answer.json()["used_bytes"] == 0
    assert answer.json()["quota_bytes"] == 5000
    assert answer.json()["account"]["email"] == EMAIL


@pytest.mark.parametrize("path", ["/account", "/keys", "/jobs", "/space", "/videos?owner=me"])
async def test_nobody_is_asked_to_sign_in(core: Core, path: str) -> None:
    async with client(core) as http:
        answer = await http.get(f"/api/v1{path}")

    assert answer.status_code == 401


@pytest.mark.parametrize("path", ["/jobs", "/jobs/x", "/space"])
async def test_operating_is_for_the_owner(core: Core, path: str) -> None:
    await add_member(core, "else@example.org")

    async with client_of(core, "else@example.org") as http:
        answer = await http.get(f"/api/v1{path}")

    assert answer.status_code == 403


async def test_the_owner_sees_jobs_and_space(core: Core) -> None:
    async with client_of(core) as http:
        jobs = await http.get("/api/v1/jobs")
        missing = await http.get("/api/v1/jobs/none")
        space = await http.get("/api/v1/space")

    assert jobs.json() == {"jobs": []}
    assert missing.status_code == 404
    assert space.json()["videos"] == 0


async def test_a_session_ends_by_itself(core: Core) -> None:
    owner = await actor_of(core)
    assert owner.account is not None
    async with core.engines.writer(owner) as work:
        await proofs_repository.add_session(
            work.session, hash_of("old"), owner.account, now=0.0, expires_at=work.now - 1
        )

    async with client(core, cookie="headwater=old") as http:
        assert (await http.get("/api/v1/session")).json()["account"] is None
