"""Say how far behind the encoders are and what is admitted, to workers, operators and metrics."""

from headwater.forces.admission import Admission
from headwater.pipeline.gate import Gate


async def tell_load(*, gate: Gate) -> Admission:
    """Return what was measured a moment ago, and what is decided on it."""
    return await gate.look()
