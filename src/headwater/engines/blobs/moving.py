"""How far blobs have come on their way to another store, as every process is told."""

from enum import StrEnum

import msgspec

SETTLE_S = 5.0  # after which every process that still puts has seen a new place


class Stage(StrEnum):
    BOTH = "both"
    MOVED = "moved"
    ENDED = "ended"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """How far the blobs have come on their way from one store to another, for all processes.

    *missed* counts what could not be brought to both stores.
    """

    of: str
    to: str
    stage: Stage = Stage.BOTH
    missed: int = 0
    moved_at: float = 0.0
