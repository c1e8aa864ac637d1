"""The log: events on standard error, as lines for people or as JSON."""

from __future__ import annotations

import logging
import sys

import structlog

from itopd.settings import Settings


def set_up_log(settings: Settings, level: int = logging.INFO) -> None:
    """Let structlog write events of ``level`` and above to standard error, in the shape that the settings ask for."""
    console = settings.log_format == "console"
    shape: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
        if console
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *shape,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
