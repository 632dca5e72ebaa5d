"""The core: every engine opened, the runner over them, and what use cases are given."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headwater.access.pacing import Pacing
from headwater.access.passwords import Passwords
from headwater.access.secrets import PART_SIGNING, shared_secret
from headwater.compose.data import make_data
from headwater.compose.engines import (
    blobs_url,
    database_url,
    open_cache,
    open_database,
    open_events,
    open_media,
    open_movable_blobs,
    open_notices,
    open_rates,
    refuse_short_reach,
    refuse_unfit,
)
from headwater.compose.timing import (
    timed_blobs,
    timed_cache,
    timed_database,
    timed_events,
    timed_media,
    timed_notices,
)
from headwater.engines.blobs.port import Blobs, blob_key
from headwater.engines.cache.port import Cache
from headwater.engines.checks import Checks
from headwater.engines.clock import Clock
from headwater.engines.database.port import Database
from headwater.engines.entropy import public_id
from headwater.engines.events.port import Events
from headwater.engines.media.port import Media
from headwater.engines.notices.port import Notices
from headwater.model.actor import SYSTEM
from headwater.model.freshness import Stale
from headwater.operations.readiness import Probe, Readiness
from headwater.operations.run import Runner
from headwater.operations.units import ActorUnits, Engines
from headwater.settings import Settings

if TYPE_CHECKING:
    from headwater.delivery.tickets import Tickets

TICKETS = Stale(within_s=1.0, beyond="answer")  # remembered as long again: see the streams' rows


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
        engines = await _open_engines(settings, role, stack)
        database = engines.database
        async with engines.writer(SYSTEM) as work:
            signing = await shared_secret(work=work, of=PART_SIGNING)
        movable = open_movable_blobs(blobs_url(settings), database, secret=signing)
        stack.callback(movable.close)
        await movable.watch()
        blobs = timed_blobs(movable)
        events, notices = engines.events, engines.notices
        refuse_short_reach(
            role, {"database": database, "events": events, "notices": notices, "blobs": blobs}
        )
        await refuse_unfit(role, blobs)
        passwords = passwords or Passwords()
        stack.callback(passwords.close)
        media = timed_media(await open_media(settings)) if codec else None
        services = {
            **services_of(settings, role, engines=engines, blobs=blobs, media=media),
            "passwords": passwords,
        }
        yield Core(
            settings=settings,
            clock=engines.clock,
            database=database,
            events=events,
            notices=notices,
            cache=engines.cache,
            blobs=blobs,
            media=media,
            engines=engines,
            runner=Runner(CATALOGUE, engines=engines, services=services),
            tickets=services["tickets"],
        )


async def _open_engines(settings: Settings, role: str, stack: AsyncExitStack) -> Engines:
    """Open what a commit touches, each closed by *stack*, the schema up to date."""
    clock = Clock()
    database = timed_database(open_database(database_url(settings), settings.database_replicas))
    stack.push_async_callback(database.close)
    await database.migrate()
    events = timed_events(open_events(settings.events, database, clock))
    stack.push_async_callback(events.close)
    notices = timed_notices(open_notices(settings.notices, role, database, clock))
    stack.push_async_callback(notices.close)
    cache = timed_cache(open_cache(settings.cache, clock))
    stack.push_async_callback(cache.close)
    rates = open_rates(settings.cache)
    stack.push_async_callback(rates.close)
    return Engines(
        database=database, events=events, notices=notices, cache=cache, rates=rates, clock=clock
    )


def services_of(
    settings: Settings, role: str = "all", *, engines: Engines, blobs: Blobs, media: Media | None
) -> dict[str, Any]:
    """Return what use cases are given by keyword name."""
    from headwater.delivery.demand import Demands
    from headwater.delivery.tickets import Tickets
    from headwater.forces.admission import Limits
    from headwater.pipeline.gate import Gate
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
        "pacing": Pacing(engines.rates),
        "tickets": Tickets(units=ActorUnits(engines, SYSTEM, TICKETS), clock=clock),
        "demands": Demands(units=units, blobs=blobs, notices=notices, clock=clock),
        "gate": Gate(
            units=units,
            blobs=blobs,
            clock=clock,
            limits=Limits(wait_s=settings.queue_age_s, floor_bytes=settings.free_floor_bytes),
            expires_s=settings.upload_expires_s,
        ),
        "part_signer": getattr(blobs, "parts", None),
        "upload_limits": UploadLimits(
            quota_bytes=settings.quota_bytes or None,
            file_limit_bytes=settings.file_limit_bytes,
            floor_bytes=settings.free_floor_bytes,
            expires_s=settings.upload_expires_s,
        ),
        "health": readiness_of(role, engines, blobs, media),
        "quota_bytes": settings.quota_bytes,
        "budget_bytes": settings.store_budget_bytes or None,
        "keep_original": settings.keep_original,
        "undo_s": float(settings.undo_s),
        "session_s": float(settings.session_s),
    }


def readiness_of(role: str, engines: Engines, blobs: Blobs, media: Media | None) -> Readiness:
    """Return the probes of /health/ready; the codec's walls were tried when it was opened.

    Without cache and notices everything is slower, and nothing wrong. Facts leave with the commit
    and wait in the database while what carries them on is away: only who hands them on needs it.
    """

    async def blobs_writable() -> str:
        key = blob_key(f"health/{public_id()}")
        await blobs.put_absent(key, b"ok")
        await blobs.delete(key)
        return "writable"

    async def codec_open() -> str:
        return "open behind its walls"

    probes: dict[str, Probe] = {
        "database": engines.database.check,
        "blobs": blobs.check if isinstance(blobs, Checks) else blobs_writable,
    }
    if media:
        probes["codec"] = codec_open
    needed = {*probes, "events"} if role == "scheduler" else {*probes}
    for name in ("events", "notices", "cache"):
        if isinstance(engine := getattr(engines, name), Checks):
            probes[name] = engine.check
    return Readiness(probes, needed=needed, clock=engines.clock)
