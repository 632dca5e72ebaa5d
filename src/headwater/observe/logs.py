"""Logs: one JSON object a line on standard error; a person at a terminal gets the same as text."""

import logging
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from headwater.observe.traces import current_id

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure(level: str, *, human: bool | None = None) -> None:
    """Set up logging once for the process; *human* None: text if standard error is a terminal."""
    as_text = sys.stderr.isatty() if human is None else human
    renderers: list[Any]
    writers: Callable[..., Any]
    if as_text:
        renderers = [structlog.dev.ConsoleRenderer()]
        writers = structlog.PrintLoggerFactory(sys.stderr)
    else:  # a line is one write, so that lines of several processes never mix
        renderers = [structlog.processors.format_exc_info, _render_json]
        writers = structlog.BytesLoggerFactory(sys.stderr.buffer)
    structlog.configure(
        processors=[
            _add_trace,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=writers,
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)


def _add_trace(_logger: Any, _name: str, event: Any) -> Any:
    """Say under which id the request, job or event at hand is found."""
    if trace := current_id():
        event["trace"] = trace
    return event


def _render_json(_logger: Any, _name: str, event: Any) -> bytes:
    return msgspec.json.encode(event, enc_hook=str)
