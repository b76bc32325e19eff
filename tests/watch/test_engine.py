"""The engine on one machine: plans, partitions, manifests, hostile files; kills are in `tests/crash`."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet
from world import scans

from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.watch.engine import manifest, plan, reading
from chopmark.watch.engine import run as running
from chopmark.watch.engine.manifest import Done, Failed
from chopmark.watch.engine.plan import Plan
from chopmark.watch.engine.run import Progress, Scan, run
from chopmark.watch.engine.schema import LISTINGS, RESULTS, listings_of, results_of, results_table, table_of
from chopmark.watch.engine.score_partition import candidates, is_of_interest, nameless, readable_text, sieve
from chopmark.watch.engine.work import Worker, read
from chopmark.watch.listing import Listing, clean
from chopmark.watch.results import Result, Total, check, is_sampled, leaf


def a_scan(tmp_path: Path, *, files: int = 2, rows: int = 250, size: int = 100, **said: object) -> Scan:
    paths = scans.stock(tmp_path / "stock", files=files, rows=rows, group=60)
    values = {
        "folder": tmp_path / "scan",
        "files": paths,
        "marks": "m" * 64,
        "rules": scans.RULES,
        "opener": scans.OPENER,
        "argument": "{}",
        "processes": 1,
        "size": size,
        "sample": 1_000_000,
    }
    return Scan(**{**values, **said})  # type: ignore[arg-type]


def in_this_process(scan: Scan, monkeypatch: pytest.MonkeyPatch, *, order: int | None = None) -> None:
    """What Daft does, without its processes: the same worker, partition by partition, in any order."""

    def lines(of: Scan, made: Plan, left: list[int]) -> object:
        worker = Worker(made.encode(), str(of.folder))
        shuffled = list(left)
        if order is not None:
            random.Random(order).shuffle(shuffled)  # noqa: S311 (an order, made again with the same number)
        yield from map(worker.work, shuffled)

    monkeypatch.setattr(running, "_lines", lines)


def expected(count: int) -> list[tuple[str, str, str]]:
    """The plain way: every listing judged alone."""
    judge = scans.open_bench("").judge
    return [
        (each.item, verdict.right, verdict.decided.measure) for each in scans.listings(count) for verdict in judge(each)
    ]


def found_by(folder: Path) -> list[tuple[str, str, str]]:
    done = reading.parts(folder)
    rows = [row for index in sorted(done) for row in reading.rows(folder, done[index])]
    return [(each.item, each.verdict.right, each.verdict.decided.measure) for each in rows]


# ---- the whole way ---------------------------------------------------------------------------------------------------


def test_daft_carries_a_scan_to_its_end(tmp_path: Path) -> None:
    """In a process of its own: what Daft leaves open there is no matter of this one."""
    scan = a_scan(tmp_path, files=1, stock=True)
    seen = scans.drive(scan)
    assert [each["done"] for each in seen] == [0, 1, 2, 3]
    assert {each["counted"] for each in seen} == {None}
    assert seen[0]["remaining"] is None
    assert seen[-1]["remaining"] == 0
    total = Total.parse((scan.folder / "total.json").read_bytes())
    assert (total.partitions, total.listings, total.results, total.refused) == (3, 250, 25, 0)
    assert found_by(scan.folder) == expected(250)
    assert len(list((scan.folder / "stock").iterdir())) == 3
    assert run(scan) == total


def test_a_scan_finds_what_judging_each_alone_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = set()
    for order in (None, 1, 2):
        scan = replace(a_scan(tmp_path), folder=tmp_path / f"scan-{order}")
        in_this_process(scan, monkeypatch, order=order)
        total = run(scan)
        assert total is not None
        whole = scans.listings(250) + scans.listings(250, first=250)
        judge = scans.open_bench("").judge
        assert found_by(scan.folder) == [
            (each.item, verdict.right, verdict.decided.measure) for each in whole for verdict in judge(each)
        ]
        roots.add((total.listings, total.results, total.hits))
    assert len(roots) == 1


def test_any_row_is_proven_under_the_root_of_the_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = a_scan(tmp_path)
    in_this_process(scan, monkeypatch)
    with pytest.raises(FileNotFoundError):
        reading.proof(scan.folder, 0, 0)
    total = run(scan)
    assert total is not None
    done = reading.parts(scan.folder)
    for index, each in done.items():
        for row, result in enumerate(reading.rows(scan.folder, each)):
            said, part = check(reading.proof(scan.folder, index, row), total)
            assert (said["item"], said["right"]) == (result.item, result.verdict.right)
            assert part == each.part
    with pytest.raises(Invalid):
        reading.proof(scan.folder, 0, 999)
    with pytest.raises(Invalid):
        reading.proof(scan.folder, 999, 0)


def test_a_stopped_scan_goes_on_and_ends_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = a_scan(tmp_path)
    in_this_process(scan, monkeypatch, order=3)
    assert run(scan, stop=lambda: True) is None
    assert len(reading.parts(scan.folder)) == 1
    with pytest.raises(Refused, match=r"watch\.scan_unfinished"):
        reading.proof(scan.folder, 0, 0)
    total = run(scan)
    assert total is not None
    assert total.listings == 500
    assert sorted(found_by(scan.folder)) == sorted(expected_of_both())


def expected_of_both() -> list[tuple[str, str, str]]:
    judge = scans.open_bench("").judge
    whole = scans.listings(250) + scans.listings(250, first=250)
    return [(each.item, verdict.right, verdict.decided.measure) for each in whole for verdict in judge(each)]


def test_a_torn_line_and_a_lost_file_are_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = a_scan(tmp_path)
    in_this_process(scan, monkeypatch)
    total = run(scan)
    lines = (scan.folder / "manifest.jsonl").read_bytes()
    (scan.folder / "manifest.jsonl").write_bytes(lines[:-40])
    assert len(reading.parts(scan.folder)) == 5
    (scan.folder / "results" / "part-000002.parquet").unlink()
    (scan.folder / "results" / ".part-000001.parquet.host.1").write_bytes(b"half a file")
    assert run(scan) == total
    assert len(reading.parts(scan.folder)) == 6
    assert sorted(each.name for each in (scan.folder / "results").iterdir()) == [
        f"part-{at:06d}.parquet" for at in range(6)
    ]


def test_two_drivers_never_share_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = a_scan(tmp_path)
    in_this_process(scan, monkeypatch)
    refused = []

    def second(_: Progress) -> None:
        with pytest.raises(Refused, match=r"watch\.scan_running"):
            run(scan)
        refused.append(True)

    run(scan, progress=second)
    assert refused


@pytest.mark.parametrize("changed", ["marks", "rules", "marketplace", "size", "stock", "descriptions", "sample"])
def test_a_scan_does_not_go_on_with_other_things_than_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    scan = a_scan(tmp_path)
    in_this_process(scan, monkeypatch)
    run(scan, stop=lambda: True)
    other = {
        "marks": "n" * 64,
        "rules": "s" * 64,
        "marketplace": "demo",
        "size": 7,
        "stock": True,
        "descriptions": False,
        "sample": 5,
    }
    with pytest.raises(Refused, match=r"watch\.scan_changed"):
        run(replace(scan, **{changed: other[changed]}))  # type: ignore[arg-type]


def test_a_scan_does_not_go_on_over_changed_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = a_scan(tmp_path)
    in_this_process(scan, monkeypatch)
    run(scan, stop=lambda: True)
    os.utime(scan.files[0], ns=(1, 1))
    with pytest.raises(Refused, match=r"watch\.scan_changed"):
        run(scan)
    Path(scan.files[0]).unlink()
    with pytest.raises(Refused, match=r"watch\.scan_changed"):
        run(scan)


def test_files_of_what_is_done_may_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan that was killed after its last partition once failed when a file was taken away meanwhile."""
    scan = a_scan(tmp_path)
    in_this_process(scan, monkeypatch)
    total = run(scan)
    (scan.folder / "total.json").unlink()
    Path(scan.files[0]).unlink()
    assert run(scan) == total


