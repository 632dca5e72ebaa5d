"""The one home of time: everything below takes `now` as a value."""

import time


class Clock:
    """Wall time in Unix seconds, and a monotonic one for durations."""

    def now(self) -> float:
        return time.time()  # noqa: TID251 (its home)

    def monotonic(self) -> float:
        return time.monotonic()
