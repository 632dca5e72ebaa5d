"""What befalls a fleet: one of its parts is killed, stands still or is cut off, and comes back.

Or all of its processes become those of the next release, one after the other.
"""

from collections.abc import Callable
from functools import partial
from random import Random  # noqa: TID251 (seeded: a drill can be repeated)

from tests.drills.fleet.keeper import Keeper
from tests.drills.fleet.upgrades import Upgrades
from tests.drills.fleet.whole import Whole
from tests.support.waiting import until

KINDS = ("kill", "freeze", "cut")
PARTS = ("primary", "replica", "redis", "rabbitmq", "store", "api", "worker", "scheduler")
UPGRADE = "upgrade"
STORE = ("rgw0", "rgw1", "osd0", "osd1", "osd2")
CHANGED_S = 20.0
Act = Callable[[], None]


class Faults:
    def __init__(self, whole: Whole, keeper: Keeper, upgrades: Upgrades, chance: Random) -> None:
        self._whole, self._keeper, self._upgrades = whole, keeper, upgrades
        self._chance = chance

    def strike(self, kind: str, part: str) -> Act:
        """Let it happen; call what is returned to take it back."""
        if kind == UPGRADE:
            self._upgrades.roll()
            return lambda: None
        if part == "primary":
            return self._strike_primary(kind)
        if part == "store":
            return self._strike_store(kind)
        one = {
            "replica": lambda: self._chance.choice(self._keeper.replicas),
            "redis": lambda: self._whole.redis,
            "rabbitmq": lambda: self._whole.rabbitmq,
        }.get(part, lambda: self._chance.choice(self._whole.deployment.of_role(part)))()
        acts = (one.kill, one.start, one.freeze, one.thaw)
        return self._strike(kind, *acts, host=one.on.name)

    def _strike_primary(self, kind: str) -> Act:
        """The keeper makes another meanwhile, and this one comes back as a replica."""
        old, changes = self._keeper.primary, self._keeper.changes
        self._strike(kind, old.kill, old.start, old.freeze, old.thaw, host=old.on.name)

        def mend() -> None:
            until(lambda: self._keeper.changes > changes, within_s=CHANGED_S)
            self._whole.net.heal()
            self._keeper.rejoin(old)

        return mend

    def _strike_store(self, kind: str) -> Act:
        """A gateway or a disk; where the line is cut, all of them."""
        ceph, name = self._whole.ceph, self._chance.choice(STORE)
        acts = (partial(act, name) for act in (ceph.kill, ceph.start, ceph.freeze, ceph.thaw))
        return self._strike(kind, *acts, host=ceph.on.name)

    def _strike(
        self, kind: str, kill: Act, start: Act, freeze: Act, thaw: Act, *, host: str
    ) -> Act:
        net = self._whole.net
        happen, mend = {
            "kill": (kill, start),
            "freeze": (freeze, thaw),
            "cut": (partial(net.isolate, host), net.heal),
        }[kind]
        happen()
        return mend
