"""`headwater backup` and `headwater restore`: a verified copy of everything, and the way back."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headwater.cli.core import Data, with_core
from headwater.cli.table import counted

if TYPE_CHECKING:
    from headwater.compose.core import Core
    from headwater.operations.backup import Backup

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the backup.")]


def backup(
    folder: Folder,
    segments: Annotated[
        bool, typer.Option("--segments", help="Also what could be made again from the sources.")
    ] = False,
    data: Data = None,
) -> None:
    """Copy everything, verified, while the server runs; again into the same DIR: what is new."""

    async def use(core: "Core") -> "Backup":
        from headwater.compose.engines import open_blobs, open_database
        from headwater.operations.backup import back_up

        folder.mkdir(parents=True, exist_ok=True)
        with _bar("copying") as told:
            return await back_up(
                folder,
                database=core.database,
                blobs=core.blobs,
                kept=open_blobs(_blobs_url(folder)),
                open_database=open_database,
                segments=segments,
                undo_s=float(core.settings.undo_s),
                clock=core.clock,
                told=told,
            )

    _say("Backed up", with_core(use, data=data))


def restore(folder: Folder, data: Data = None) -> None:
    """Bring a backup back to where the settings say, every blob held against its hash.

    The data folder may hold headwater.toml and nothing else, a database of its own no rows.
    """
    from headwater.compose.data import make_data
    from headwater.compose.engines import database_url, open_blobs, open_database
    from headwater.operations import backup as backups
    from headwater.settings import FILE, load

    settings = load(data=data)
    backups.read_note(folder)
    backups.refuse_used(settings.data, but=FILE)
    make_data(settings.data)

    async def bring_back() -> "Backup":
        rows = open_database(database_url(settings))
        try:
            with _bar("restoring") as told:
                return await backups.restore(
                    folder,
                    rows=rows,
                    draft=settings.data / "restoring",
                    blobs=open_blobs(settings.blobs or _blobs_url(settings.data)),
                    kept=open_blobs(_blobs_url(folder)),
                    open_database=open_database,
                    told=told,
                )
        finally:
            await rows.close()

    _say("Restored", asyncio.run(bring_back()))


def _blobs_url(folder: Path) -> str:
    return f"file:{folder.resolve() / 'blobs'}"


def _say(done: str, note: "Backup") -> None:
    without = "" if note.segments else ", without segments (they are made again when asked for)"
    held = (counted(note.videos, "video"), counted(note.blobs, "blob"))
    print(f"{done}: {', '.join(held)}, {counted(note.blob_bytes, 'byte')}{without}.")


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(what)
        yield lambda done, whole: progress.update(task, completed=done, total=whole)
