"""`headwater operations`: everything the system can be asked, and what was decided about each."""

from typing import Annotated

import typer


def operations(
    markdown: Annotated[bool, typer.Option("--markdown", help="As docs/operations.md.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As an array of objects.")] = False,
) -> None:
    """Print the catalogue: consistency, cache, permission, limit, idempotency, and why."""
    from headwater.cli.table import show
    from headwater.operations.catalogue import CATALOGUE
    from headwater.operations.table import COLUMNS, as_markdown, as_rows
    from headwater.operations.table import as_json as to_json

    if markdown:
        print(as_markdown(CATALOGUE), end="")
    elif as_json:
        print(to_json(CATALOGUE))
    else:
        shown = [column for column in COLUMNS if column != "does"]
        show(shown, ([row[column] for column in shown] for row in as_rows(CATALOGUE)))
