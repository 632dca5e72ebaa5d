"""`headwater settings`: every knob, its value, and where it came from."""

from typing import Any

from headwater.cli.core import Data
from headwater.cli.table import show


def show_settings(data: Data = None) -> None:
    """Print every setting with value, unit, default and origin; secrets stay hidden."""
    from headwater.settings import PREFIX, Settings, load, origins

    settings, came_from = load(data=data), origins(data=data)
    rows = []
    for name, field in Settings.model_fields.items():
        about: Any = field.json_schema_extra or {}
        value = getattr(settings, name)
        rows.append(
            (
                f"{PREFIX}{name.upper()}",
                _text(value, is_secret=about.get("secret", False)),
                about.get("unit", ""),
                _text(field.default, is_secret=False),
                came_from[name],
                field.description or "",
            )
        )
    show(("name", "value", "unit", "default", "from", "meaning"), rows)


def _text(value: object, *, is_secret: bool) -> str:
    if value in ("", None):
        return "–"
    return "••••" if is_secret else str(value)
