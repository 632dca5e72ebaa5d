"""The composition root: settings → engines → operations → faces.

The only place that knows every adapter. A URL in the settings picks one, and its driver is imported
only then. What starts in which order is in roles.py.
"""

import asyncio
import contextlib
import errno
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import structlog

from headwater.access.pacing import Pacing
from headwater.access.passwords import Passwords
from headwater.access.secrets import PART_SIGNING, shared_secret
from headwater.engines.blobs.port import Blobs, blob_key
from headwater.engines.cache.port import Cache
from headwater.engines.clock import Clock
from headwater.engines.database.port import Database
from headwater.engines.entropy import public_id
from headwater.engines.events.port import Events
from headwater.engines.lives import Lives, holding
from headwater.engines.media.port import Media
from headwater.engines.notices.port import Notices
from headwater.engines.reach import Reach
from headwater.model.actor import SYSTEM
from headwater.model.errors import Conflict, SettingsError, Unavailable
from headwater.observe import logs
from headwater.operations.run import Runner
from headwater.operations.units import ActorUnits, Engines
from headwater.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from headwater.delivery.tickets import Tickets
    from headwater.faces.kit import Faces
    from headwater.roles import Consumer, Service

log = structlog.get_logger("headwater")
COMMAND = "command"  # the role of what runs for a moment beside a server, or without one
COMMANDS_HEARD_S = 1.0  # how soon a server whose notices are in memory hears of a command's changes
CHORES = {  # operation → seconds between two runs
    "pipeline.evict": 60.0,
    "pipeline.tidy": 600.0,
    "uploads.expire": 60.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """The opened system without faces and loops; what commands on the same machine work with."""

    settings: Settings
    clock: Clock
    database: Database
    events: Events
    notices: Notices
    cache: Cache
    blobs: Blobs
    media: Media | None
    engines: Engines
    runner: Runner
    tickets: "Tickets"

    async def ask(self, name: str, /, **inputs: Any) -> Any:
        """Run an operation as the system."""
        return await self.runner.run(name, SYSTEM, **inputs)

    async def secret(self, name: str) -> bytes:
        found: bytes = await self.ask("system.secret", of=name)
        return found


# The data folder


def make_data(folder: Path) -> None:
    """Make *folder* if it is absent, for nobody else's eyes.

    Raises:
        SettingsError: it cannot be made or worked in; the sentence names it and says why.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        found_file = isinstance(error, FileExistsError | NotADirectoryError)
        reason = "there is a file in its place" if found_file else error.strerror
        raise SettingsError(
            f"The data folder {folder} (HEADWATER_DATA or --data names it) cannot be used: "
            f"{reason}."
        ) from None


def require_data(settings: Settings) -> None:
    """Raise SettingsError unless the data folder holds what a server made; create nothing.

    Where the rows are on a server of their own, that tells what there is.
    """
    if settings.data.exists():
        make_data(settings.data)
        url = database_url(settings)
        if not url.startswith("sqlite:") or _sqlite_path(url).is_file():
            return
    raise SettingsError(
        f"There is no Headwater data in {settings.data} (HEADWATER_DATA or --data names it)."
    )


# Engines, by URL


def database_url(settings: Settings) -> str:
    """Return where the rows are."""
    return settings.database or f"sqlite:{settings.data / 'headwater.sqlite3'}"


def open_database(where: str | Path) -> Database:
    """Open the database that *where* (a path or HEADWATER_DATABASE) names, without migrating it.

    Raises:
        SettingsError: it names none, or one whose driver is not installed.
    """
    if isinstance(where, str) and urlsplit(where).scheme in {"postgresql", "postgres"}:
        return _open_postgres(where)
    from headwater.engines.database.sqlite import SqliteDatabase

    return SqliteDatabase(where if isinstance(where, Path) else _sqlite_path(where))


def _open_postgres(url: str) -> Database:
    if find_spec("asyncpg") is None:
        raise SettingsError(
            "HEADWATER_DATABASE names PostgreSQL, whose driver is not installed: "
            "pip install 'headwater[postgres]'."
        )
    from headwater.engines.database.postgres import PostgresDatabase

    return PostgresDatabase(url)


def open_blobs(url: str, *, secret: bytes = b"") -> Blobs:
    """Open the blob store HEADWATER_BLOBS names; *secret* signs the addresses of its parts."""
    parts = urlsplit(url)
    if parts.scheme != "file":
        raise SettingsError(f"HEADWATER_BLOBS={url}: use file:FOLDER.")
    from headwater.engines.blobs.filesystem import FileBlobs

    return FileBlobs(Path(parts.path), secret=secret, part_base="/api/v1/uploads/parts")


def open_events(url: str, database: Database, clock: Clock) -> Events:
    if url not in {"", "table:"}:
        raise SettingsError(f"HEADWATER_EVENTS={url}: use table:.")
    from headwater.engines.events.table import TableEvents

    return TableEvents(database, clock)


def open_notices(url: str, role: str, database: Database, clock: Clock) -> Notices:
    """Open notices; empty: memory where one process does everything, else a table.

    A command's go into the table, where a server hears of what it changed.
    """
    url = url or ("memory:" if role == "all" else "table:")
    if url == "memory:":
        from headwater.engines.notices.memory import MemoryNotices

        return MemoryNotices()
    if url == "table:":
        from headwater.engines.notices.table import TableNotices

        return TableNotices(database, clock)
    raise SettingsError(f"HEADWATER_NOTICES={url}: use memory: or table:.")


def open_cache(url: str, clock: Clock) -> Cache:
    if url not in {"", "memory:"}:
        raise SettingsError(f"HEADWATER_CACHE={url}: use memory:.")
    from headwater.engines.cache.memory import MemoryCache

    return MemoryCache(clock)


async def open_media(settings: Settings) -> Media:
    """Open the codec. Raises Unavailable: it does not run, or not behind the walls asked for."""
    from headwater.engines.media.ffmpeg import FfmpegMedia

    waived = {"required": (), "none": ("network", "files")}
    waive = waived.get(settings.sandbox, (settings.sandbox,))
    return await FfmpegMedia.open(_codec_program(settings), waive=waive)


def _codec_program(settings: Settings) -> str:
    if not settings.ffmpeg:
        from imageio_ffmpeg import get_ffmpeg_exe

        program: str = get_ffmpeg_exe()
        return program
    if not Path(settings.ffmpeg).is_file():
        raise Unavailable(f"HEADWATER_FFMPEG={settings.ffmpeg}: there is no such file.")
    return settings.ffmpeg


def _sqlite_path(url: str) -> Path:
    scheme, _, path = url.partition(":")
    if scheme != "sqlite" or not path:
        raise SettingsError("HEADWATER_DATABASE: use sqlite:FILE or postgresql://….")
    return Path(path.removeprefix("//"))


def refuse_short_reach(
    role: str, engines: Mapping[str, Database | Events | Notices | Blobs]
) -> None:
    """Raise SettingsError if *role* needs other processes and an engine cannot reach them."""
    needed = Reach.PROCESS if role in {"all", COMMAND} else Reach.HOST
    for name, engine in engines.items():
        if engine.reach < needed:
            raise SettingsError(
                f"The role {role} works beside other processes, which HEADWATER_{name.upper()} as "
                "set does not reach; leave it empty or name another engine."
            )


@asynccontextmanager
async def open_core(
    settings: Settings,
    role: str = "all",
    *,
    codec: bool = False,
    passwords: Passwords | None = None,
) -> AsyncIterator[Core]:
    """Open every engine, bring the schema up to date, and close all of it afterwards.

    The codec is tried and opened only with *codec*: few need it, and trying it takes a moment.

    Raises:
        SettingsError: a URL names no engine, or one that cannot reach what *role* needs.
        Unavailable: the codec does not run here.
    """
    from headwater.operations.catalogue import CATALOGUE

    make_data(settings.data)
    async with AsyncExitStack() as stack:
        clock = Clock()
        database = open_database(database_url(settings))
        stack.push_async_callback(database.close)
        await database.migrate()
        events = open_events(settings.events, database, clock)
        stack.push_async_callback(events.close)
        notices = open_notices(settings.notices, role, database, clock)
        stack.push_async_callback(notices.close)
        cache = open_cache(settings.cache, clock)
        stack.push_async_callback(cache.close)
        engines = Engines(
            database=database, events=events, notices=notices, cache=cache, clock=clock
        )
        async with engines.writer(SYSTEM) as work:
            signing = await shared_secret(work=work, of=PART_SIGNING)
        blobs = open_blobs(settings.blobs or f"file:{settings.data / 'blobs'}", secret=signing)
        refuse_short_reach(
            role, {"database": database, "events": events, "notices": notices, "blobs": blobs}
        )
        passwords = passwords or Passwords()
        stack.callback(passwords.close)
        media = await open_media(settings) if codec else None
        services = {
            **services_of(settings, engines=engines, blobs=blobs, media=media),
            "passwords": passwords,
        }
        yield Core(
            settings=settings,
            clock=clock,
            database=database,
            events=events,
            notices=notices,
            cache=cache,
            blobs=blobs,
            media=media,
            engines=engines,
            runner=Runner(CATALOGUE, engines=engines, services=services),
            tickets=services["tickets"],
        )


def services_of(
    settings: Settings, *, engines: Engines, blobs: Blobs, media: Media | None
) -> dict[str, Any]:
    """Return what use cases are given by keyword name."""
    from headwater.delivery.demand import Demands
    from headwater.delivery.tickets import Tickets
    from headwater.uploads.room import UploadLimits

    units = ActorUnits(engines, SYSTEM)
    clock, notices = engines.clock, engines.notices
    return {
        "database": engines.database,
        "events": engines.events,
        "notices": notices,
        "cache": engines.cache,
        "clock": clock,
        "blobs": blobs,
        "pacing": Pacing(),
        "tickets": Tickets(units=units, clock=clock),
        "demands": Demands(units=units, blobs=blobs, notices=notices, clock=clock),
        "part_signer": getattr(blobs, "parts", None),
        "upload_limits": UploadLimits(
            quota_bytes=settings.quota_bytes or None,
            file_limit_bytes=settings.file_limit_bytes,
            floor_bytes=settings.free_floor_bytes,
            expires_s=settings.upload_expires_s,
        ),
        "health_checks": health_checks(engines.database, blobs, media),
        "quota_bytes": settings.quota_bytes,
        "budget_bytes": settings.store_budget_bytes or None,
        "keep_original": settings.keep_original,
        "undo_s": float(settings.undo_s),
        "session_s": float(settings.session_s),
    }


def health_checks(
    database: Database, blobs: Blobs, media: Media | None
) -> dict[str, Callable[[], Any]]:
    """Return the probes of /health/ready; the codec's walls were tried when it was opened."""

    async def blobs_writable() -> str:
        key = blob_key(f"health/{public_id()}")
        await blobs.put_absent(key, b"ok")
        await blobs.delete(key)
        return "writable"

    async def codec_open() -> str:
        return "open behind its walls"

    checks = {"database": database.check, "blobs": blobs_writable}
    return {**checks, "codec": codec_open} if media else checks


# Serving


def serve(settings: Settings, role: str = "all") -> None:
    """Run *role* until SIGTERM or SIGINT, then drain. Blocks."""
    import uvloop

    logs.configure(settings.log_level)
    uvloop.run(_serve(settings, role))


async def _serve(settings: Settings, role: str) -> None:
    from headwater import roles

    if role not in roles.ROLES:
        raise SettingsError(f"There is no role {role}; there are {', '.join(sorted(roles.ROLES))}.")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, _interrupt, stop)
    services = roles.ROLES[role]
    if "http" in services and not settings.port:
        settings = settings.model_copy(update={"port": roles.free_port(settings.host)})
    codec = "worker" in services
    async with open_core(settings, role, codec=codec) as core:
        with _held(core):
            if "http" in services:  # a link is printed only by whom it leads to
                roles.refuse_taken(settings.host, settings.port)
            await _welcome_owner(core, invites="http" in services)
            await roles.run_role(role, _services(core, stop), stop)