def test_a_file_that_is_exchanged_while_the_scan_runs_is_not_what_was_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = a_scan(tmp_path)
    in_this_process(scan, monkeypatch)

    def exchange(told: Progress) -> None:
        if told.done == 1:
            os.utime(scan.files[1], ns=(1, 1))

    with pytest.raises(Unavailable, match=r"watch\.scan_incomplete.*watch\.scan_changed"):
        run(scan, progress=exchange)
    assert len(reading.parts(scan.folder)) == 3


def test_a_bench_with_other_marks_than_planned_is_refused(tmp_path: Path) -> None:
    scan = replace(a_scan(tmp_path), marks="n" * 64)
    made = running._planned(prepared(scan))
    with pytest.raises(Invalid, match=r"watch\.plan_other"):
        Worker(made.encode(), str(scan.folder))


def prepared(scan: Scan) -> Scan:
    scan.folder.mkdir(parents=True, exist_ok=True)
    return scan


# ---- hostile files ---------------------------------------------------------------------------------------------------


def test_a_file_that_is_no_parquet_is_refused_before_the_scan(tmp_path: Path) -> None:
    scan = a_scan(tmp_path)
    (tmp_path / "stock" / "bad.parquet").write_bytes(b"PAR1 no PAR1")
    with pytest.raises(Invalid, match=r"watch\.file_unreadable"):
        run(replace(scan, files=[str(tmp_path / "stock" / "*.parquet")]))
    assert not (scan.folder / "plan.json").exists()


