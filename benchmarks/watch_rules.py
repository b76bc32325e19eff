"""Rules over history: ten million rows and twenty rules as the back-test counts them, beside plain Python.

Rows are made by arithmetic from their numbers (no chance, the same every time), as result files of scans are: every
feature a column, parts of a million. Half of the rules are drawn from those that ship, half are of the benchmark, so
that every kind of condition is asked. Counting is measured from the files to the counts; making them is not.

Run: ./run bench watch_rules [--json] [--quick]        (--quick: a tenth of the rows)
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from chopmark.watch.features import FEATURES
from chopmark.watch.rules.backtest import backtest
from chopmark.watch.rules.language import parse
from chopmark.watch.rules.rule import Rule, RuleSet, default, in_state, rule_set
from chopmark.watch.rules.run import connection

ROWS, PART, RULES, THREADS = 10_000_000, 1_000_000, 20, 2
PLAIN = 20_000
Line = dict[str, object]

MORE = (
    "contains(category, 'Shoes') AND price < 5000",
    "price BETWEEN 1 AND 999 AND NOT licensed",
    "currency NOT IN ('CNY', 'USD') AND seller_days < 7",
    "starts_with(category, 'Toys') AND (replica_words >= 1 OR disguised)",
)


def main() -> None:
    """Print a table, or one JSON object a line."""
    for line in measure(quick="--quick" in sys.argv[1:]):
        if "--json" in sys.argv[1:]:
            print(json.dumps(line), flush=True)
        else:
            beside = "{peer_value} {peer} ({ratio} x)".format(**line) if line["peer"] else ""
            print("{name:62} {value:>12} {unit:8} {beside}".format(beside=beside, **line), flush=True)


def measure(*, quick: bool = False) -> Iterator[Line]:
    """All lines, as they are measured."""
    count = ROWS // 10 if quick else ROWS
    rules = _rules()
    with tempfile.TemporaryDirectory() as folder:
        files = _rows(Path(folder), count)
        wall, cpu = time.perf_counter(), time.process_time()
        counts = backtest(files, rules.rules, threads=THREADS)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        flagged = sum(each.flagged for each in counts)
        naive, plain = _plain(files, rules)
        named = f"back-test, {count:,} rows x {len(rules.rules)} rules"
        yield _line(f"{named}: wall, {THREADS} threads", round(wall, 2), "s")
        yield _line(f"{named}: CPU", round(cpu, 2), "s")
        yield _line(f"{named}: rows a CPU-second", round(count / cpu), "/s", "plain Python", round(naive))
        before = {each.id: _tighter(each) for each in rules.rules}
        cpu = time.process_time()
        compared = backtest(files, rules.rules, before=before, threads=THREADS)
        yield _line(f"{named}, against another version of each: CPU", round(time.process_time() - cpu, 2), "s")
        if sum(each.flagged for each in compared) != flagged:
            raise SystemExit("beside other versions rules flag something else")
        first = str(Path(folder) / "first.parquet")
        pq.write_table(pq.read_table(min(Path(folder).iterdir())).slice(0, PLAIN), first)
        if sum(each.flagged for each in backtest(first, rules.rules, threads=THREADS)) != plain:
            raise SystemExit("tables and rows disagree")


def _rules() -> RuleSet:
    """Those that ship and as many more as make twenty, all live."""
    shipped = default().rules
    more = [
        Rule(id=f"more-{at}", zh="更多", en="more", reason="counterfeit", condition=parse(text), action="review")
        for at, text in enumerate(MORE[: RULES - len(shipped)])
    ]
    return rule_set(in_state(each, "live") for each in (*shipped, *more))


def _tighter(rule: Rule) -> Rule:
    condition = parse(f"({rule.condition.text}) AND seller_days >= 90")
    return Rule(id=rule.id, zh=rule.zh, en=rule.en, reason=rule.reason, condition=condition, action=rule.action)


def _rows(folder: Path, count: int) -> str:
    """Result files, every feature a column; each column has its own arithmetic."""
    texts = {
        "marketplace": ("demo", "shop"),
        "category": ("Shoes > Running", "Bags", "Toys > Dolls", "Phones > Cases", "手表"),
        "currency": ("CNY", "CNY", "USD", "EUR"),
        "view": ("exact", "exact", "exact", "canonical", "folded", "letters", "near", "glued", "pinyin", ""),
        "field": ("title", "title", "brand", "description"),
        "picture_stage": (*[""] * 17, "same", "codes", "features"),
    }
    columns = []
    for at, (name, each) in enumerate(FEATURES.items()):
        draw = f"(hash(i * 64 + {at}) >> 8)"
        match each.kind:
            case "text" if name in texts:
                listed = ", ".join(f"'{value}'" for value in texts[name])
                value = f"[{listed}][1 + ({draw} % {len(texts[name])})::INT]"
            case "text":
                value = f"'{name[0]}-' || ({draw} % 100000)"
            case "boolean":
                value = f"CASE WHEN {each.neutral is None} AND {draw} % 7 = 0 THEN NULL ELSE {draw} % 11 = 0 END"
            case "integer":
                value = (
                    f"CASE WHEN {draw} % 3 = 0 THEN ({draw} % 1001)::BIGINT ELSE {int(each.neutral or 0)}::BIGINT END"
                )
            case "real":
                value = f"CASE WHEN {draw} % 5 = 0 THEN NULL ELSE ({draw} % 1600)::DOUBLE / 400 - {2 * (at % 2)} END"
        columns.append(f'{value} AS "{name}"')
    with connection(threads=THREADS) as database:
        for part in range(count // PART):
            rows = f"SELECT {', '.join(columns)} FROM range({part * PART}, {(part + 1) * PART}) AS t(i)"  # noqa: S608 (constants of this file)
            database.execute(f"COPY ({rows}) TO '{folder}/part-{part:02}.parquet' (COMPRESSION zstd)")
    return f"{folder}/*.parquet"


def _plain(files: str, rules: RuleSet) -> tuple[float, int]:
    """Rows a second in plain Python, and how often rules fire on the first ones."""
    first = min(Path(files).parent.iterdir())
    rows = pq.read_table(first).slice(0, PLAIN).to_pylist()
    cpu = time.process_time()
    total = sum(each.fires(row) for row in rows for each in rules.rules)
    return len(rows) / (time.process_time() - cpu), total


def _line(name: str, value: float, unit: str, peer: str = "", peer_value: float = 0.0) -> Line:
    ratio = round(value / peer_value, 3) if peer and peer_value else None
    beside = peer_value if peer else None
    return {"name": name, "value": value, "unit": unit, "peer": peer, "peer_value": beside, "ratio": ratio}


if __name__ == "__main__":
    main()
