"""How seconds are said to people; apart from what counts samples, which needs arrays."""

TENTHS_BELOW_S = 10.0


def in_seconds(seconds: float) -> str:
    """Say a moment as exactly as it matters: tenths while it is short."""
    return f"{seconds:.1f} s" if seconds < TENTHS_BELOW_S else f"{seconds:.0f} s"