def test_a_file_without_the_columns_is_refused_before_the_scan(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    parquet.write_table(pa.table({"item": ["1"], "title": ["Nike"]}), path)
    with pytest.raises(Invalid, match=r"watch\.scan_columns.*seller"):
        run(replace(a_scan(tmp_path), files=[str(path)]))


def test_no_file_is_no_scan(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"watch\.scan_empty"):
        run(replace(a_scan(tmp_path), files=[str(tmp_path / "none" / "*.parquet")]))


def test_a_spoiled_part_is_told_and_all_others_are_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = a_scan(tmp_path)
    path = Path(scan.files[0])
    good = path.read_bytes()
    first = parquet.read_metadata(path).row_group(0).column(4)
    start = first.data_page_offset
    spoiled = good[:start] + bytes(len(good[start : start + 60])) + good[start + 60 :]
    path.write_bytes(spoiled)
    kept = path.stat()
    in_this_process(scan, monkeypatch)
    with pytest.raises(Unavailable, match=r"watch\.scan_incomplete.*watch\.file_unreadable"):
        run(scan)
    assert len(reading.parts(scan.folder)) == 5
    path.write_bytes(good)
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    total = run(scan)
    assert total is not None
    assert total.listings == 500


def test_altered_results_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = a_scan(tmp_path)
    in_this_process(scan, monkeypatch)
    run(scan)
    done = reading.parts(scan.folder)[0]
    path = scan.folder / "results" / done.file
    table = parquet.ParquetFile(path).read()
    scores = table.schema.get_field_index("score")
    parquet.write_table(table.set_column(scores, table.field(scores), pa.array([5] * len(table), pa.int64())), path)
    with pytest.raises(Invalid, match=r"watch\.results_malformed"):
        reading.rows(scan.folder, done)
    parquet.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(Invalid, match=r"watch\.results_malformed"):
        reading.rows(scan.folder, done)
    path.write_bytes(b"nothing")
    with pytest.raises(Invalid, match=r"watch\.results_malformed"):
        reading.rows(scan.folder, done)


HOSTILE = [
    {"item": None, "seller": "s", "title": "Nike"},
    {"item": "a", "seller": "", "title": "Nike"},
    {"item": "a\u200bb", "seller": "s", "title": "Nike"},
    {"item": "x" * 201, "seller": "s", "title": "Nike"},
    {"item": "编号", "seller": "s", "title": "Nike", "version": -4},
    {"item": "编号", "seller": "s", "title": "Nike"},
    {"item": "long", "seller": "s", "title": "\u200b" * 5_000 + " Nike"},
    {"item": "end", "seller": "s", "title": "x " * 100_000 + "Nike"},
    {"item": "bell", "seller": "s", "title": "Ni\x07ke Nike"},
    {"item": "none", "seller": "s", "title": None},
    {"item": "brand", "seller": "s", "title": "shoes", "brand": "NIKE"},
    {"item": "text", "seller": "s", "title": "shoes", "description": "like Nike"},
    {"item": "same", "seller": "s", "title": "Nike", "version": 1},
    {"item": "same", "seller": "s", "title": "Nike", "version": 1},
]


@pytest.mark.parametrize("descriptions", [True, False])
def test_the_sieve_lets_through_all_that_the_judge_would_find(*, descriptions: bool) -> None:
    bench = scans.open_bench("")
    table = pa.Table.from_pylist(HOSTILE, schema=LISTINGS)
    scored = candidates(table, bench, marketplace="demo", descriptions=descriptions, sample=everything)
    plainly, refused = [], 0
    for raw in HOSTILE:
        said = raw if descriptions else {**raw, "description": None}
        try:
            listing = clean(said, marketplace="demo", classes_of=bench.classes_of)
        except Invalid:
            refused += 1
            continue
        plainly += [Result.of(listing, each) for each in bench.judge(listing, bench.signals(listing))]
    assert list(scored.results) == plainly
    assert scored.refused == refused == 5
    assert ("text" in {each.item for each in scored.results}) == descriptions


def test_rows_without_identity_are_counted_whatever_the_columns_are() -> None:
    assert nameless(pa.Table.from_pylist([], schema=LISTINGS)) == 0
    odd = pa.table({"item": [1, 2, None], "seller": ["s", "s", "s"], "title": ["a", "b", "c"]})
    assert nameless(odd, "demo") == 1
    assert nameless(odd) == 3  # nobody says which marketplace
    versions = pa.table({"item": ["1"] * 4, "seller": ["s"] * 4, "title": ["t"] * 4, "version": ["1", "x", None, "-1"]})
    assert nameless(versions, "demo") == 2
    places = pa.table(
        {"item": ["1"] * 3, "seller": ["s"] * 3, "title": ["t"] * 3, "marketplace": ["demo", "other", None]}
    )
    assert nameless(places, "demo") == 1
    assert nameless(places) == 1


def test_text_that_is_no_utf8_is_repaired_and_flagged() -> None:
    data = pa.py_buffer(b"Nike \xff\xfe")
    offsets = pa.py_buffer(b"".join(each.to_bytes(4, "little") for each in (0, 7)))
    broken = pa.StringArray.from_buffers(1, offsets, data)
    table = pa.table({"item": ["1"], "seller": ["s"], "title": broken})
    found = candidates(readable_text(table), scans.open_bench(""), marketplace="demo", sample=everything).results
    assert len(found) == 1
    assert found[0].verdict.row["flags"] == 3  # broken_encoding, price_missing, category_unknown


def test_a_slice_of_a_file_is_read_whatever_its_groups_are(tmp_path: Path) -> None:
    path = Path(scans.stock(tmp_path, files=1, rows=100, group=7)[0])
    for start, rows in ((0, 100), (0, 1), (6, 2), (7, 7), (13, 30), (99, 1)):
        assert read(path, start, rows).column("item").to_pylist() == [f"i{at}" for at in range(start, start + rows)]
    with pytest.raises(Invalid, match=r"watch\.file_unreadable"):
        read(path, 90, 20)


# ---- forms -----------------------------------------------------------------------------------------------------------


def test_listings_are_the_same_after_columns() -> None:
    listings = [*scans.listings(20), full_listing()]
    assert list(listings_of(table_of(listings))) == listings


def full_listing() -> Listing:
    return clean(
        {
            "item": "full",
            "seller": "s",
            "title": "Nike 鞋",
            "description": "d",
            "brand": "b",
            "price": "12.5",
            "currency": "EUR",
            "classes": [9, 25],
            "territories": ["DE"],
            "pictures": [{"url": "https://a.example.com/1", "sha256": "ab" * 32}],
            "gtin": "4006381333931",
            "stock": 3,
            "contact": ["x"],
            "listed_at": "2026-11-01T00:00:00Z",
        },
        marketplace="demo",
    )


def test_rows_that_are_no_listings_are_told_or_raised() -> None:
    table = pa.table({"item": ["1", None], "seller": ["s", "s"], "title": ["t", "t"]})
    told: list[tuple[int, str]] = []
    good = listings_of(table, marketplace="demo", refuse=lambda place, why: told.append((place, why.code)))
    assert [each.item for each in good] == ["1"]
    assert told == [(1, "watch.listing_item")]
    with pytest.raises(Invalid, match=r"watch\.listing_item"):
        list(listings_of(table, marketplace="demo"))


def test_results_are_the_same_after_columns() -> None:
    bench = scans.open_bench("")
    results = list(candidates(table_of(scans.listings(200)), bench, sample=everything).results)
    salts = [bytes([at]) * 16 for at in range(len(results))]
    table = results_table(results, salts)
    assert table.schema == RESULTS
    again = list(results_of(table))
    assert [leaf(each, salt=salt) for each, salt in again] == [
        leaf(each, salt=salt) for each, salt in zip(results, salts, strict=True)
    ]
    assert [each for each, _ in again] == results


def test_plans_print_back_and_hide_their_secret(tmp_path: Path) -> None:
    made = running._planned(prepared(a_scan(tmp_path)))
    assert Plan.parse(made.encode()) == made
    assert made.listings == 500
    assert [(each.start, each.rows) for each in made.tasks] == [(0, 100), (100, 100), (200, 50)] * 2
    assert made.digest == replace(made).digest != replace(made, secret=b"t" * 32).digest
    for old, new in (
        (b'"size":100', b'"size":0'),
        (b'"size":100', b'"size":"100"'),
        (b'"stock":false', b'"stock":0,"more":1'),
        (b'plan-v1"', b'plan-v2"'),
        (b'"sources":[[', b'"sources":[[1,'),
    ):
        assert old in made.encode()
        with pytest.raises(Invalid):
            Plan.parse(made.encode().replace(old, new))


def test_more_partitions_than_a_plan_holds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "MAX_PARTITIONS", 5)
    with pytest.raises(Refused, match=r"watch\.scan_too_large"):
        run(a_scan(tmp_path))