def _interrupt(stop: asyncio.Event) -> None:
    """Stop; whoever asks again does not want to wait: it is then as if the process was killed."""
    if stop.is_set():
        say("Stopped at once.")
        os._exit(128 + signal.SIGINT)
    stop.set()


@contextlib.contextmanager
def _held(core: Core) -> Iterator[None]:
    """Keep out of the data folder whoever would not hear our notices, or we not theirs.

    Raises SettingsError: such a process is at work there.
    """
    data, alone = core.settings.data, core.notices.reach is Reach.PROCESS
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(holding(data, alone=alone))
        except Conflict:
            raise SettingsError(
                f"Headwater already runs on {data}. Another process beside it would not be heard "
                "while notices are kept in memory: start both with HEADWATER_NOTICES=table:."
            ) from None
        yield


def _services(core: Core, stop: asyncio.Event) -> dict[str, "Service"]:
    from headwater import roles
    from headwater.pipeline.housekeeping import keep_house

    settings = core.settings
    return {
        "events": lambda: roles.consuming(core.events, _consumers(), core.ask),
        "purges": lambda: _purging(core, stop),
        "housekeeping": lambda: roles.running(keep_house(core.ask, CHORES), failed=stop.set),
        "internal": lambda: roles.internal_address(settings.internal_host, settings.internal_port),
        "worker": lambda: _working(core, stop),
        "http": lambda: _answering(core, stop),
    }


