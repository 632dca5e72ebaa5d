"""Whether this process can do its work right now."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import msgspec
import structlog

PATIENCE_S = 3.0  # a load balancer's own timeout is about 5 s
log = structlog.get_logger("headwater.operations")
Probe = Callable[[], Awaitable[str]]


class Checked(msgspec.Struct, frozen=True):
    """One part: *note* is its version or what is wrong, without addresses or paths."""

    name: str
    ok: bool
    note: str


async def readiness(*, health_checks: Mapping[str, Probe]) -> list[Checked]:
    """Try every part this process needs, all at once, and say how each is."""
    names = list(health_checks)
    return list(await asyncio.gather(*(_check(name, health_checks[name]) for name in names)))


async def _check(name: str, probe: Probe) -> Checked:
    try:
        return Checked(name, ok=True, note=await asyncio.wait_for(probe(), PATIENCE_S))
    except Exception as error:  # noqa: BLE001 — whatever it is, this part is not ready
        log.warning("not_ready", part=name, error=repr(error))
        return Checked(name, ok=False, note="does not answer")
