"""What a cache keeps: an answer and how long it lasts, or for a moment that there is none."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from math import log

from headwater.engines.clock import Clock
from headwater.forces.backoff import jitter
from headwater.model.errors import NotFound

JITTER = 0.1  # so that what was made together is not made anew together
NOT_FOUND_S = 2.0  # what is not there is believed this long
# How eagerly a value is made anew before its time, in multiples of what making it took: at 1 the
# first of many askers goes ahead early enough for the others never to wait (Vattani et al.,
# "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015, XFetch).
EAGERNESS = 1.0
EARLIEST = 10.0  # multiples of that again, beyond which no draw reaches (e^-10)

Make = Callable[[], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Answer:
    """*body* is fresh for *fresh_s*, then stale for *stale_s*, from the moment it is handed on.

    With *missing*, the code of a NotFound, there is none, and *body* is its message. *cost_s* is
    what making it took, *mark* what tells it from the other answers to the same question.
    """

    body: bytes
    fresh_s: float
    stale_s: float
    cost_s: float = 0.0
    missing: str = ""
    mark: bytes = b""

    @property
    def lasts_s(self) -> float:
        return self.fresh_s + self.stale_s

    def give(self) -> bytes:
        """Return the body. Raises NotFound where that is the answer."""
        if self.missing:
            raise _NOT_FOUND[self.missing](self.body.decode())
        return self.body


async def make_answer(
    make: Make, *, fresh_s: float, stale_s: float, clock: Clock, mark: bytes = b""
) -> Answer:
    """Make an answer, whose lifetime is up to a tenth shorter; other errors than NotFound rise."""
    began = clock.monotonic()
    missing = ""
    try:
        body = await make()
    except NotFound as error:
        body, missing = str(error).encode(), error.code
        fresh_s, stale_s = min(fresh_s, NOT_FOUND_S), 0.0
    return Answer(
        body,
        fresh_s * (1 - JITTER * jitter()),
        stale_s,
        cost_s=clock.monotonic() - began,
        missing=missing,
        mark=mark,
    )


def early_s(cost_s: float) -> float:
    """Return how long before its time one asker makes a value anew that costs so much."""
    return cost_s * EAGERNESS * -log(1 - jitter())


def _not_found(branch: type[NotFound]) -> Iterator[tuple[str, type[NotFound]]]:
    yield branch.code, branch
    for leaf in branch.__subclasses__():
        yield from _not_found(leaf)


_NOT_FOUND = dict(_not_found(NotFound))
