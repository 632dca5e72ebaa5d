"""The whole system in one process on a fresh folder: real SQLite, real files, no codec work."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher
from starlette.types import ASGIApp

from headwater.access import accounts_repository
from headwater.access.passwords import Passwords
from headwater.compose.core import Core, open_core
from headwater.compose.faces import open_faces
from headwater.engines.entropy import ordered_id, public_id
from headwater.faces import asgi
from headwater.faces.kit import Faces
from headwater.faces.rest import app as rest
from headwater.library import changes
from headwater.model.account import Account
from headwater.model.actor import SYSTEM, Actor, ActorKind, Role, anonymous
from headwater.model.ids import AccountId, VideoId
from headwater.model.video import Video, VideoState, Visibility
from headwater.settings import load

EMAIL, PASSWORD = "owner@example.org", "correct horse battery"
ADDRESS = "192.0.2.7"
NOBODY = anonymous(ADDRESS)
_template: list[bytes] = []  # the first database of this process: migrating each costs 0.1 s


def quick_passwords() -> Passwords:
    """Return hashing that costs a tenth of a millisecond; its strength is not under test."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@asynccontextmanager
async def system(folder: Path, **settings: Any) -> AsyncIterator[Core]:
    """Open a core on *folder* whose owner is EMAIL with PASSWORD."""
    rows = folder / "headwater.sqlite3"
    is_fresh = not rows.exists()
    if is_fresh and _template:
        folder.mkdir(parents=True, exist_ok=True)
        rows.write_bytes(_template[0])
    async with open_core(load(data=folder, **settings), passwords=quick_passwords()) as core:
        await core.ask("accounts.make_owner", email=EMAIL, password=PASSWORD)
        if is_fresh and not _template:
            await _keep_template(core, folder / "template")
        yield core


async def _keep_template(core: Core, file: Path) -> None:
    await core.database.backup_to(str(file))
    _template.append(file.read_bytes())
    file.unlink()


def application(core: Core, faces: Faces) -> ASGIApp:
    """Return the REST face behind all guards."""
    return asgi.create_app(
        faces, {asgi.REST: rest.create(faces)}, trusted_proxies=core.settings.proxy_networks
    )


@asynccontextmanager
async def client(
    core: Core, *, faces: Faces | None = None, app: ASGIApp | None = None, **headers: str
) -> AsyncIterator[httpx.AsyncClient]:
    """Speak HTTP to the REST face, or to all of *app*, without a socket."""
    app = app or application(core, faces or await open_faces(core))
    transport = httpx.ASGITransport(app=app, client=(ADDRESS, 4242))
    base = core.settings.public_url or "http://testserver"
    async with httpx.AsyncClient(transport=transport, base_url=base, headers=headers) as made:
        yield made


@asynccontextmanager
async def client_of(
    core: Core, email: str = EMAIL, *, app: ASGIApp | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """Speak HTTP with an API key of *email*'s account."""
    made = await core.ask("keys.create", name="tests", email=email)
    async with client(core, app=app, authorization=f"Bearer {made.token}") as found:
        yield found


def said_of(answer: httpx.Response) -> dict[str, Any]:
    """Return a problem as everybody gets it who asks the same: without the id of the request."""
    problem: dict[str, Any] = answer.json()
    assert problem.pop("trace")
    return problem


async def actor_of(core: Core, email: str = EMAIL) -> Actor:
    """Return the account of *email* as somebody signed in."""
    async with core.engines.reader(SYSTEM) as work:
        found = await accounts_repository.find_by_email(work.session, email)
    assert found is not None
    account = found[0]
    return Actor(kind=ActorKind.SESSION, account=account.id, role=account.role, address=ADDRESS)


async def add_member(core: Core, email: str) -> Actor:
    """Make an account that is no owner."""
    async with core.engines.writer(SYSTEM) as work:
        account = Account(
            id=AccountId(ordered_id()),
            email=email,
            name="A member",
            role=Role.MEMBER,
            quota_bytes=None,
            used_bytes=0,
            created_at=work.now,
        )
        await accounts_repository.add(work.session, account, password_hash="")
    return await actor_of(core, email)


async def add_video(core: Core, owner: Actor, **fields: Any) -> Video:
    """Make a public video of *owner* that can be played, or what *fields* say instead."""
    assert owner.account is not None
    async with core.engines.writer(owner) as work:
        values: dict[str, Any] = {
            "id": VideoId(public_id()),
            "owner": owner.account,
            "title": "A walk by the river",
            "description": "",
            "visibility": Visibility.PUBLIC,
            "state": VideoState.PLAYABLE,
            "failure": None,
            "damage": None,
            "generation": None,
            "stream": None,
            "duration_s": 12.5,
            "width_px": 1920,
            "height_px": 1080,
            "source_bytes": 1000,
            "stored_bytes": 0,
            "progress": 0.0,
            "created_at": work.now,
            "playable_at": work.now,
            "ready_at": None,
            "deleted_at": None,
            "version": 1,
        }
        video = Video(**{**values, **fields})
        await changes.add(work, video)
    return video
