"""What rules would have flagged: counts over rows that scans have kept, with the same text that runs live.

    backtest(files, rules)                      Counted for each rule: rows, flagged, of which of licensed sellers
    backtest(files, rules, before=other)        also how many rows each version adds to and takes from another's
    sample(files, rule, before=other, ...)      some of the rows that were added, to look at

Reads Parquet files by DuckDB; keeps nothing. A row is a listing with a right, so a listing that shows two marks counts
twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chopmark.base.errors import Invalid
from chopmark.watch.rules.language import to_duckdb
from chopmark.watch.rules.rule import Rule
from chopmark.watch.rules.run import connection

if TYPE_CHECKING:
    import duckdb

MAX_SAMPLE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What one rule would do to the rows.

    Attributes:
        rows: all. flagged: those on which the rule fires.
        licensed: flagged, of sellers who may sell.
        alone: flagged, and by none of the other rules that were asked.
        added, removed: against the version it was compared with; all and none without one.
    """

    rule: str
    version: str
    rows: int
    flagged: int
    licensed: int
    alone: int
    added: int
    removed: int

    @property
    def difference(self) -> str:
        """`+1,204 -35`."""
        return f"+{self.added:,} -{self.removed:,}"


def backtest(
    files: str | Sequence[str],
    rules: Sequence[Rule],
    *,
    before: Mapping[str, Rule] | None = None,
    threads: int | None = None,
) -> tuple[Counted, ...]:
    """Count over Parquet files, in one pass.

    Args:
        files: path, glob, or several.
        before: the other version of a rule, by id.
        threads: at most; all cores when not given.

    Raises:
        Invalid: `watch.backtest_unreadable` when there are no such files, or they lack a feature that a rule names.
    """
    if not rules:
        return ()
    other = before or {}
    with connection(threads=threads) as database:
        one, *found = _asked(database, _query(rules, other), files)
    counts = iter(found)
    made = []
    for each in rules:
        flagged, licensed, alone, added, removed = (int(next(counts)) for _ in range(5))
        made.append(
            Counted(
                rule=each.id,
                version=each.version,
                rows=int(one),
                flagged=flagged,
                licensed=licensed,
                alone=alone,
                added=added,
                removed=removed,
            )
        )
    return tuple(made)


def _query(rules: Sequence[Rule], before: Mapping[str, Rule]) -> str:
    """Each condition is evaluated once a row, below; what is unknown counts as not fired."""
    now = [f"coalesce({to_duckdb(each.effective)}, FALSE) AS n{at}" for at, each in enumerate(rules)]
    then = [
        f"coalesce({to_duckdb(before[each.id].effective)}, FALSE) AS b{at}"
        for at, each in enumerate(rules)
        if each.id in before
    ]
    total = " + ".join(f"n{at}::UTINYINT::USMALLINT" for at in range(len(rules)))
    counts = []
    for at, each in enumerate(rules):
        added, removed = (f"n{at} AND NOT b{at}", f"b{at} AND NOT n{at}") if each.id in before else (f"n{at}", "FALSE")
        wanted = (f"n{at}", f"n{at} AND licensed", f"n{at} AND fired = 1", added, removed)
        counts += [f"count(*) FILTER (WHERE {each})" for each in wanted]
    inner = f"SELECT licensed, {', '.join([*now, *then])} FROM read_parquet($files)"  # noqa: S608 (conditions are printed from checked trees, files are bound)
    return f"SELECT count(*), {', '.join(counts)} FROM (SELECT *, {total} AS fired FROM ({inner}))"  # noqa: S608 (as above)


def sample(
    files: str | Sequence[str], rule: Rule, *, before: Rule | None = None, limit: int = 20, seed: int = 1
) -> tuple[dict[str, Any], ...]:
    """Rows that a rule flags and the version before does not, drawn at random, with all their columns.

    Raises:
        Invalid: as `backtest`.
    """
    where = f"({to_duckdb(rule.effective)})"
    if before is not None:
        where += f" AND NOT coalesce({to_duckdb(before.effective)}, FALSE)"
    query = (
        f"SELECT * FROM (SELECT * FROM read_parquet($files) WHERE {where})"  # noqa: S608 (as above)
        f" USING SAMPLE reservoir({min(limit, MAX_SAMPLE):d} ROWS) REPEATABLE ({seed:d})"
    )
    import duckdb  # noqa: PLC0415 (only who evaluates tables needs it)

    with connection(threads=1) as database:
        try:
            asked = database.execute(query, {"files": _named(files)})
            names = [each[0] for each in asked.description or ()]
            return tuple(dict(zip(names, values, strict=True)) for values in asked.fetchall())
        except duckdb.Error as error:
            raise Invalid("watch.backtest_unreadable", problem=str(error)[:300]) from error


def _asked(database: duckdb.DuckDBPyConnection, query: str, files: str | Sequence[str]) -> tuple[Any, ...]:
    import duckdb  # noqa: PLC0415 (as above)

    try:
        return database.execute(query, {"files": _named(files)}).fetchall()[0]
    except duckdb.Error as error:
        raise Invalid("watch.backtest_unreadable", problem=str(error)[:300]) from error


def _named(files: str | Sequence[str]) -> list[str]:
    return [files] if isinstance(files, str) else list(files)
