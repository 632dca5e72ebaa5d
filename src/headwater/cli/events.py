"""`headwater events`: facts that could not be handled."""

from typing import TYPE_CHECKING, Annotated

import typer

from headwater.cli.core import Data, with_core
from headwater.cli.table import moment, show

if TYPE_CHECKING:
    from headwater.engines.events.port import DeadLetter

app = typer.Typer(help="Facts that could not be handled.", no_args_is_help=True)
Consumer = Annotated[str, typer.Argument(metavar="CONSUMER", help="As listed.")]
Number = Annotated[str, typer.Argument(metavar="EVENT", help="As listed.")]


@app.command("list")
def list_events(data: Data = None) -> None:
    """List events that a consumer gave up, newest first."""
    letters: list[DeadLetter] = with_core(lambda core: core.ask("events.list"), data=data)
    show(
        ("consumer", "event", "topic", "failures", "recorded", "error"),
        (
            (
                letter.consumer,
                letter.event.id,
                letter.event.topic,
                str(letter.attempts),
                moment(letter.event.created_at),
                letter.error,
            )
            for letter in letters
        ),
        empty="No events were given up.",
    )


@app.command("show")
def show_event(consumer: Consumer, event: Number, data: Data = None) -> None:
    """Say everything about one event that was given up."""
    letter: DeadLetter = with_core(
        lambda core: core.ask("events.show", consumer=consumer, event=event), data=data
    )
    print(f"consumer: {letter.consumer}")
    print(f"event: {letter.event.id}")
    print(f"topic: {letter.event.topic}")
    print(f"body: {letter.event.body.decode()}")
    print(f"recorded: {moment(letter.event.created_at)}")
    print(f"failures: {letter.attempts}")
    print(f"error: {letter.error}")


@app.command()
def retry(consumer: Consumer, event: Number, data: Data = None) -> None:
    """Give an event to the consumer that gave it up again."""
    with_core(lambda core: core.ask("events.retry", consumer=consumer, event=event), data=data)
    print(f"{consumer} gets event {event} again.")
