"""Log lines: one JSON object a line through structlog, readable text while debugging.

No personal data: names, addresses and file names are never logged, only ids.
"""

from __future__ import annotations

import logging.config
import sys
from collections.abc import Mapping
from typing import Any

import structlog


def logging_config(*, debug: bool) -> dict[str, Any]:
    """The standard library's logging set-up, with structlog's renderer; talk goes to standard error."""
    shared = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    shown: list[Any] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
        if debug
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "lines": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *shown],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
        # A refused host or a 404 is the caller's trouble: one line, no stack.
        "loggers": {
            "django.request": {"level": "ERROR"},
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            "httpx": {"level": "WARNING"},  # a line for every call to a member
            "faiss": {"level": "WARNING"},  # lines at start about what this processor can do
            "pyhanko": {"level": "ERROR"},  # a line for every signature: that it fetches nothing
        },
    }


def configure(settings: Mapping[str, Any]) -> None:
    """Set up both loggers; Django calls it once at start."""
    logging.config.dictConfig(dict(settings))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