@asynccontextmanager
async def _purging(core: Core, stop: asyncio.Event) -> AsyncIterator[None]:
    """Forget what others change: processes of this deployment, and commands on this machine."""
    from headwater import roles
    from headwater.engines.notices.table import TableNotices

    async with AsyncExitStack() as stack:
        heard = [core.notices]
        if core.notices.reach is Reach.PROCESS:
            heard.append(TableNotices(core.database, core.clock, poll_s=COMMANDS_HEARD_S))
            stack.push_async_callback(heard[-1].close)
        for notices in heard:
            following = roles.follow_purges(notices, core.cache)
            await stack.enter_async_context(roles.running(following, failed=stop.set))
        yield


def _consumers() -> "tuple[Consumer, ...]":
    from headwater.roles import Consumer

    return (
        Consumer("pipeline.schedule_sweep", ("video.deleted",), lambda body: body),
        Consumer(
            "uploads.tidy",
            ("video.uploaded", "upload.terminated"),
            lambda body: {"upload_id": body["upload"]} if "upload" in body else None,
        ),
    )


@asynccontextmanager
async def _working(core: Core, stop: asyncio.Event) -> AsyncIterator[None]:
    """Run the worker beside the block; at its end, let it finish what it is making."""
    from headwater.pipeline.worker import Worker, WorkerSettings
    from headwater.planning.plan import PlanSettings

    assert core.media is not None
    holder = f"{socket.gethostname()[:32]}:{os.getpid()}:{public_id()}"  # the column has 60
    lives = Lives(core.settings.data / "workers", holder)
    worker = Worker(
        ask=core.ask,
        blobs=core.blobs,
        media=core.media,
        notices=core.notices,
        holder=holder,
        lives=lives,
        settings=WorkerSettings(
            encoders=core.settings.encoders or os.cpu_count() or 1,
            warmth=core.settings.warm,
            floor_bytes=core.settings.free_floor_bytes,
            planning=PlanSettings(),
            secret=await core.secret("generation-secret"),
        ),
    )
    task = asyncio.ensure_future(worker.run())
    task.add_done_callback(lambda _: stop.set())
    try:
        yield
    finally:
        worker.stop()
        if waits_for := worker.waits_for:
            say(
                f"Stopping after {', '.join(waits_for)}; "
                f"at most {core.settings.drain_s:g} s. Ctrl-C again ends it at once."
            )
        await asyncio.wait({task}, timeout=core.settings.drain_s)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        lives.close()


