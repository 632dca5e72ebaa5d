"""Rolling upgrades: each process of a fleet in turn ends and starts as the next release.

The next release is our own code, which migrates the database once more and plans otherwise than
before, with another build of the encoder; for a while old and new work side by side.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from random import Random  # noqa: TID251 (seeded: a drill can be repeated)

from tests.support.builds import later_release, other_build
from tests.support.clips import FFMPEG
from tests.support.fleet import Deployment

BESIDE_S = (0.5, 3.0)


class Upgrades:
    def __init__(self, deployment: Deployment, chance: Random, stack: ExitStack) -> None:
        self._deployment, self._chance, self._stack = deployment, chance, stack
        self._builds = (FFMPEG, str(stack.enter_context(other_build())))
        self._release = 0

    def roll(self) -> None:
        """Replace all processes, in any order; return when the last of them is new."""
        self._release += 1
        code = self._stack.enter_context(later_release(self._release))
        build = self._builds[self._release % len(self._builds)]
        for process in self._chance.sample(
            self._deployment.processes, len(self._deployment.processes)
        ):
            process.stop()
            process.upgrade(code, ffmpeg=build)
            process.start()
            time.sleep(self._chance.uniform(*BESIDE_S))


@contextmanager
def upgrading(deployment: Deployment, chance: Random) -> Iterator[Upgrades]:
    with ExitStack() as stack:
        yield Upgrades(deployment, chance, stack)
