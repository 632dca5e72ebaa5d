"""What befalls a fleet: one of its parts is killed, stands still or is cut off, and comes back."""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from random import Random  # noqa: TID251 (seeded: a drill can be repeated)

from tests.drills.fleet.keeper import Keeper
from tests.drills.fleet.whole import Whole
from tests.support.server import Server
from tests.support.waiting import until

KINDS = ("kill", "freeze", "cut")
PARTS = ("primary", "replica", "redis", "rabbitmq", "store", "api", "worker", "scheduler")
CHANGED_S = 20.0


@dataclass(frozen=True, slots=True)
class Fault:
    """Somebody is hurt when it is made; *mend* takes it back."""

    name: str
    mend: Callable[[], None]


class Faults:
    def __init__(self, whole: Whole, keeper: Keeper, chance: Random) -> None:
        self._whole, self._keeper, self._chance = whole, keeper, chance

    def strike(self, kind: str, part: str) -> Fault:
        """Let it happen, and return once it has."""
        mend = {
            "primary": self._primary,
            "replica": self._replica,
            "redis": self._redis,
            "rabbitmq": self._rabbitmq,
            "store": self._store,
            "api": self._process,
            "worker": self._process,
            "scheduler": self._process,
        }[part](kind, part)
        return Fault(f"{kind} {part}", mend)

    def _primary(self, kind: str, _: str) -> Callable[[], None]:
        """The keeper makes another meanwhile, and this one comes back as a replica."""
        old, changes = self._keeper.primary, self._keeper.changes
        self._hurt(kind, kill=old.kill, freeze=old.freeze, host=old.on.name)

        def mend() -> None:
            until(lambda: self._keeper.changes > changes, within_s=CHANGED_S)
            self._whole.net.heal()
            self._keeper.rejoin(old)

        return mend

    def _replica(self, kind: str, _: str) -> Callable[[], None]:
        one = self._chance.choice(self._keeper.replicas)
        self._hurt(kind, kill=one.kill, freeze=one.freeze, host=one.on.name)
        return {"kill": one.start, "freeze": one.thaw, "cut": self._whole.net.heal}[kind]

    def _redis(self, kind: str, host: str) -> Callable[[], None]:
        redis = self._whole.redis
        self._hurt(kind, kill=redis.kill, freeze=redis.freeze, host=host)
        return {"kill": redis.start, "freeze": redis.thaw, "cut": self._whole.net.heal}[kind]

    def _rabbitmq(self, kind: str, host: str) -> Callable[[], None]:
        broker = self._whole.rabbitmq
        self._hurt(kind, kill=broker.kill, freeze=broker.freeze, host=host)
        return {"kill": broker.start, "freeze": broker.thaw, "cut": self._whole.net.heal}[kind]

    def _store(self, kind: str, host: str) -> Callable[[], None]:
        """A gateway or a disk; where the line is cut, all of them."""
        ceph, name = self._whole.ceph, self._chance.choice(("rgw0", "rgw1", "osd0", "osd1", "osd2"))
        self._hurt(kind, kill=lambda: ceph.kill(name), freeze=lambda: ceph.freeze(name), host=host)
        return {
            "kill": lambda: ceph.start(name),
            "freeze": lambda: ceph.thaw(name),
            "cut": self._whole.net.heal,
        }[kind]

    def _process(self, kind: str, role: str) -> Callable[[], None]:
        """One of ours, with the codec processes it started."""
        one: Server = self._chance.choice(self._whole.deployment.of_role(role))
        self._hurt(
            kind,
            kill=one.kill,
            freeze=lambda: one.send(signal.SIGSTOP),
            host=one.on.name,
        )
        return {
            "kill": one.start,
            "freeze": lambda: one.send(signal.SIGCONT),
            "cut": self._whole.net.heal,
        }[kind]

    def _hurt(
        self, kind: str, *, kill: Callable[[], None], freeze: Callable[[], None], host: str
    ) -> None:
        {"kill": kill, "freeze": freeze, "cut": lambda: self._whole.net.isolate(host)}[kind]()