@asynccontextmanager
async def _answering(core: Core, stop: asyncio.Event) -> AsyncIterator[None]:
    """Serve every face until the block ends."""
    from headwater import roles

    settings = core.settings
    faces = await open_faces(core)
    async with (
        roles.running(core.tickets.forget_on_news(core.notices), failed=stop.set),
        roles.running(
            roles.tend_streams(core.tickets.take_watched, core.clock, core.ask), failed=stop.set
        ),
        roles.http_server(
            open_app(core, faces),
            host=settings.host,
            port=settings.port,
            drain_s=settings.drain_s,
            stop=stop,
            closing=faces.closing,
        ),
    ):
        say(f"Headwater is at {address_of(settings)}")
        yield


def address_of(settings: Settings) -> str:
    """Return the address to type into a browser: the public one, or that on this machine."""
    return settings.public_url or settings.local_address


def say(line: str) -> None:
    """Tell the person at the terminal; logs are for machines."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


async def open_faces(core: Core) -> "Faces":
    """Return what every face is given."""
    from headwater.faces.cursors import Cursors
    from headwater.faces.kit import Faces

    return Faces(
        runner=core.runner,
        notices=core.notices,
        blobs=core.blobs,
        clock=core.clock,
        cursors=Cursors(await core.secret("cursors")),
        public_origin=core.settings.public_url,
    )


def open_app(core: Core, faces: "Faces") -> "ASGIApp":
    """Return the whole application: every face behind its guards."""
    from headwater.faces import asgi
    from headwater.faces.rest import app as rest
    from headwater.faces.rest.documents import Beside
    from headwater.faces.streaming import app as streaming
    from headwater.faces.tus import app as tus
    from headwater.faces.tus import document as tus_document
    from headwater.faces.web import app as web
    from headwater.faces.web.site import Site

    beside = Beside(tus_document.paths(), tus_document.schemas())
    site = Site(faces, warms=core.settings.warm, undo_s=core.settings.undo_s)
    return asgi.create_app(
        faces,
        {
            asgi.UPLOADS: tus.routes(faces),
            asgi.REST: rest.create(faces, beside),
            asgi.STREAMS: streaming.create(faces),
            asgi.WEB: web.routes(site),
        },
        page=site.failure,
        trusted_proxies=core.settings.proxy_networks,
    )


async def _welcome_owner(core: Core, *, invites: bool) -> None:
    """Make the owner the settings name; who *invites* prints the one-time link instead of one."""
    settings = core.settings
    if settings.owner_email:
        await core.ask(
            "accounts.make_owner", email=settings.owner_email, password=settings.owner_password
        )
    if invites and (token := await core.ask("accounts.issue_setup_link")) is not None:
        say(f"Set this server up at {address_of(settings)}/setup?token={token}")
