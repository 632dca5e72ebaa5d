"""Timing: how long each call of an engine takes, as this process sees it, for whichever adapter.

Flow      core.py puts it around every engine it opened → a metric per call, and a span where a
          request, job or event is being traced.
Promises  what is asked, answered and raised stays as it is; nothing but the calls in CALLS is
          touched, and a method a port gains later passes by untimed.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Any, cast

from headwater.containers.reader import RangeReader
from headwater.engines.blobs.port import Blobs
from headwater.engines.cache.port import Cache
from headwater.engines.database.port import Database, Session
from headwater.engines.events.port import Events
from headwater.engines.media.port import Media
from headwater.engines.notices.port import Notices
from headwater.model.errors import CodecFailed, HeadwaterError, StorageFull, Unavailable
from headwater.model.upload import Extent
from headwater.observe.metrics import (
    CACHE_ANSWERS,
    ENGINE_FAILURES,
    ENGINE_SECONDS,
    Timing,
)
from headwater.observe.traces import span

CALLS = {  # engine → the calls that are measured; those after "·" are too many for spans
    "blobs": ("put_absent", "delete", "part_url", "·", "open", "stat", "free_bytes"),
    "events": ("record",),
    "notices": ("publish",),
    "media": ("look", "encode_video", "encode_audio", "blank_video", "pictures", "decode"),
}
TOPIC_AT = {"events": 1, "notices": 0}  # which argument says what it is about
FAILURES = (Unavailable, StorageFull, CodecFailed)


class Timed:
    """An engine whose calls are measured; whatever is not one of CALLS is the engine's own."""

    def __init__(self, engine: Any, name: str) -> None:
        self._engine = engine
        spans = True
        for call in CALLS[name]:
            if call == "·":
                spans = False
            else:
                setattr(self, call, _timed(getattr(engine, call), name, call, spans=spans))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


def _timed(
    call: Callable[..., Awaitable[Any]], engine: str, name: str, *, spans: bool
) -> Callable[..., Awaitable[Any]]:
    seconds = ENGINE_SECONDS.labels(engine, name)
    title = f"{engine}.{name}"

    async def quiet(*args: Any, **kwargs: Any) -> Any:
        started = time.perf_counter()
        try:
            answer = await call(*args, **kwargs)
        except Exception as error:
            _failed(engine, name, error)
            raise
        seconds.observe(time.perf_counter() - started)
        return answer

    async def traced(*args: Any, **kwargs: Any) -> Any:
        with span(title) as opened:
            if engine in TOPIC_AT:  # "segment:…" and "video:…" by their kind
                opened.tell(topic=args[TOPIC_AT[engine]].partition(":")[0])
            answer = await quiet(*args, **kwargs)
            if (size := getattr(answer, "size", None)) is not None:
                opened.tell(bytes=size, won=answer.won)
            if "rungs" in kwargs:
                opened.tell(rungs=len(kwargs["rungs"]))
        return answer

    return traced if spans else quiet


def _failed(engine: str, call: str, error: Exception) -> None:
    if isinstance(error, FAILURES):
        ENGINE_FAILURES.labels(engine, call, error.code).inc()
    elif not isinstance(error, HeadwaterError):  # those are answers: there is no such blob
        ENGINE_FAILURES.labels(engine, call, "internal").inc()


class TimedCache(Timed):
    """A cache of which is known how often it had the answer, by operation."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    async def get_or_make(
        self, key: str, make: Callable[[], Awaitable[bytes]], **rules: Any
    ) -> bytes:
        operation = key.partition("|")[0]
        made = answered = False

        async def counted() -> bytes:
            nonlocal made
            made = True
            if answered:
                CACHE_ANSWERS.labels(operation, "stale").inc()
            return await make()

        body: bytes = await self._engine.get_or_make(key, counted, **rules)
        answered = True
        CACHE_ANSWERS.labels(operation, "miss" if made else "hit").inc()
        return body


class TimedBlobs(Timed):
    """A store whose reads by encoders are measured too; they come from threads."""

    def reader(self, extents: Sequence[Extent]) -> RangeReader:
        return cast("RangeReader", TimedReader(self._engine.reader(extents)))


class TimedReader:
    def __init__(self, reader: RangeReader) -> None:
        self._reader, self.size = reader, reader.size
        self._seconds = ENGINE_SECONDS.labels("blobs", "read_at")

    def read_at(self, start: int, size: int) -> bytes:
        started = time.perf_counter()
        found = self._reader.read_at(start, size)
        self._seconds.observe(time.perf_counter() - started)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)


class TimedDatabase(Timed):
    """A database whose blocks are measured: nothing is awaited in one but the database.

    A reader's is one read, from its opening to its end; of a writer's, how long it waited to begin,
    what it wrote and read, and its commit.
    """

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._read, self._begin, self._write, self._commit = (
            ENGINE_SECONDS.labels("database", name) for name in ("read", "begin", "write", "commit")
        )

    def reader(self, *args: Any, **kwargs: Any) -> AbstractAsyncContextManager[Session]:
        return TimedReading(self._engine.reader(*args, **kwargs), self._read)

    @asynccontextmanager
    async def writer(self, *args: Any, **kwargs: Any) -> AsyncIterator[Session]:
        began = time.perf_counter()
        reached = "begin"
        try:
            async with self._engine.writer(*args, **kwargs) as session:
                reached, begun = "write", time.perf_counter()
                self._begin.observe(begun - began)
                yield session
                reached, written = "commit", time.perf_counter()
                self._write.observe(written - begun)
        except FAILURES as error:
            _failed("database", reached, error)
            raise
        self._commit.observe(time.perf_counter() - written)


class TimedReading(AbstractAsyncContextManager[Session]):
    """A class, because this is the path of every page and half of its cost would be another's."""

    __slots__ = ("_block", "_seconds", "_started")

    def __init__(self, block: AbstractAsyncContextManager[Session], seconds: Timing) -> None:
        self._block, self._seconds = block, seconds

    async def __aenter__(self) -> Session:
        self._started = time.perf_counter()
        try:
            return await self._block.__aenter__()
        except FAILURES as error:
            _failed("database", "read", error)
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        if isinstance(error, FAILURES):
            _failed("database", "read", error)
        answer = await self._block.__aexit__(kind, error, trace)
        self._seconds.observe(time.perf_counter() - self._started)
        return answer


def timed_database(database: Database) -> Database:
    return cast("Database", TimedDatabase(database))


def timed_cache(cache: Cache) -> Cache:
    return cast("Cache", TimedCache(cache))


def timed_events(events: Events) -> Events:
    return cast("Events", Timed(events, "events"))


def timed_notices(notices: Notices) -> Notices:
    return cast("Notices", Timed(notices, "notices"))


def timed_blobs(blobs: Blobs) -> Blobs:
    return cast("Blobs", TimedBlobs(blobs, "blobs"))


def timed_media(media: Media) -> Media:
    return cast("Media", Timed(media, "media"))
