"""Logs: one JSON object a line on standard error; a person at a terminal gets the same as text."""

import logging
import sys
from typing import Any

import msgspec
import structlog

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure(level: str, *, human: bool | None = None) -> None:
    """Set up logging once for the process; *human* None: text if standard error is a terminal."""
    as_text = sys.stderr.isatty() if human is None else human
    renderers: list[Any] = (
        [structlog.dev.ConsoleRenderer()]
        if as_text
        else [structlog.processors.format_exc_info, _render_json]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)


def _render_json(_logger: Any, _name: str, event: Any) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()
