"""What planning hands over to be recorded."""

from dataclasses import dataclass

from headwater.model.ids import GenerationId, TrackId
from headwater.model.plan import Plan
from headwater.model.upload import Extent


@dataclass(frozen=True, slots=True)
class Planned:
    """What planning made.

    *stored* has the sizes of the segments already in the store, by track; those of the tracks
    *damaged* could not be decoded whole.
    """

    generation: GenerationId
    plan: Plan
    document: bytes
    index_sizes: dict[int, int]
    remuxed: list[Extent] | None
    stored: dict[TrackId, dict[int, int]]
    damaged: set[TrackId]
