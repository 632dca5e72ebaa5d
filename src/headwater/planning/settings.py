"""What an operator decides about planning; everything else follows from the source."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSettings:
    """Up to *copy_peak_bps* the source's own pictures are offered as they are; 0: never."""

    copy_peak_bps: int = 40_000_000
