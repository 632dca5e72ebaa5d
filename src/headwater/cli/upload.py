"""`headwater upload`: files in, links out, with progress for the upload and for the warm-up."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer


def upload(
    files: Annotated[list[Path], typer.Argument(help="What to upload.", show_default=False)],
    title: Annotated[
        str | None, typer.Option(help="Title of the video; without it, the file's name.")
    ] = None,
    wait: Annotated[
        str | None, typer.Option(help='Return only when each video is "playable" or "ready".')
    ] = None,
    direct: Annotated[
        bool,
        typer.Option(
            "--direct", help="Put the bytes straight into the server's bucket, where it has one."
        ),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print one JSON object per file, one a line, as each ends. uploaded_s is how long"
            " the upload took; playable_s and ready_s count from its last byte.",
        ),
    ] = False,
    server: Annotated[
        str | None,
        typer.Option(
            envvar="HEADWATER_SERVER",
            help="Address of the server; without it, the one on this machine.",
            show_default=False,
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            envvar="HEADWATER_KEY",
            help="An API key (headwater keys create).",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Upload videos. Typing the same command again resumes what was broken off.

    The exit status is 1 when a file could not be uploaded or its video failed.
    """
    from headwater.cli.send_files import Wish, send_files
    from headwater.cli.upload_report import Report

    if wait not in {None, "playable", "ready"}:
        raise typer.BadParameter("use playable or ready", param_hint="--wait")
    if not key:
        raise typer.BadParameter(
            "a key is needed; make one with: headwater keys create --name laptop",
            param_hint="--key or HEADWATER_KEY",
        )
    _refuse_what_is_no_file(files)
    wish = Wish(server=_address(server), key=key, title=title, wait=wait, direct=direct)
    with Report(as_json=as_json, is_terminal=sys.stderr.isatty()) as report:
        outcomes = asyncio.run(send_files(files, wish=wish, report=report))
    if any(outcome.failure for outcome in outcomes):
        raise typer.Exit(1)


def _refuse_what_is_no_file(paths: list[Path]) -> None:
    if folders := [str(path) for path in paths if path.is_dir()]:
        raise typer.BadParameter(
            f"name the files, not their folder: {', '.join(folders)}", param_hint="FILES"
        )
    if missing := [str(path) for path in paths if not path.is_file()]:
        raise typer.BadParameter(f"no such file: {', '.join(missing)}", param_hint="FILES")


def _address(server: str | None) -> str:
    """Return the server's address as it is asked; None is the one this machine's settings name."""
    if not server:
        from headwater.settings import load

        return load().local_address
    return (server if "://" in server else f"http://{server}").rstrip("/")