def test_lines_of_a_manifest_print_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = a_scan(tmp_path)
    in_this_process(scan, monkeypatch)
    run(scan)
    for line in (scan.folder / "manifest.jsonl").read_bytes().splitlines():
        entry = manifest.parse(line)
        assert isinstance(entry, Done)
        assert entry.counts["review"] == entry.part.hits == entry.counts[f"fired:replica:{'1' * 64}"]
        assert entry.counts["sifted"] == entry.counts[f"asked:replica:{'1' * 64}"] == entry.part.results
        asked, fired, alone = (entry.counts[f"{what}:try:{'2' * 64}"] for what in ("asked", "fired", "alone"))
        assert 0 <= alone <= fired < asked == entry.part.results
        for bad in (line.replace(b'"size":', b'"size": '), line.replace(b'{"counts"', b'{"count"'), b"[]"):
            with pytest.raises(Invalid):
                manifest.parse(bad)
    assert manifest.parse(Failed(index=3, code="a.b").line()) == Failed(index=3, code="a.b")


def test_a_line_altered_in_the_middle_stops_the_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = a_scan(tmp_path)
    in_this_process(scan, monkeypatch)
    run(scan)
    path = scan.folder / "manifest.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"milliseconds":', b'"milliseconds": ', 1))
    with pytest.raises(Invalid):
        run(scan)


