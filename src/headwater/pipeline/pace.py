"""Pace: how much work a codec of this process did in a second lately, see planning/speeds.py."""

from collections import OrderedDict

from headwater.model.ids import GenerationId

WEIGHT = 0.3  # of the newest: some ten segments are remembered
GENERATIONS = 64

Key = tuple[GenerationId | None, bool]


class Pace:
    """One per maker. What is hurried and what is not are told apart, and every video is itself."""

    def __init__(self) -> None:
        self._paces: OrderedDict[Key, float] = OrderedDict()

    def saw(self, generation: GenerationId, *, urgent: bool, work: float, took_s: float) -> None:
        """Learn that *work* took that long."""
        if work <= 0 or took_s <= 0:
            return
        for key in ((generation, urgent), (None, urgent)):
            before = self._paces.pop(key, work / took_s)
            self._paces[key] = before + WEIGHT * (work / took_s - before)
        while len(self._paces) > 2 * GENERATIONS:
            self._paces.popitem(last=False)

    def of(self, generation: GenerationId, *, urgent: bool) -> float | None:
        """Return what is nearest to the pace of that video's making; None: nothing was made yet."""
        keys: list[Key] = [(generation, urgent), (generation, not urgent)]
        keys += [(None, urgent), (None, not urgent)]
        return next((self._paces[key] for key in keys if key in self._paces), None)
