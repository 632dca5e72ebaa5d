"""Traces: what one request, job or event did, and one id for everything that befalls a video.

Flow      a trail begins (a request, a job, an event) → spans open and close inside it → whoever
          records them (observe/otlp.py) sends them to a collector.
Promises  while nobody records a span costs one look at a variable, and only the id of a trail is
          kept, for the lines of the log. Recorded is what changes something, what concerns the
          making of a video, what failed, and of the rest one in trace_ids.READS.

The id of a video's trace is a hash of the video's own: every process knows it from whatever row,
event or address names the video, so that nothing has to be carried and nothing is lost on the way.
A request has a trace of its own; where it touches the making of a video the two are linked.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from headwater.observe.trace_ids import root_of, trace_of

MOST_HELD = 256  # spans of one trail that wait to hear which trace they belong to


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A span as it leaves: ids in lower-case hexadecimal, times in Unix seconds."""

    name: str
    trace: str
    id: str
    parent: str
    links: tuple[tuple[str, str], ...]
    started_at: float
    ended_at: float
    attributes: dict[str, Any]
    failed: str
    is_request: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Where spans go, and what this room, which lies below the engines, is lent for them."""

    record: Callable[[Finished], None]
    now: Callable[[], float]
    new_id: Callable[[], str]


_recording: Recording | None = None


def record(recording: Recording | None) -> None:
    """Record from now on, in all of this process; None: no longer."""
    global _recording  # noqa: PLW0603 — one for the process, as metrics and logs are
    _recording = recording


def is_recording() -> bool:
    return _recording is not None


class Trail:
    """One piece of work of this process; *id* names its trace and stands in its lines of the log.

    Entered as a context. One with a *name* has a span of its own, whose cause is *parent*, a span
    elsewhere; it is recorded if the trail is *kept*.
    """

    __slots__ = (
        "_before",
        "_held",
        "_into",
        "_is_over",
        "_name",
        "_started_at",
        "_videos",
        "attributes",
        "failed",
        "id",
        "kept",
        "parent",
        "span",
    )

    def __init__(self, id: str, name: str = "", *, parent: str = "", kept: bool = False) -> None:
        self.id, self.parent, self.kept, self.failed = id, parent, kept, ""
        self._into, self._name, self._is_over = _recording, name, False
        if self._into is not None:
            self.span, self._started_at = self._into.new_id(), self._into.now()
            self.attributes: dict[str, Any] = {}
            self._held: list[Span] = []
            self._videos: dict[str, None] = {}

    def __enter__(self) -> Self:
        self._before: Token[Trail | None] = _trail.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _trail.reset(self._before)
        self._is_over = True
        if self._into is None:
            return
        if self.kept:
            for span in self._held:
                self._into.record(span.finished())
            if self._name:
                self._into.record(self._finished(self._into.now()))
        self._held.clear()

    @property
    def is_over(self) -> bool:
        """Whether what still runs in its context is only what it left behind."""
        return self._is_over

    @property
    def into(self) -> Recording | None:
        return self._into

    @property
    def header(self) -> str:
        """Where it stands, as `traceresponse` writes it; "" while nobody records."""
        return f"00-{self.id}-{self.span}-0{self.kept:d}" if self._into else ""

    def concerns(self, video: str) -> None:
        """Link its own span to the trace of *video*, unless it is part of that."""
        if trace_of(video) != self.id:
            self.kept = True
            self._videos[video] = None

    def take(self, span: "Span") -> None:
        """Keep *span* until it is known whether it is recorded."""
        if not self._is_over and len(self._held) < MOST_HELD:
            self._held.append(span)

    def _finished(self, now: float) -> Finished:
        return Finished(
            name=self._name,
            trace=self.id,
            id=self.span,
            parent=self.parent,
            links=tuple((trace_of(video), root_of(video)) for video in self._videos),
            started_at=self._started_at,
            ended_at=now,
            attributes=self.attributes,
            failed=self.failed,
            is_request=True,
        )


class Span:
    """A part of a trail, open while its block is. *video*: whose making it is part of, "" unknown.

    What is inside it belongs where it does.
    """

    __slots__ = (
        "_before",
        "_ended_at",
        "_failed",
        "_into",
        "_started_at",
        "_trail",
        "attributes",
        "id",
        "name",
        "opens",
        "parent",
        "video",
    )

    def __init__(
        self,
        name: str,
        trail: Trail,
        into: Recording,
        *,
        video: str,
        attributes: dict[str, Any],
        started_at: float | None = None,
    ) -> None:
        self.name, self.video, self.opens, self.attributes = name, "", False, attributes
        self._trail, self._into, self.id = trail, into, into.new_id()
        before = _here.get()
        self.parent = before if before is not None and before._trail is trail else None  # noqa: SLF001
        self._started_at = into.now() if started_at is None else started_at
        self._ended_at, self._failed = 0.0, ""
        if video:
            self.belong_to(video)

    def __enter__(self) -> Self:
        self._before: Token[Span | None] = _here.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _here.reset(self._before)
        self.end(error)

    def end(self, error: BaseException | None = None) -> None:
        """Close it; one nobody can place yet waits for the end of its trail."""
        self._ended_at = self._into.now()
        if error is not None:
            self._failed = getattr(error, "code", "") or type(error).__name__
        if self.belongs_to:
            self._into.record(self.finished())
        else:
            self._trail.take(self)

    def tell(self, **attributes: Any) -> None:
        """Add what is known only later."""
        self.attributes |= attributes

    def belong_to(self, video: str) -> None:
        """Make it, and what is inside it, part of the making of *video*."""
        self.video = self.attributes["video"] = video
        self._trail.concerns(video)

    @property
    def belongs_to(self) -> str:
        """The video whose trace it is part of, "" for the trail's own."""
        span: Span | None = self
        while span is not None and not span.video:
            span = span.parent
        return span.video if span is not None else ""

    def finished(self) -> Finished:
        video, parent, trail = self.belongs_to, self.parent, self._trail
        links: tuple[tuple[str, str], ...] = ()
        if not video:
            trace, above = trail.id, parent.id if parent else trail.span
        elif parent is not None and parent.belongs_to == video:
            trace, above = trace_of(video), parent.id
        else:
            trace, above = trace_of(video), "" if self.opens else root_of(video)
            if trace != trail.id:
                links = ((trail.id, trail.span),)
        return Finished(
            name=self.name,
            trace=trace,
            id=self.id,
            parent=above,
            links=links,
            started_at=self._started_at,
            ended_at=self._ended_at,
            attributes=self.attributes,
            failed=self._failed,
        )


