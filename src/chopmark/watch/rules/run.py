"""Rules over many rows: in plain Python for the feed, in DuckDB for a table, in Daft for a frame; one meaning.

    fired(rules, row, on=day)                 Fired(live=(Rule, ...), shadow=(Rule, ...))
    decide_rows(table, rules, on=day)         the Arrow table with two more columns, `rules` and `shadow`: lists of ids
    decide_frame(frame, rules, on=day)        the same for a Daft frame

A table has the features as columns, by their names and kinds, among others. Draft, stopped and expired rules do
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from chopmark.watch.features import Value
from chopmark.watch.rules.language import to_daft, to_duckdb
from chopmark.watch.rules.rule import Rule, RuleSet

if TYPE_CHECKING:
    import daft
    import duckdb
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """Rules that fired on a row, in the order of their ids."""

    live: tuple[Rule, ...]
    shadow: tuple[Rule, ...]


def fired(rules: RuleSet, row: Mapping[str, Value], *, on: date) -> Fired:
    """On one full row."""
    live, shadow = (
        tuple(each for each in rules.in_state(state, on=on) if each.fires(row)) for state in ("live", "shadow")
    )
    return Fired(live=live, shadow=shadow)


def decide_rows(table: pa.Table, rules: RuleSet, *, on: date) -> pa.Table:
    """With the columns `rules` and `shadow`."""
    with connection() as database:
        relation = database.from_arrow(table)
        live, shadow = (_listed(rules.in_state(state, on=on)) for state in ("live", "shadow"))
        return relation.project(f"*, {live} AS rules, {shadow} AS shadow").to_arrow_table()


def _listed(rules: Sequence[Rule]) -> str:
    """The ids of those that fire, as an SQL list."""
    each = ", ".join(f"CASE WHEN {to_duckdb(rule.effective)} THEN '{rule.id}' END" for rule in rules)
    return f"list_filter([{each}]::VARCHAR[], lambda name: name IS NOT NULL)"


def decide_frame(frame: daft.DataFrame, rules: RuleSet, *, on: date) -> daft.DataFrame:
    """With the columns `rules` and `shadow`."""
    import daft  # noqa: PLC0415 (half a second that only scans need)
    from daft.functions import list_filter, to_list, when  # noqa: PLC0415 (as above)

    def column(listed: Sequence[Rule]) -> daft.Expression:
        nothing = daft.lit(None).cast(daft.DataType.string())
        each = [when(to_daft(rule.effective), daft.lit(rule.id)).otherwise(nothing) for rule in listed]
        return list_filter(to_list(nothing, *each), daft.element().not_null())

    live, shadow = (column(rules.in_state(state, on=on)) for state in ("live", "shadow"))
    return frame.with_columns({"rules": live, "shadow": shadow})


def connection(*, threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """A database in memory that fetches no extension."""
    import duckdb  # noqa: PLC0415 (only who evaluates tables needs it)

    settings: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        **({"threads": threads} if threads else {}),
    }
    return duckdb.connect(":memory:", config=settings)
