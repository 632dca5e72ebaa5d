"""The system without faces and loops: what commands on the server's own machine work with."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from headwater.compose.core import Core

Data = Annotated[
    Path | None,
    typer.Option(
        "--data", help="Folder of database and blobs (HEADWATER_DATA).", show_default=False
    ),
]


def with_core(
    use: "Callable[[Core], Awaitable[Any]]",
    *,
    role: str | None = None,
    **overrides: Any,
) -> Any:
    """Open the system the settings describe, let *use* work with it, and return its answer.

    It is opened as for a command, or as a process of *role* would. *overrides* that are None were
    not typed, and leave the setting as it is.

    Raises:
        SettingsError: no server has ever kept its data there, and nothing was made.
    """
    import asyncio

    from headwater.compose.core import open_core
    from headwater.compose.data import require_data
    from headwater.compose.engines import COMMAND
    from headwater.observe import logs
    from headwater.settings import load

    logs.configure("error")  # the rest is for who reads a server's log; here a sentence says it
    settings = load(**overrides)
    require_data(settings)

    async def opened() -> Any:
        async with open_core(settings, role or COMMAND) as core:
            return await use(core)

    return asyncio.run(opened())
