"""`headwater check`: is this machine fit, and what is missing."""

import asyncio
import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple

import typer

from headwater.cli.core import Data, with_core
from headwater.cli.table import show, size
from headwater.engines.blobs.port import BOUNDLESS
from headwater.model.errors import HeadwaterError, Unavailable

if TYPE_CHECKING:
    from headwater.compose.core import Core
    from headwater.settings import Settings


class Line(NamedTuple):
    """One part of the answer; *is_ok* False makes the whole command fail; *lack* says how."""

    part: str
    is_ok: bool
    note: str
    lack: str = "MISSING"


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
    return [
        await _database(core),
        *(
            Line(name, True, f"{type(engine).__name__}, reach: {engine.reach.name.lower()}")
            for name, engine in (
                ("events", core.events),
                ("notices", core.notices),
                ("cache", core.cache),
            )
        ),
        await _blobs(core),
        await _disk(core),
    ]


async def _database(core: "Core") -> Line:
    try:
        answered = await core.database.check()
    except HeadwaterError as error:
        return Line("database", False, str(error))
    return Line("database", True, f"{answered}, reach: {core.database.reach.name.lower()}")


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
        return Line("disk", True, "the blob store is none; its quota is its own")
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
