"""A table on the terminal; plain columns where the output goes elsewhere."""

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime


def show(columns: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str = "") -> None:
    """Print *rows* under *columns*; piped, one row a line with tabs between, no heading.

    Without rows *empty* goes to standard error: scripts count lines.
    """
    from rich.console import Console
    from rich.table import Table

    rows = list(rows)
    if not rows and empty:
        print(empty, file=sys.stderr)
        return
    console = Console()
    if not console.is_terminal:
        for row in rows:
            print(*row, sep="\t")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(cell.replace("[", r"\[") for cell in row))
    console.print(table)


def moment(at: float | None) -> str:
    """Return Unix seconds as people read them, in local time; "never" for None."""
    return "never" if at is None else f"{datetime.fromtimestamp(at).astimezone():%Y-%m-%d %H:%M}"


def counted(count: int, noun: str) -> str:
    """Return "1 video", "2 videos"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def size(count: float) -> str:
    """Return bytes in the largest unit that leaves at least one: "3.2 GB" (powers of 1000)."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.4g} TB"
