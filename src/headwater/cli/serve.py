"""`headwater serve` and `headwater worker`: the running server."""

from typing import Annotated

import typer

from headwater.cli.core import Data


def serve(
    data: Data = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    role: Annotated[
        str, typer.Option(help="What this process does: all, api, worker or scheduler.")
    ] = "all",
) -> None:
    """Serve pages, uploads and streams, and make videos watchable."""
    from headwater.compose.services import serve as run
    from headwater.settings import load

    run(load(data=data, host=host, port=port), role)


def worker(data: Data = None) -> None:
    """Only make videos watchable, beside a server on the same data."""
    from headwater.compose.services import serve as run
    from headwater.settings import load

    run(load(data=data), "worker")
