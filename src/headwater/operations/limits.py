"""How often: a sliding-window counter per operation and caller, in memory and bounded.

Our own because the measured library (limits 5.8) reads the wall clock itself, keeps one lock per
key and walks every key each 10 ms; here `now` is a value and the number of keys has a ceiling. The
count of the previous window is weighted by how much of it the sliding window still covers.
"""

from collections import OrderedDict

from headwater.model.actor import Actor, ActorKind
from headwater.model.errors import RateLimited
from headwater.operations.operation import Limit

KEYS_HELD = 100_000  # about 30 MB when full; the caller quiet for longest is forgotten first


class SlidingWindows:
    """Counts per key: [window number, hits in it, hits in the one before]."""

    def __init__(self, *, keys_held: int = KEYS_HELD) -> None:
        self._windows: OrderedDict[str, list[int]] = OrderedDict()
        self._keys_held = keys_held

    def hit(self, key: str, *, times: int, per_s: int, now: float) -> float | None:
        """Count one hit, or return how many seconds to wait if *times* in *per_s* would be passed.

        A refused hit is not counted, so a caller that waits as told is served.
        """
        number, into = divmod(now, per_s)
        counts = self._current(key, int(number))
        share_left = 1.0 - into / per_s
        if counts[1] + 1 + counts[2] * share_left <= times:
            counts[1] += 1
            return None
        if counts[1] + 1 > times:  # full by itself: only the next window can help
            excess = (counts[1] + 1 - times) / counts[1]
            return per_s - into + excess * per_s
        spare = (times - counts[1] - 1) / counts[2]
        return (share_left - spare) * per_s

    def _current(self, key: str, number: int) -> list[int]:
        counts = self._windows.get(key)
        if counts is None:
            counts = self._windows[key] = [number, 0, 0]
            if len(self._windows) > self._keys_held:
                self._windows.popitem(last=False)
            return counts
        self._windows.move_to_end(key)
        if counts[0] != number:
            counts[2] = counts[1] if counts[0] == number - 1 else 0
            counts[0], counts[1] = number, 0
        return counts


def enforce(windows: SlidingWindows, name: str, limit: Limit, actor: Actor, *, now: float) -> None:
    """Count this call of operation *name*. Raises RateLimited with the seconds to wait.

    The system's own calls are never counted.
    """
    if actor.kind is ActorKind.SYSTEM:
        return
    who = actor.limit_key if limit.by == "actor" else f"address:{actor.address}"
    wait_s = windows.hit(f"{name}|{who}", times=limit.times, per_s=limit.per_s, now=now)
    if wait_s is not None:
        raise RateLimited(
            f"At most {limit.times} in {limit.per_s} seconds; wait a little and try again.",
            retry_after_s=max(wait_s, 0.1),
        )
