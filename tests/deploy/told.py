"""What a deployment's files tell Headwater, as its environment."""

import os
from collections.abc import Mapping

import pytest


def settings_told(told: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Make *told* the whole environment of Headwater."""
    for name in list(os.environ):  # noqa: TID251
        if name.startswith("HEADWATER_"):
            monkeypatch.delenv(name)
    for name, value in told.items():
        if name.startswith("HEADWATER_"):
            monkeypatch.setenv(name, value)
