"""What rules would have flagged: counts over rows that scans have kept, with the same text that runs live.

    backtest(files, rules)                      Counted for each rule: rows, flagged, of which of licensed sellers
    backtest(files, rules, before=other)        also how many rows each version adds to and takes from another's
    backtest_trials(files, rules)               each trial of a set against the version in force beside it
    sample(files, rule, before=other, ...)      some of the rows that were added, to look at

Reads Parquet files by DuckDB; keeps nothing. A row is a listing with a right, so a listing that shows two marks counts
twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from chopmark.base.errors import Invalid
from chopmark.watch.rules.language import to_duckdb
from chopmark.watch.rules.rule import Rule, RuleSet
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
        total, *found = _asked(database, _query(rules, other), files)
    counts = iter(found)
    made = []
    for each in rules:
        flagged, licensed, alone, added, removed = (int(next(counts)) for _ in range(5))
        made.append(
            Counted(
                rule=each.id,
                version=each.version,
                rows=int(total or 0),
                flagged=flagged,
                licensed=licensed,
                alone=alone,
                added=added,
                removed=removed,
            )
        )
    return tuple(made)


def backtest_trials(files: str | Sequence[str], rules: RuleSet, *, threads: int | None = None) -> tuple[Counted, ...]:
    """Each trial of a set against the version that is live beside it, alone of what is live of other rules.

    Raises:
        Invalid: as `backtest`.
    """
    made = []
    for trial in rules.trials:
        live = {each.id: each for each in rules.rules if each.state == "live"}
        before = {trial.id: live.pop(trial.id)}
        made.append(backtest(files, [trial, *live.values()], before=before, threads=threads)[0])
    return tuple(made)


_BITS: Final = 62  # rules in one whole number of 64 bits


def _query(rules: Sequence[Rule], before: Mapping[str, Rule]) -> str:
    """Rows are first told apart by which rules fire on them, then these kinds of rows are counted.

    CASE asks a condition only of rows on which its first parts hold, which FILTER does not: 4 times as fast. What is
    unknown counts as not fired.
    """
    then = [before.get(each.id) for each in rules]
    now_masks, then_masks = _masks("n", rules), _masks("b", then) if before else []
    masks = [*now_masks, *then_masks]
    total = " + ".join(f"bit_count(n{at})" for at in range(len(now_masks)))
    counts = ["sum(many)"]
    for at, old in enumerate(then):
        now = _bit("n", at)
        added, removed = (f"{now} AND NOT {_bit('b', at)}", f"{_bit('b', at)} AND NOT {now}") if old else (now, "FALSE")
        wanted = (now, f"{now} AND licensed", f"{now} AND fired = 1", added, removed)
        counts += [f"coalesce(sum(many) FILTER (WHERE {each}), 0)" for each in wanted]
    kinds = f"SELECT licensed, {', '.join(masks)}, count(*) AS many FROM read_parquet($files) GROUP BY ALL"  # noqa: S608 (conditions are printed from checked trees, files are bound)
    return f"SELECT {', '.join(counts)} FROM (SELECT *, {total} AS fired FROM ({kinds}))"  # noqa: S608 (as above)


def _masks(name: str, rules: Sequence[Rule | None]) -> list[str]:
    """Columns of bits, one bit a rule."""
    bits = [
        f"CASE WHEN {to_duckdb(each.effective)} THEN {1 << at % _BITS} ELSE 0 END::BIGINT" if each else "0::BIGINT"
        for at, each in enumerate(rules)
    ]
    chunks = [bits[start : start + _BITS] for start in range(0, len(bits), _BITS)]
    return [f"{' | '.join(chunk)} AS {name}{number}" for number, chunk in enumerate(chunks)]


def _bit(name: str, at: int) -> str:
    return f"({name}{at // _BITS} & {1 << at % _BITS} <> 0)"


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
