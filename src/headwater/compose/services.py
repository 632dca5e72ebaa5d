"""What one process does with a core: its services, and how they end."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from headwater.compose.core import Core, open_core
from headwater.compose.faces import open_app, open_faces
from headwater.compose.moves import moved_settings
from headwater.compose.presence import encoders_of, living, open_roll_call
from headwater.compose.tracing import tracing
from headwater.engines.lives import holding
from headwater.engines.reach import Reach
from headwater.forces.backoff import jitter, pause_s
from headwater.model.errors import Conflict, SettingsError, Unavailable
from headwater.observe import logs
from headwater.settings import Settings

if TYPE_CHECKING:
    from headwater.pipeline.roll_call import RollCall
    from headwater.roles import Consumer, Service

T = TypeVar("T")
START_PATIENCE_S = 30.0  # after that the service manager starts it anew
COMMANDS_HEARD_S = 1.0  # how soon a server whose notices are in memory hears of a command's changes
CHORES = {  # operation → seconds between two runs
    "pipeline.evict": 60.0,
    "pipeline.tidy": 600.0,
    "uploads.expire": 60.0,
}


def serve(settings: Settings, role: str = "all") -> None:
    """Run *role* until SIGTERM or SIGINT, then drain. Blocks."""
    import uvloop

    logs.configure(settings.log_level)
    with tracing(settings, role):
        uvloop.run(_serve(settings, role))


async def _serve(settings: Settings, role: str) -> None:
    from headwater import roles

    if role not in roles.ROLES:
        raise SettingsError(f"There is no role {role}; there are {', '.join(sorted(roles.ROLES))}.")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, _interrupt, stop)
    if "http" in roles.ROLES[role] and not settings.port:
        settings = settings.model_copy(update={"port": roles.free_port(settings.host)})
    async with AsyncExitStack() as stack:
        services = await _entered(stack, lambda: _ready(settings, role, stop), stop)
        if services is not None:
            await roles.run_role(role, services, stop)


async def _entered(
    stack: AsyncExitStack, opened: Callable[[], AbstractAsyncContextManager[T]], stop: asyncio.Event
) -> T | None:
    """Enter what is *opened*, again and again while an engine is away: after a power cut all start
    at once, and after a failover the database is found a moment later. None: told to *stop*.

    Raises Unavailable: it stayed away, or it is nothing that comes back by itself.
    """
    loop = asyncio.get_running_loop()
    give_up_at, attempt = loop.time() + START_PATIENCE_S, 0
    while not stop.is_set():
        try:
            return await stack.enter_async_context(opened())
        except Unavailable as error:
            if error.retry_after_s is None or loop.time() > give_up_at:
                raise
            attempt += 1
            if attempt == 1:
                say(f"Waiting: {error}.")
        pause = pause_s(attempt, first_s=0.2, most_s=2.0, jitter=jitter())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await stop.wait()
    return None


@asynccontextmanager
async def _ready(
    settings: Settings, role: str, stop: asyncio.Event
) -> AsyncIterator[dict[str, "Service"]]:
    """Open everything *role* works with, and have it known to the others."""
    from headwater import roles

    is_api, codec = "http" in roles.ROLES[role], "worker" in roles.ROLES[role]
    async with open_core(settings, role, codec=codec) as core:
        _say_moved(core)
        with _held(core), living(settings.data) as lives:
            if is_api:  # a link is printed only by whom it leads to
                roles.refuse_taken(settings.host, settings.port)
            roll_call = await open_roll_call(core, role, lives)
            await _welcome_owner(core, invites=is_api)
            if not is_api:  # who answers people says where, once it does
                say(f"The {role} is at work; Ctrl-C ends it.")
            yield _services(core, roll_call, stop)


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


def _services(core: Core, roll_call: "RollCall", stop: asyncio.Event) -> dict[str, "Service"]:
    from headwater import roles
    from headwater.faces.health import tell_readiness
    from headwater.pipeline.housekeeping import keep_house

    settings = core.settings
    return {
        "events": lambda: roles.consuming(core.events, _consumers(), core.ask, core.clock),
        "purges": lambda: _purging(core, stop),
        "presence": lambda: _present(roll_call, stop),
        "housekeeping": lambda: roles.running(
            keep_house(core.ask, CHORES, turn=roll_call.turn_to_keep_house), failed=stop.set
        ),
        "internal": lambda: roles.internal_address(
            settings.internal_host,
            settings.internal_port,
            lambda: tell_readiness(core.runner, closing=stop.is_set()),
        ),
        "load": lambda: roles.running(roles.watch_load(core.ask), failed=stop.set),
        "worker": lambda: _working(core, roll_call.id, stop),
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
async def _present(roll_call: "RollCall", stop: asyncio.Event) -> AsyncIterator[None]:
    """Be one of the deployment's processes while the block runs.

    Raises SettingsError: those who live already could not work together with this one.
    """
    from headwater import roles

    await roll_call.join()
    try:
        async with roles.running(roll_call.run(), failed=stop.set):
            yield
    finally:
        await roll_call.leave()


@asynccontextmanager
async def _working(core: Core, holder: str, stop: asyncio.Event) -> AsyncIterator[None]:
    """Run the worker beside the block; at its end, let it finish what it is making."""
    from headwater.pipeline.worker import Worker, WorkerSettings
    from headwater.planning.plan import PlanSettings

    assert core.media is not None
    worker = Worker(
        ask=core.ask,
        blobs=core.blobs,
        media=core.media,
        notices=core.notices,
        holder=holder,
        settings=WorkerSettings(
            encoders=encoders_of(core.settings),
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


def _say_moved(core: Core) -> None:
    """Remind of addresses that are to be written into the settings."""
    for name in moved_settings(core):
        say(f"What {name} names has moved: write the new address there.")


def say(line: str) -> None:
    """Tell the person at the terminal; logs are for machines."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


async def _welcome_owner(core: Core, *, invites: bool) -> None:
    """Make the owner the settings name; who *invites* prints the one-time link instead of one."""
    settings = core.settings
    if settings.owner_email:
        await core.ask(
            "accounts.make_owner", email=settings.owner_email, password=settings.owner_password
        )
    if not invites:
        return
    issued_by = f"{socket.gethostname()} {settings.host}:{settings.port}"
    if (token := await core.ask("accounts.issue_setup_link", issued_by=issued_by)) is not None:
        say(f"Set this server up at {address_of(settings)}/setup?token={token}")
