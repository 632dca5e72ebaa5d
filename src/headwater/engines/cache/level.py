"""What one process holds: a bounded table of answers, each fetched once however many ask."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from headwater.engines.cache.answers import EAGERNESS, EARLIEST, Answer, early_s
from headwater.engines.clock import Clock

LARGEST_BYTES = 1 << 20
ENTRY_BYTES = 400  # what Python takes for an entry beside its value
CALM_S = 1.0  # after a failed making the old value is served this long before the next try

# Is given what is held, which it is to replace; None: nothing is.
Fetch = Callable[[Answer | None], Awaitable[Answer]]
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Held:
    answer: Answer
    early_from: float  # some asker may make it anew from here on
    fresh_until: float
    stale_until: float
    tags: tuple[str, ...]
    size: int


@dataclass(slots=True)
class _Fetching:
    """An answer on its way; *spoiled* if one of its tags was forgotten meanwhile."""

    tags: tuple[str, ...]
    task: asyncio.Task[Answer] | None = None
    spoiled: bool = False


class Level:
    def __init__(self, clock: Clock, *, most_bytes: int) -> None:
        self._clock = clock
        self._most_bytes = most_bytes
        self._bytes = 0
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._by_tag: dict[str, set[str]] = {}
        self._fetching: dict[str, _Fetching] = {}
        self._tasks: set[asyncio.Task[Answer]] = set()

    async def get(self, key: str, fetch: Fetch, tags: tuple[str, ...]) -> bytes:
        """Return what is held while it may be, else what *fetch* brings.

        What is stale, or about to be, is fetched again behind the asker's back.
        """
        held = self._held.get(key)
        now = self._clock.monotonic()
        if held is not None and now < held.stale_until:
            self._held.move_to_end(key)
            if now >= held.early_from and self._is_due(held, now) and key not in self._fetching:
                self._start(key, fetch, tags, held.answer)
            return held.answer.give()
        fetching = self._fetching.get(key) or self._start(key, fetch, tags, None)
        assert fetching.task is not None
        # Shielded: an asker who goes away does not take the value from the others.
        return (await asyncio.shield(fetching.task)).give()

    def forget(self, *tags: str) -> None:
        """Drop what has one of *tags*, everything if none is named; what is on its way, too."""
        if not tags:
            for key in tuple(self._held):
                self._drop(key)
        for tag in tags:
            for key in self._by_tag.pop(tag, set()):
                self._drop(key)
        for key, fetching in list(self._fetching.items()):
            if not tags or not set(tags).isdisjoint(fetching.tags):
                fetching.spoiled = True
                del self._fetching[key]  # whoever asks from now on gets a newer one

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _is_due(self, held: _Held, now: float) -> bool:
        return now >= held.fresh_until or now >= held.fresh_until - early_s(held.answer.cost_s)

    def _start(
        self, key: str, fetch: Fetch, tags: tuple[str, ...], instead_of: Answer | None
    ) -> _Fetching:
        fetching = self._fetching[key] = _Fetching(tags)

        async def run() -> Answer:
            try:
                answer = await fetch(instead_of)
                if not fetching.spoiled:
                    self._keep(key, answer, tags)
            except Exception as error:
                self._calm(key, error)
                raise
            finally:
                if self._fetching.get(key) is fetching:
                    del self._fetching[key]
            if answer.fresh_s <= 0 and instead_of is None and not fetching.spoiled:
                self._start(key, fetch, tags, answer)
            return answer

        fetching.task = asyncio.create_task(run())
        self._tasks.add(fetching.task)
        fetching.task.add_done_callback(self._ended)
        return fetching

    def _ended(self, task: asyncio.Task[Answer]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen: whoever waited has it, a background making was logged

    def _calm(self, key: str, error: Exception) -> None:
        held = self._held.get(key)
        if held is not None:
            log.warning("cache.stale", key=key, error=str(error))
            held.fresh_until = held.early_from = self._clock.monotonic() + CALM_S

    def _keep(self, key: str, answer: Answer, tags: tuple[str, ...]) -> None:
        self._drop(key)
        if len(answer.body) > LARGEST_BYTES:
            return
        fresh_until = self._clock.monotonic() + answer.fresh_s
        size = len(answer.body) + len(key) + ENTRY_BYTES
        self._held[key] = _Held(
            answer,
            fresh_until - EARLIEST * EAGERNESS * answer.cost_s,
            fresh_until,
            fresh_until + answer.stale_s,
            tags,
            size,
        )
        self._bytes += size
        for tag in tags:
            self._by_tag.setdefault(tag, set()).add(key)
        while self._bytes > self._most_bytes:
            self._drop(next(iter(self._held)))

    def _drop(self, key: str) -> None:
        held = self._held.pop(key, None)
        if held is None:
            return
        self._bytes -= held.size
        for tag in held.tags:
            keys = self._by_tag.get(tag)
            if keys is not None:
                keys.discard(key)
                if not keys:
                    del self._by_tag[tag]
