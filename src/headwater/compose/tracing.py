"""Tracing: where the spans of this process go, if HEADWATER_TRACES names a collector."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

from headwater.compose.engines import require_driver
from headwater.engines.clock import Clock
from headwater.engines.entropy import span_id
from headwater.observe import traces
from headwater.settings import Settings


@contextmanager
def tracing(settings: Settings, role: str) -> Iterator[None]:
    """Record spans while the block runs, and send the last of them at its end.

    Raises SettingsError: a collector is named, and what speaks to it is not installed.
    """
    if not settings.traces:
        yield
        return
    require_driver(
        "opentelemetry", setting="HEADWATER_TRACES", engine="a collector", extra="traces"
    )
    from headwater.observe.otlp import Collector

    collector = Collector(
        settings.traces,
        role=role,
        instance=f"{socket.gethostname()}:{os.getpid()}",
        version=version("headwater"),
    )
    traces.record(traces.Recording(record=collector.record, now=Clock().now, new_id=span_id))
    try:
        yield
    finally:
        traces.record(None)
        collector.close()
