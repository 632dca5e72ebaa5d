"""Roles: what one process does, as data, and the services that roles are made of.

A role lists its services in the order they start; they stop in reverse. Each is a context that is
up once entered. The traps of granian named below were measured (design, 5-libraries §1).
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    nullcontext,
)
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from headwater.engines.cache.port import Cache
from headwater.engines.clock import Clock
from headwater.engines.events.port import Event, Events
from headwater.engines.notices.port import MISSED, Notices
from headwater.engines.work import Work
from headwater.faces.internal import Ready, open_internal
from headwater.model.errors import HeadwaterError, SettingsError
from headwater.observe.metrics import EVENT_LAG_SECONDS, EVENTS_HANDLED
from headwater.observe.spans import EVENT
from headwater.observe.traces import following
from headwater.operations.units import PURGE_TOPIC

log = structlog.get_logger("headwater")
Service = Callable[[], AbstractAsyncContextManager[None]]
Ask = Callable[..., Awaitable[Any]]
SERVICES: dict[str, tuple[str, ...]] = {  # service → those it needs started before it
    "events": (),
    "purges": (),
    "presence": (),
    "worker": ("events", "presence"),
    "housekeeping": ("events", "presence"),
    "internal": (),
    "load": (),
    "http": ("purges", "internal"),
}
ROLES: dict[str, tuple[str, ...]] = {
    "api": ("purges", "presence", "internal", "load", "http"),
    "worker": ("purges", "presence", "internal", "load", "worker"),
    "scheduler": ("events", "purges", "presence", "internal", "load", "housekeeping"),
}
ROLES["all"] = tuple(
    name for name in SERVICES if any(name in services for services in ROLES.values())
)

LOOK_S = 5.0  # how old what the metrics say of the load may be
TEND_S = 10.0
REACH_POLL_S = 0.01
ABANDONED_S = 60.0  # a request waits 8 s, and its client asks again within seconds
BACKLOG = 4096
# Counts connections, idle ones too: at the limit, silent ones keep everybody out (trap 1).
CONNECTIONS = 16_384
# A connection that sends no request line is closed after this; works in HTTP/1 mode only (trap 2).
HEADER_PATIENCE_S = 15
# The most one read takes from a socket. Each piece of a body costs a hand-over between threads.
READ_BYTES = 1 << 20


async def run_role(role: str, services: Mapping[str, Service], stop: asyncio.Event) -> None:
    """Start the services of *role* in order, wait for *stop*, stop them in reverse."""
    async with AsyncExitStack() as stack:
        for name in ROLES[role]:
            await stack.enter_async_context(services[name]())
        await stop.wait()
        log.info("stopping", role=role)


@asynccontextmanager
async def running(
    loop: Coroutine[Any, Any, None], *, failed: Callable[[], None]
) -> AsyncIterator[None]:
    """Run *loop* beside the block and cancel it at the block's end; *failed* hears of its death."""
    task = asyncio.ensure_future(loop)

    def look(done: asyncio.Task[None]) -> None:
        if not done.cancelled() and (error := done.exception()) is not None:
            log.error("service_died", error=repr(error), exc_info=error)
            failed()

    task.add_done_callback(look)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def follow_purges(notices: Notices, cache: Cache) -> None:
    """Forget what other processes changed: they publish the cache tags of each commit."""
    async with notices.listen(PURGE_TOPIC) as news:
        async for topic, body in news:
            if topic == MISSED:
                cache.forget()
            else:
                cache.forget(*msgspec.json.decode(body, type=list[str]))


async def watch_load(ask: Ask) -> None:
    """Keep the metrics of the load true though nobody asks: autoscalers read them."""
    while True:
        try:
            await ask("system.load")
        except HeadwaterError as error:
            log.warning("watch_load", code=error.code)
        await asyncio.sleep(LOOK_S)


async def tend_streams(take_watched: Callable[[], Any], clock: Clock, ask: Ask) -> None:
    """Write now and then what was watched, and drop the demands that nobody waits for any more."""
    while True:
        await asyncio.sleep(TEND_S)
        try:
            if watched := take_watched():
                await ask("pipeline.touch_tracks", watched=watched)
            await ask("pipeline.forget_demands", asked_before=clock.now() - ABANDONED_S)
        except HeadwaterError as error:  # what was watched is only a hint for eviction
            log.warning("tend_streams", code=error.code)


