"""What a balancer or a service manager is told: the same on every address a process has."""

import msgspec

from headwater.model.actor import SYSTEM
from headwater.operations.readiness import is_ready
from headwater.operations.run import Runner

LIVE, READY = "/health/live", "/health/ready"


async def tell_readiness(runner: Runner, *, closing: bool = False) -> tuple[bool, bytes]:
    """Return whether this process is to be sent work, and a JSON document that says why not."""
    checked = await runner.run("system.readiness", SYSTEM)
    ready = is_ready(checked) and not closing
    return ready, msgspec.json.encode({"ready": ready, "parts": checked})
