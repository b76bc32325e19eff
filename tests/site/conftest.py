from __future__ import annotations

from world.postgres import postgres_dsn, postgres_server  # noqa: F401 (pytest finds fixtures here)
