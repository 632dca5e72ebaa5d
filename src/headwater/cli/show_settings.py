"""`headwater settings`: every knob, its value, and where it came from."""

from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple

import typer

from headwater.cli.core import Data
from headwater.cli.table import show

HEADER = """# Settings

Every setting is a variable of the environment or a line of `headwater.toml` in the data folder (by
its name in small letters, without the prefix); where the command has an option, that is strongest.
Made by `headwater settings --markdown`; a test compares the two.

| name | default | unit | meaning |
|---|---|---|---|
"""


class Knob(NamedTuple):
    field: str
    name: str
    default: object
    unit: str
    is_secret: bool
    meaning: str


def show_settings(
    markdown: Annotated[bool, typer.Option("--markdown", help="As docs/settings.md.")] = False,
    data: Data = None,
) -> None:
    """Print every setting with value, unit, default and origin; secrets stay hidden."""
    if markdown:
        print(HEADER, end="")
        for knob in knobs():
            default = f"`{knob.default}`" if _text(knob.default) != "–" else "–"
            print(f"| `{knob.name}` | {default} | {knob.unit} | {knob.meaning} |")
        return
    from headwater.settings import load, origins

    settings, came_from = load(data=data), origins(data=data)
    show(
        ("name", "value", "unit", "default", "from", "meaning"),
        (
            (
                knob.name,
                _text(getattr(settings, knob.field), is_secret=knob.is_secret),
                knob.unit,
                _text(knob.default),
                came_from[knob.field],
                knob.meaning,
            )
            for knob in knobs()
        ),
    )


def knobs() -> Iterator[Knob]:
    from headwater.settings import PREFIX, Settings

    for name, field in Settings.model_fields.items():
        about: Any = field.json_schema_extra or {}
        yield Knob(
            field=name,
            name=f"{PREFIX}{name.upper()}",
            default=field.default,
            unit=about.get("unit", ""),
            is_secret=about.get("secret", False),
            meaning=field.description or "",
        )


def _text(value: object, *, is_secret: bool = False) -> str:
    if value in ("", None):
        return "–"
    return "••••" if is_secret else str(value)
