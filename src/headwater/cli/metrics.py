"""`headwater metrics`: everything that is measured, and what it means."""

from typing import Annotated

import typer


def metrics(
    markdown: Annotated[bool, typer.Option("--markdown", help="As docs/metrics.md.")] = False,
) -> None:
    """Print the name, type, labels and meaning of every metric."""
    from headwater.cli.table import show
    from headwater.observe.table import COLUMNS, as_markdown, rows

    if markdown:
        print(as_markdown(), end="")
    else:
        show(COLUMNS, rows())
