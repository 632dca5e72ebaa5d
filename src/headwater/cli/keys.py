"""`headwater keys`: what scripts show instead of a password."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from headwater.cli.core import Data, with_core
from headwater.cli.table import moment, show
from headwater.model.actor import SYSTEM

if TYPE_CHECKING:
    from headwater.compose.core import Core
    from headwater.model.account import Key, NewKey

app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)
Email = Annotated[
    str | None, typer.Option(help="Whose, if there are several owners.", show_default=False)
]


@app.command()
def create(
    name: Annotated[str, typer.Option(help="What will use it, for the list.")],
    email: Email = None,
    data: Data = None,
) -> None:
    """Make a key. It is printed once, alone on standard output, and never again."""

    async def use(core: "Core") -> "NewKey":
        made: NewKey = await core.runner.run("keys.create", SYSTEM, name=name, email=email)
        return made

    made = with_core(use, data=data)
    print(made.token)
    print(f"This key is shown once; it is listed as {made.key.id}.", file=sys.stderr)


@app.command("list")
def list_keys(email: Email = None, data: Data = None) -> None:
    """List keys, without what they say."""

    async def use(core: "Core") -> "list[Key]":
        keys: list[Key] = await core.runner.run("keys.list", SYSTEM, email=email)
        return keys

    show(
        ("id", "name", "made", "last used"),
        (
            (key.id, key.name, moment(key.created_at), moment(key.last_used_at))
            for key in with_core(use, data=data)
        ),
        empty="No keys.",
    )


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As listed.")], data: Data = None
) -> None:
    """End a key at once."""

    async def use(core: "Core") -> None:
        await core.runner.run("keys.revoke", SYSTEM, key_id=key_id)

    with_core(use, data=data)
    print(f"Revoked {key_id}.")
