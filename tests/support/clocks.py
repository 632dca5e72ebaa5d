"""Time as a test wants it."""

from headwater.engines.clock import Clock


class OwnTime(Clock):
    """Stands at *at* until the test moves it."""

    def __init__(self, at: float = 1000.0) -> None:
        self.at = at

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


class Later(Clock):
    """The clock of somebody who lives *ahead_s* later."""

    def __init__(self, ahead_s: float) -> None:
        self._ahead_s = ahead_s

    def now(self) -> float:
        return super().now() + self._ahead_s