@dataclass(frozen=True, slots=True)
class Consumer:
    """Which operation hears of which facts; *inputs_of* a fact's body None: not its business."""

    operation: str
    topics: tuple[str, ...]
    inputs_of: Callable[[dict[str, Any]], dict[str, Any] | None]


@asynccontextmanager
async def consuming(
    events: Events, consumers: Sequence[Consumer], ask: Ask, clock: Clock
) -> AsyncIterator[None]:
    """Hand each fact to the operations that wait for it."""
    for consumer in consumers:
        events.consume(consumer.operation, consumer.topics, _handler(consumer, events, ask, clock))
    await events.start()
    yield


def _handler(
    consumer: Consumer, events: Events, ask: Ask, clock: Clock
) -> Callable[[Event], Awaitable[None]]:
    name = consumer.operation

    async def handle(event: Event) -> None:
        body = msgspec.json.decode(event.body, type=dict[str, Any])
        inputs = consumer.inputs_of(body)
        EVENT_LAG_SECONDS.labels(name).observe(max(clock.now() - event.created_at, 0.0))
        if inputs is None:
            return
        video: str | None = body.get("video")
        about = {"topic": event.topic, "consumer": name}
        outcome = "failed"
        try:
            with following(EVENT, video, **about) if video else nullcontext():
                await ask(name, once=_claiming(events, name, event), **inputs)
            outcome = "ok"
        finally:
            EVENTS_HANDLED.labels(name, outcome).inc()

    return handle


def _claiming(events: Events, consumer: str, event: Event) -> Callable[[Work], Awaitable[bool]]:
    """Return what writes, with the rows of an operation, that *event* has had its effect."""

    async def claim(work: Work) -> bool:
        return await events.claim(work.session, consumer, event, now=work.now)

    return claim


@asynccontextmanager
async def internal_address(host: str, port: int, ready: Ready) -> AsyncIterator[None]:
    """Answer /metrics and /health; port 0 is off.

    A taken port is said and lived without: two roles on one machine.
    """
    if not port:
        yield
        return
    try:
        server = await open_internal(host, port, ready)
    except OSError as error:
        log.warning("no_internal_address", setting="HEADWATER_INTERNAL_PORT", error=str(error))
        yield
        return
    async with server:
        yield


@asynccontextmanager
async def http_server(
    app: Any, *, host: str, port: int, drain_s: float, stop: asyncio.Event, closing: asyncio.Event
) -> AsyncIterator[None]:
    """Serve *app*; at the end finish what is being answered, for at most *drain_s*.

    *stop* is set if the server ends by itself, *closing* when it begins to drain.

    Raises SettingsError if the address cannot be had.
    """
    refuse_taken(host, port)
    server = Server(
        app,
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(
            header_read_timeout=HEADER_PATIENCE_S * 1000, max_buffer_size=READ_BYTES
        ),
        websockets=False,
        backlog=BACKLOG,
        backpressure=CONNECTIONS,
        log_enabled=False,
    )
    serving = asyncio.ensure_future(server.serve())
    serving.add_done_callback(lambda _: stop.set())
    await _until_reached(host, port, serving)
    if serving.done():
        raise SettingsError(f"Cannot listen on {host}:{port}: {serving.exception()}")
    try:
        yield
    finally:
        closing.set()
        server.stop()  # type: ignore[no-untyped-call]
        # The server's own deadline would skip the drain (trap 3), so it is ours.
        await asyncio.wait({serving}, timeout=drain_s)
        serving.cancel()


async def _until_reached(host: str, port: int, serving: asyncio.Future[None]) -> None:
    """Return once the address can be connected to, or the server has ended."""
    while not serving.done():
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(REACH_POLL_S)
        else:
            writer.close()
            return


def refuse_taken(host: str, port: int) -> None:
    """Raise SettingsError if the address cannot be had.

    The server shares its port with whoever else shares it, so that two of them would each get half
    of the requests: the address is tried here alone first.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise SettingsError(f"Cannot listen on {host}:{port}: {error.strerror}.") from None


def free_port(host: str) -> int:
    """Return a port nobody listens on, for those who ask for port 0."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
