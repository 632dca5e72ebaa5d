"""`headwater move`: rows and blobs to another store, while the server runs."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from headwater.cli.core import Data, with_core
from headwater.cli.table import counted, size
from headwater.model.errors import InvalidInput

if TYPE_CHECKING:
    from headwater.compose.core import Core
    from headwater.operations.move_blobs import Move

app = typer.Typer(help="Move rows or blobs to another store while everything goes on.")
MS = 1000


@app.command()
def database(
    url: Annotated[str, typer.Argument(metavar="URL", help="postgresql://…, empty.")] = "",
    abandon: Annotated[
        bool, typer.Option("--abandon", help="End a move that was begun; the rows stay.")
    ] = False,
    data: Data = None,
) -> None:
    """Move all rows from SQLite to PostgreSQL; interrupted, the same command goes on."""
    from headwater.compose import moves
    from headwater.compose.data import require_data
    from headwater.settings import load

    settings = load(data=data)
    require_data(settings)
    if abandon:
        asyncio.run(moves.abandon_database(settings))
        print("The move is ended; the rows are where they were.")
        return
    if not url:
        raise InvalidInput("Name the database to move to: headwater move database postgresql://…")
    with _bars() as told:
        move = asyncio.run(moves.move_database(settings, url, told))
    to = moves.without_password(url)
    if move is None:
        print(f"The rows are in {to} already.")
    else:
        print(
            f"Moved {counted(move.rows, 'row')} and {counted(move.changes, 'change')} made "
            f"meanwhile to {to}; writers waited {move.pause_s * MS:.0f} ms."
        )
    print(
        "Every server follows by itself. Write the new address into HEADWATER_DATABASE; "
        "the old file can be removed once every process was started with it."
    )


@app.command()
def blobs(
    url: Annotated[str, typer.Argument(metavar="URL", help="s3://… or file:FOLDER, empty.")] = "",
    abandon: Annotated[
        bool, typer.Option("--abandon", help="End a move that was begun; the blobs stay.")
    ] = False,
    data: Data = None,
) -> None:
    """Move all blobs to another store; interrupted, the same command goes on."""
    from headwater.compose import moves

    if abandon:
        with_core(moves.abandon_blobs, data=data)
        print("The move is ended; the blobs are where they were.")
        return
    if not url:
        raise InvalidInput("Name the store to move to: headwater move blobs s3://… or file:FOLDER")

    async def use(core: "Core") -> "Move | None":
        with _bars() as told:
            return await moves.move_blobs(core, url, told)

    move: Move | None = with_core(use, data=data)
    to = moves.without_password(url)
    if move is None:
        print(f"The blobs are in {to} already.")
        return
    copied = move.copied
    print(
        f"Moved {counted(copied.blobs, 'blob')} ({size(copied.blob_bytes)}) to {to}, which has all "
        f"{copied.whole} now; nobody waited."
    )
    print("Every server follows by itself. Write the new address into HEADWATER_BLOBS.")
    if move.stage == "ended":
        print("The old store is not asked any more and can be removed.")
    else:
        print(
            "Clients may put parts into the old store for another hour: restart every process with "
            "the new setting, and run this once more an hour later; then it can be removed."
        )


@contextmanager
def _bars() -> Iterator[Callable[[str, int, int], None]]:
    """Show how far each step has come; where nobody looks, a line for each step."""
    from rich.console import Console
    from rich.progress import Progress, TaskID

    steps: dict[str, TaskID] = {}
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:

        def told(step: str, done: int, whole: int) -> None:
            if step not in steps:
                steps[step] = progress.add_task(step)
                if not sys.stderr.isatty():
                    print(f"{step} …", file=sys.stderr, flush=True)
            progress.update(steps[step], completed=done, total=whole)

        yield told
