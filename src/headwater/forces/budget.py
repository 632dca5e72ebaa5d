"""A budget for trying again: when everything fails, a try more for each would double the load."""

EARNED = 0.1  # per call that went well: at most a tenth more calls than were asked for, for long
MOST = 20.0  # tries in a row before anything went well


class RetryBudget:
    """Tries that may still be made; shared by all who ask the same engine."""

    def __init__(self, *, earned: float = EARNED, most: float = MOST) -> None:
        self._earned, self._most = earned, most
        self._left = most

    def earn(self) -> None:
        """A call went well."""
        self._left = min(self._left + self._earned, self._most)

    def spend(self) -> bool:
        """Say whether one more try may be made, and count it."""
        if self._left < 1:
            return False
        self._left -= 1
        return True