class Opened(Protocol):
    """What span() gives, whether somebody records or not."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def end(self, error: BaseException | None = None) -> None: ...

    def tell(self, **attributes: Any) -> None: ...

    def belong_to(self, video: str) -> None: ...


class Nothing:
    """The span of where nobody records."""

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def end(self, error: BaseException | None = None) -> None:
        pass

    def tell(self, **attributes: Any) -> None:
        pass

    def belong_to(self, video: str) -> None:
        pass


NOTHING = Nothing()
_trail: ContextVar[Trail | None] = ContextVar("trail", default=None)
_here: ContextVar[Span | None] = ContextVar("span", default=None)


def current_id() -> str:
    """Return the id under which this moment is found in logs and traces, "" where there is none."""
    trail = _trail.get()
    return "" if trail is None or trail.is_over else trail.id


def span(name: str, *, video: str = "", **attributes: Any) -> Opened:
    """Open a span: in the trace of *video* if that is given, else in that of what is around it.

    Outside of every trail nothing is recorded.
    """
    trail = _trail.get()
    if trail is None or (into := trail.into) is None:
        return NOTHING
    return Span(name, trail, into, video=video, attributes=attributes)


@contextmanager
def following(name: str, video: str, **attributes: Any) -> Iterator[Opened]:
    """Work for *video* without a request: a trail that is part of the video's trace."""
    with Trail(trace_of(video)), span(name, video=video, **attributes) as opened:
        yield opened


def past(name: str, *, video: str, started_at: float, **attributes: Any) -> None:
    """Record what began at *started_at* (Unix seconds) and ends now, for the making of *video*."""
    if _recording is not None:
        trail = Trail(trace_of(video))
        Span(
            name, trail, _recording, video=video, attributes=attributes, started_at=started_at
        ).end()


def concerns(video: str | None) -> None:
    """Say that the operation at hand is part of *video*'s making, as soon as that is known."""
    first = _outermost()
    if first is not None and video and not first.video:
        first.belong_to(video)


def tell(**attributes: Any) -> None:
    """Add *attributes* to the operation at hand."""
    if (first := _outermost()) is not None:
        first.tell(**attributes)


def opens(video: str) -> None:
    """Say that the operation at hand makes *video*: what befalls it later hangs from here."""
    first = _outermost()
    if first is not None and not first.video:
        first.belong_to(video)
        first.opens, first.id = True, root_of(video)


def _outermost() -> Span | None:
    found = _here.get()
    while found is not None and found.parent is not None:
        found = found.parent
    return found
