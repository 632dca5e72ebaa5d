"""`headwater check`: is this machine fit, and what is missing."""

import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple

import typer

from headwater.cli.core import Data, with_core
from headwater.cli.table import show, size
from headwater.model.errors import HeadwaterError, Unavailable

if TYPE_CHECKING:
    from headwater.compose import Core


class Line(NamedTuple):
    """One part of the answer; *is_ok* False makes the whole command fail."""

    part: str
    is_ok: bool
    note: str


def check(data: Data = None) -> None:
    """Try every engine and every layer of the codec sandbox; the status is 1 if one is missing."""
    try:
        lines: list[Line] = with_core(_lines, codec=True, role="all", data=data)
    except Unavailable as error:  # the codec does not start; the rest is worth knowing
        others: list[Line] = with_core(_lines, role="all", data=data)
        lines = [*others, Line("codec", False, str(error))]
    show(("part", "", "what"), ((line.part, _word(line), line.note) for line in lines))
    if not all(line.is_ok for line in lines):
        raise typer.Exit(1)


def _word(line: Line) -> str:
    return "ok" if line.is_ok else "MISSING"


async def _lines(core: "Core") -> list[Line]:
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return [
        Line("headwater", True, f"{version('headwater')}, Python {platform.python_version()}"),
        Line("system", True, system),
        await _database(core),
        *(
            Line(name, True, f"{type(engine).__name__}, reach: {engine.reach.name.lower()}")
            for name, engine in (
                ("events", core.events),
                ("notices", core.notices),
                ("cache", core.cache),
                ("blobs", core.blobs),
            )
        ),
        await _disk(core),
        *_codec(core),
    ]


def _codec(core: "Core") -> list[Line]:
    if core.media is None:
        return []
    build = f"{core.media.build}, reach: {core.media.reach.name.lower()}"
    layers = [Line(f"sandbox: {name}", ok, note) for name, ok, note in core.sandbox_layers()]
    return [Line("codec", True, build), *layers]


async def _database(core: "Core") -> Line:
    try:
        answered = await core.database.check()
    except HeadwaterError as error:
        return Line("database", False, str(error))
    return Line("database", True, f"{answered}, reach: {core.database.reach.name.lower()}")


async def _disk(core: "Core") -> Line:
    free_bytes = await core.blobs.free_bytes()
    floor_bytes = core.settings.free_floor_bytes
    note = f"{size(free_bytes)} free; uploads stop below {size(floor_bytes)}"
    return Line("disk", free_bytes > floor_bytes, note)