def test_the_sieve_knows_listings_with_fingerprints() -> None:
    table = pa.table({"item": ["1", "2"], "seller": ["s"] * 2, "title": ["a", "b"], "fingerprints": [[], [b"x"]]})
    assert sieve(table, scans.open_bench("")) == {1: []}
    assert sieve(table.slice(0, 1), scans.open_bench("")) == {}


def test_rows_on_which_no_rule_fires_are_kept_for_a_sample_alone() -> None:
    table = table_of(scans.listings(3_000))
    every = candidates(table, scans.open_bench(""), sample=everything)
    some = candidates(table, scans.open_bench(""), sample=lambda item: is_sampled(b"s" * 32, item, 100_000))
    none = candidates(table, scans.open_bench(""))
    assert every.counts == some.counts == none.counts
    assert [each for each in every.results if is_of_interest(each.verdict)] == list(none.results)
    assert 100 < len(none.results) < len(some.results) < len(every.results) == 300
    drawn = {each.item for each in some.results} - {each.item for each in none.results}
    assert {item for item in drawn if is_sampled(b"t" * 32, item, 100_000)} != drawn


def everything(_: str) -> bool:
    return True


def test_the_libraries_of_scans_report_to_nobody() -> None:
    """Daft sends a message to its makers when it is imported, unless it is told not to before."""
    program = (
        "import os, sys, chopmark.watch.engine.run; assert 'daft' not in sys.modules and 'pyarrow' not in sys.modules; "
        "import urllib.request; urllib.request.urlopen = lambda *_, **__: os._exit(3); "
        "import daft; from daft import scarf_telemetry as told; "
        "sys.exit(0 if told.opted_out() else 4)"
    )
    plain = {name: value for name, value in os.environ.items() if name not in QUIET}
    assert subprocess.run([sys.executable, "-c", program], check=False, env=plain).returncode == 0


QUIET = ("DO_NOT_TRACK", "SCARF_NO_ANALYTICS", "DAFT_ANALYTICS_ENABLED")
