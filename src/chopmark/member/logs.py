"""Log lines of a node: one JSON object a line on standard error, as the platform's own, without its packages.

{"event": "cosigned", "size": 17, "level": "info", "logger": "member", "timestamp": "2026-11-22T09:30:00.123456Z"}

No secrets and no personal data: addresses of callers, bodies and names are never logged.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from chopmark.base.errors import Fact


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts = getattr(record, "facts", {})
        line: dict[str, object] = {
            "event": record.getMessage(),
            **facts,
            "level": record.levelname.lower(),
            "logger": record.name,
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configure() -> None:
    """Send every log line of this process to standard error in this form; chatty libraries only when in trouble."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for chatty in ("httpx", "httpcore", "waitress"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a request that waits for a thread is no trouble


class Lines:
    """What a node writes its lines with.

    Args:
        name: the logger.
    """

    def __init__(self, name: str = "member") -> None:
        self._logger = logging.getLogger(name)

    def info(self, event: str, **facts: Fact) -> None:
        """Something happened."""
        self._logger.info(event, extra={"facts": facts})

    def warning(self, event: str, **facts: Fact) -> None:
        """Something that its operator should look at."""
        self._logger.warning(event, extra={"facts": facts})

    def failure(self, event: str, **facts: Fact) -> None:
        """A bug, with its trace; called while the exception is being handled."""
        self._logger.error(event, exc_info=True, extra={"facts": facts})  # noqa: LOG014 (the caller handles it)
