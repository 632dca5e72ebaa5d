"""`headwater`: the commands people type.

The modules imported here are light; what a command needs it imports when it runs, so that
`headwater --help` answers at once.
"""

import os
import sys
import traceback
from typing import Annotated

import typer

from headwater.cli import (
    check,
    copies,
    events,
    jobs,
    keys,
    metrics,
    move,
    operations,
    serve,
    show_settings,
    space,
    upload,
)
from headwater.model.errors import HeadwaterError, InvalidInput

USAGE, FAILED, UNEXPECTED = 2, 1, 70  # 70: EX_SOFTWARE of sysexits.h

app = typer.Typer(
    help="A video platform: upload a video of any size, watch it at once.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def everywhere(
    debug: Annotated[  # read in main(): it must work for errors before any command runs
        bool, typer.Option("--debug", help="Show where an error came from.")
    ] = False,
) -> None:
    del debug


app.command()(serve.serve)
app.command()(serve.worker)
app.command()(upload.upload)
app.add_typer(keys.app, name="keys")
app.command()(check.check)
app.command("settings")(show_settings.show_settings)
app.command()(operations.operations)
app.command()(metrics.metrics)
app.add_typer(jobs.app, name="jobs")
app.add_typer(events.app, name="events")
app.command()(space.space)
app.command()(copies.backup)
app.command()(copies.restore)
app.add_typer(move.app, name="move")


def main() -> None:
    """Run the command line; what goes wrong ends in one plain sentence and a status.

    What it makes on disk (the database holds keys and addresses of people) only its user may read.
    """
    os.umask(0o077)
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # who read it has seen enough (`| head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(FAILED) from None
    except HeadwaterError as error:
        status = USAGE if isinstance(error, InvalidInput) else FAILED
        _give_up(str(error) or error.code, status)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _give_up(f"{where}{error.strerror or error}", FAILED)
    except Exception as error:  # noqa: BLE001  the last place before a person
        _give_up(f"Something unexpected went wrong ({type(error).__name__}: {error}).", UNEXPECTED)


def _give_up(sentence: str, status: int) -> None:
    if "--debug" in sys.argv:
        traceback.print_exc()
    print(f"headwater: {sentence}", file=sys.stderr)
    raise SystemExit(status)
