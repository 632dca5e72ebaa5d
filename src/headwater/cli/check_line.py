"""One line of what `headwater check` found."""

from typing import NamedTuple


class Line(NamedTuple):
    """One part of the answer; *is_ok* False makes the whole command fail; *lack* says how."""

    part: str
    is_ok: bool
    note: str
    lack: str = "MISSING"
