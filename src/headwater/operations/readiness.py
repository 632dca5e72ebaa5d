"""Whether this process can do its work right now."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping

import msgspec
import structlog

from headwater.engines.clock import Clock

PATIENCE_S = 3.0  # a load balancer's own timeout is about 5 s
FRESH_S = 1.0  # probing must not be a way to load the store
log = structlog.get_logger("headwater.operations")
Probe = Callable[[], Awaitable[str]]


class Checked(msgspec.Struct, frozen=True):
    """One part: *note* is its version or what is wrong, without addresses or paths.

    Without one that is not *needed* everything is slower, and nothing wrong.
    """

    name: str
    ok: bool
    note: str
    needed: bool = True


class Readiness:
    """The parts this process works with; asked by many at once, it tries each only once.

    Its answer is of this process, so no cache that others share ever keeps it.
    """

    def __init__(
        self, probes: Mapping[str, Probe], *, needed: Collection[str], clock: Clock
    ) -> None:
        self._probes, self._needed, self._clock = dict(probes), frozenset(needed), clock
        self._looking = asyncio.Lock()
        self._looked_at, self._found = float("-inf"), list[Checked]()

    async def look(self) -> list[Checked]:
        """Return how each part is, as tried within the last FRESH_S."""
        async with self._looking:
            if self._clock.monotonic() - self._looked_at >= FRESH_S:
                self._found = list(await asyncio.gather(*map(self._try, self._probes)))
                self._looked_at = self._clock.monotonic()
            return self._found

    async def _try(self, name: str) -> Checked:
        needed = name in self._needed
        try:
            note = await asyncio.wait_for(self._probes[name](), PATIENCE_S)
        except Exception as error:  # noqa: BLE001 — whatever it is, this part is not ready
            log.warning("not_ready", part=name, error=repr(error))
            return Checked(name, ok=False, note="does not answer", needed=needed)
        return Checked(name, ok=True, note=note, needed=needed)


async def readiness(*, health: Readiness) -> list[Checked]:
    """Try every part this process works with, all at once, and say how each is."""
    return await health.look()


def is_ready(checked: Collection[Checked]) -> bool:
    return all(part.ok for part in checked if part.needed)
