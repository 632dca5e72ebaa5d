"""`headwater check`: is this machine fit, and what is missing."""

import asyncio
import platform
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from math import inf
from typing import TYPE_CHECKING, Any

import typer

from headwater.cli.check_line import Line
from headwater.cli.core import Data, with_core
from headwater.cli.table import show, size
from headwater.engines.blobs.port import BOUNDLESS
from headwater.engines.reach import Reach
from headwater.model.errors import HeadwaterError, Unavailable

if TYPE_CHECKING:
    from headwater.compose.core import Core
    from headwater.settings import Settings


PATIENCE_S = 10.0
LATE_S = 60.0  # the oldest that any operation takes, see docs/operations.md


def check(data: Data = None) -> None:
    """Try every engine and every layer of the codec sandbox; the status is 1 if one is missing."""
    from headwater.settings import load

    settings = load(data=data)
    lines = [*_machine(), *_engines(settings), *asyncio.run(_codec(settings))]
    show(
        ("part", "", "what"),
        ((line.part, "ok" if line.is_ok else line.lack, line.note) for line in lines),
    )
    if not all(line.is_ok for line in lines):
        raise typer.Exit(1)


def _machine() -> list[Line]:
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return [
        Line("headwater", True, f"{version('headwater')}, Python {platform.python_version()}"),
        Line("system", True, system),
    ]


def _engines(settings: "Settings") -> list[Line]:
    """Say what the data folder's engines answer, or why it cannot be opened."""
    try:
        found: list[Line] = with_core(_opened, role="all", data=settings.data)
    except HeadwaterError as error:
        return [Line("data", False, str(error))]
    except OSError as error:
        return [Line("data", False, f"{error.filename or settings.data}: {error.strerror}.")]
    return found


async def _opened(core: "Core") -> list[Line]:
    from headwater.cli.check_processes import processes

    return [
        await _engine("database", core.database, core.database.check),
        *await _replicas(core),
        *_moved(core),
        *[
            await _engine(name, engine, getattr(engine, "check", None))
            for name, engine in (
                ("events", core.events),
                ("notices", core.notices),
                ("cache", core.cache),
            )
        ],
        await _blobs(core),
        await _disk(core),
        *await processes(core),
    ]


async def _engine(name: str, engine: Any, ask: Callable[[], Awaitable[str]] | None) -> Line:
    """Say what *engine* answered to *ask* and how long that took; the embedded need no asking."""
    reach = f"reach: {engine.reach.name.lower()}"
    if ask is None:
        kept = "memory" if engine.reach is Reach.PROCESS else "a table of the database"
        return Line(name, True, f"{kept}, {reach}")
    asked_at = time.monotonic()
    try:
        async with asyncio.timeout(PATIENCE_S):
            answered = await ask()
    except (HeadwaterError, TimeoutError) as error:
        return Line(name, False, str(error) or f"does not answer within {PATIENCE_S:g} s")
    took_ms = 1000 * (time.monotonic() - asked_at)
    return Line(name, True, f"{answered}, answered in {took_ms:.1f} ms, {reach}")


async def _replicas(core: "Core") -> list[Line]:
    """Say how far behind the primary each replica is."""
    replicas = getattr(core.database, "replicas", None)
    if not replicas:
        return []
    lines = [_replica(name, age_s) for name, age_s in (await replicas.ages_by_clocks()).items()]
    if await core.database.acknowledges_alone():  # type: ignore[attr-defined]
        note = "none has what was acknowledged last: set synchronous_standby_names on the primary"
        lines.append(Line("standbys", True, f"warning: {note}"))
    return lines


def _replica(name: str, age_s: float | None) -> Line:
    if age_s is None:
        return Line("replica", False, f"{name} does not answer")
    behind = "no heartbeat yet" if age_s == inf else f"{age_s:.1f} s behind by the clocks"
    if LATE_S < age_s < inf:
        behind += "; warning: that is too old to be read, look at what it follows"
    return Line("replica", True, f"{name}, {behind}")


def _moved(core: "Core") -> list[Line]:
    """Remind of addresses that are not where the settings say any more."""
    from headwater.compose.moves import moved_settings

    note = "warning: what it names has moved; write the new address there"
    return [Line("settings", True, f"{name}: {note}") for name in moved_settings(core)]


async def _blobs(core: "Core") -> Line:
    try:
        answered = await core.blobs.check(thoroughly=True)
    except HeadwaterError as error:
        return Line("blobs", False, str(error), lack="UNFIT")
    return Line("blobs", True, f"{answered}; reach: {core.blobs.reach.name.lower()}")


async def _disk(core: "Core") -> Line:
    free_bytes = await core.blobs.free_bytes()
    floor_bytes = core.settings.free_floor_bytes
    if free_bytes == BOUNDLESS:
        return Line("disk", True, "none: blobs are in a bucket, whose own quota is the limit")
    note = f"{size(free_bytes)} free; uploads stop below {size(floor_bytes)}"
    return Line("disk", free_bytes > floor_bytes, note, lack="LOW")


async def _codec(settings: "Settings") -> list[Line]:
    from headwater.compose.engines import open_media

    try:
        media = await open_media(settings)
    except Unavailable as error:
        return [Line("codec", False, str(error))]
    return [
        Line("codec", True, f"{media.build}, reach: {media.reach.name.lower()}"),
        *(
            Line(f"sandbox: {name}", works, note)
            for name, works, note in getattr(media, "layers", ())
        ),
    ]
