"""A cache inside one process: bounded, least recently used goes first."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from headwater.engines.clock import Clock
from headwater.engines.reach import Reach
from headwater.forces.backoff import jitter

LARGEST_BYTES = 1 << 20
ENTRY_BYTES = 400  # what Python takes for an entry beside its value
JITTER = 0.1  # so that what was made together is not made anew together
CALM_S = 1.0  # after a failed making the old value is served this long before the next try

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Value:
    body: bytes
    fresh_until: float
    stale_until: float
    tags: tuple[str, ...]
    size: int


@dataclass(slots=True)
class _Making:
    """A value on its way; *spoiled* if one of its tags was purged meanwhile."""

    tags: tuple[str, ...]
    spoiled: bool = False
    task: asyncio.Task[bytes] | None = field(default=None)


class MemoryCache:
    reach = Reach.PROCESS

    def __init__(self, clock: Clock, *, most_bytes: int = 64 << 20) -> None:
        self._clock = clock
        self._most_bytes = most_bytes
        self._bytes = 0
        self._values: OrderedDict[str, _Value] = OrderedDict()
        self._by_tag: dict[str, set[str]] = {}
        self._makings: dict[str, _Making] = {}
        self._tasks: set[asyncio.Task[bytes]] = set()

    async def get_or_make(
        self,
        key: str,
        make: Callable[[], Awaitable[bytes]],
        *,
        fresh_s: float,
        stale_s: float = 0.0,
        tags: tuple[str, ...] = (),
    ) -> bytes:
        value = self._values.get(key)
        now = self._clock.monotonic()
        if value is not None and now < value.stale_until:
            self._values.move_to_end(key)
            if now >= value.fresh_until and key not in self._makings:
                self._start(key, make, fresh_s, stale_s, tags)
            return value.body
        making = self._makings.get(key) or self._start(key, make, fresh_s, stale_s, tags)
        assert making.task is not None
        # Shielded: an asker who goes away does not take the value from the others.
        return await asyncio.shield(making.task)

    async def purge(self, *tags: str) -> None:
        self.forget(*tags)

    def forget(self, *tags: str) -> None:
        for tag in tags or tuple(self._by_tag):
            for key in self._by_tag.pop(tag, set()):
                self._drop(key)
        for key, making in list(self._makings.items()):
            if not tags or not set(tags).isdisjoint(making.tags):
                making.spoiled = True
                del self._makings[key]  # whoever asks from now on gets a newer one

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _start(
        self,
        key: str,
        make: Callable[[], Awaitable[bytes]],
        fresh_s: float,
        stale_s: float,
        tags: tuple[str, ...],
    ) -> _Making:
        making = self._makings[key] = _Making(tags)

        async def run() -> bytes:
            try:
                body = await make()
                if not making.spoiled:
                    self._keep(key, body, fresh_s, stale_s, tags)
            except Exception as error:
                self._calm(key, error)
                raise
            else:
                return body
            finally:
                if self._makings.get(key) is making:
                    del self._makings[key]

        making.task = asyncio.create_task(run())
        self._tasks.add(making.task)
        making.task.add_done_callback(self._ended)
        return making

    def _ended(self, task: asyncio.Task[bytes]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen: whoever waited has it, a background making was logged

    def _calm(self, key: str, error: Exception) -> None:
        value = self._values.get(key)
        if value is not None:
            log.warning("cache.stale", key=key, error=str(error))
            value.fresh_until = self._clock.monotonic() + CALM_S

    def _keep(
        self, key: str, body: bytes, fresh_s: float, stale_s: float, tags: tuple[str, ...]
    ) -> None:
        self._drop(key)
        if len(body) > LARGEST_BYTES:
            return
        fresh_until = self._clock.monotonic() + fresh_s * (1 - JITTER * jitter())
        size = len(body) + len(key) + ENTRY_BYTES
        self._values[key] = _Value(body, fresh_until, fresh_until + stale_s, tags, size)
        self._bytes += size
        for tag in tags:
            self._by_tag.setdefault(tag, set()).add(key)
        while self._bytes > self._most_bytes:
            self._drop(next(iter(self._values)))

    def _drop(self, key: str) -> None:
        value = self._values.pop(key, None)
        if value is None:
            return
        self._bytes -= value.size
        for tag in value.tags:
            keys = self._by_tag.get(tag)
            if keys is not None:
                keys.discard(key)
                if not keys:
                    del self._by_tag[tag]
