"""Spans to a collector: the one home of opentelemetry, imported when HEADWATER_TRACES is set.

Flow      Finished → a span of the SDK → a bounded queue → a thread of its own → OTLP over HTTP.
Promises  whoever records never waits: a full queue drops the oldest, a collector that is away costs
          one line when it goes and one when it is back, and a stopping process waits END_S for it.

Sources: OTLP 1.9 §OTLP/HTTP; OpenTelemetry's semantic conventions for the attributes of resources.
"""

import logging
import threading
from collections.abc import Sequence

import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from headwater.observe.metrics import SPANS_SENT
from headwater.observe.traces import Finished

PATH = "/v1/traces"
QUEUED = 8192
BATCH = 512
PATIENCE_S = 5.0  # for one batch, with what is tried again
DELAY_S = 1.0  # how long a span waits for others
END_S = 2.0

log = structlog.get_logger("headwater.traces")


class Collector:
    """Where the spans of this process go; close() sends what is left."""

    def __init__(self, address: str, *, role: str, instance: str, version: str) -> None:
        """*address* as HEADWATER_TRACES; *instance* names this process among all."""
        # The SDK tells of each try; one line when it goes and one when it is back are enough.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        endpoint = address if address.endswith(PATH) else address.rstrip("/") + PATH
        self._sending = _Sending(OTLPSpanExporter(endpoint=endpoint, timeout=PATIENCE_S), address)
        self._ids = _Ids()
        resource = Resource.create(
            {
                "service.name": "headwater",
                "service.version": version,
                "service.instance.id": instance,
                "headwater.role": role,
            }
        )
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=resource,
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                self._sending,
                max_queue_size=QUEUED,
                max_export_batch_size=BATCH,
                schedule_delay_millis=DELAY_S * 1000,
            )
        )
        self._tracer = self._provider.get_tracer("headwater", version)

    def record(self, span: Finished) -> None:
        """Queue *span*; any thread may."""
        above = NonRecordingSpan(_context(span.trace, span.parent)) if span.parent else None
        self._ids.give(span.trace, span.id)
        started = self._tracer.start_span(
            span.name,
            context=Context() if above is None else set_span_in_context(above, Context()),
            kind=SpanKind.SERVER if span.is_request else SpanKind.INTERNAL,
            attributes={_named(name): value for name, value in span.attributes.items()},
            links=[Link(_context(*link)) for link in span.links],
            start_time=int(span.started_at * 1e9),
        )
        if span.failed:
            started.set_status(Status(StatusCode.ERROR, span.failed))
            started.set_attribute("error.type", span.failed)
        started.end(int(span.ended_at * 1e9))

    def close(self) -> None:
        """Send what is left, for at most about END_S; blocking."""
        timer = threading.Timer(END_S, self._sending.give_up)
        timer.daemon = True
        timer.start()
        try:
            self._provider.shutdown()
        finally:
            timer.cancel()


class _Ids(IdGenerator):
    """Gives the ids that our own spans have already; each thread its own."""

    def __init__(self) -> None:
        self._next = threading.local()

    def give(self, trace: str, span: str) -> None:
        """Say which the next span of this thread has."""
        self._next.trace, self._next.span = int(trace, 16), int(span, 16)

    def generate_trace_id(self) -> int:
        found: int = self._next.trace
        return found

    def generate_span_id(self) -> int:
        found: int = self._next.span
        return found


class _Sending(SpanExporter):
    """The SDK's exporter, which says once that the collector is away, and once that it is back."""

    def __init__(self, exporter: OTLPSpanExporter, address: str) -> None:
        self._exporter, self._address = exporter, address
        self._is_away = self._gave_up = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self._gave_up:
            return SpanExportResult.FAILURE
        result = self._exporter.export(spans)
        is_away = result is not SpanExportResult.SUCCESS
        SPANS_SENT.labels("lost" if is_away else "sent").inc(len(spans))
        if is_away != self._is_away:
            self._is_away = is_away
            if is_away:
                log.warning("traces_away", collector=self._address)
            else:
                log.info("traces_back", collector=self._address)
        return result

    def give_up(self) -> None:
        """Let the thread that sends end soon, whatever it still has."""
        self._gave_up = True
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def shutdown(self) -> None:
        if not self._gave_up:
            self.give_up()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _context(trace: str, span: str) -> SpanContext:
    return SpanContext(
        int(trace, 16), int(span, 16), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )


def _named(attribute: str) -> str:
    """Put what is ours under our name; the names of conventions have a dot already."""
    return attribute if "." in attribute else f"headwater.{attribute}"
