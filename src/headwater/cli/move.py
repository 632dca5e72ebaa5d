"""`headwater move`: rows and blobs to another store, while the server runs."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from headwater.cli.core import Data
from headwater.cli.table import counted
from headwater.model.errors import InvalidInput

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
