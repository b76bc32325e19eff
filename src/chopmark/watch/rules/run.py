"""The database in memory in which conditions and questions over files are run: DuckDB, told to fetch nothing.

Rules are asked of one row by `deciding` (plain Python, in feed and scans alike), and of many kept ones by `backtest`,
which runs the same text here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


def connection(*, threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """A database in memory that fetches no extension."""
    import duckdb  # noqa: PLC0415 (only who evaluates tables needs it)

    settings: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        **({"threads": threads} if threads else {}),
    }
    return duckdb.connect(":memory:", config=settings)
