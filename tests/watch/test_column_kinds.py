"""Files whose columns are of kinds that nobody expects: each row is judged as far as it can be, and no scan dies."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from chopmark.watch.engine import census, manifest, plan, work
from chopmark.watch.engine.bench import CENSUS, OPENER, Setting
from chopmark.watch.engine.manifest import Done
from chopmark.watch.engine.schema import FINGERPRINTS, LISTINGS, OTHER_NAMES
from chopmark.watch.marks import Mark, encode, mark_set
from chopmark.watch.pictures import encode as encode_pictures
from chopmark.watch.pictures import picture_set
from chopmark.watch.reading import cleaned
from chopmark.watch.rules.rule import default, encode_rules, in_state, rule_set

MARKS = mark_set([Mark(id=0, right="r", number="R-2026-000001", organisation="o", text="Nike", classes=("25",))])
RULES = rule_set(in_state(each, "live") for each in default().rules)
PLAIN = {"item": ["1", "2"], "seller": ["a", "b"], "title": ["Nike shoes", "x"]}
KINDS = {
    "integers": pa.array([5, 6]),
    "fractions": pa.array([1.5, float("nan")]),
    "truths": pa.array([True, False]),
    "nothing": pa.nulls(2),
    "decimals": pa.array([1, 2], pa.decimal128(5, 2)),
    "large numbers": pa.array([2**64 - 1, 1], pa.uint64()),
    "days": pa.array([date(2026, 1, 1), None]),
    "nanoseconds": pa.array([1, 2], pa.timestamp("ns")),
    "durations": pa.array([1, 2], pa.duration("s")),
    "times of day": pa.array([1, 2], pa.time64("us")),
    "words": pa.array(["v1", "x"]),
    "large text": pa.array(["Nike", "x"], pa.large_string()),
    "views of text": pa.array(["Nike", "x"], pa.string_view()),
    "numbered text": pa.array(["Nike", "x"]).dictionary_encode(),
    "bytes": pa.array([b"Nike \xff", b"x"]),
    "bytes of one length": pa.array([b"ab", b"cd"], pa.binary(2)),
    "lists": pa.array([["Nike"], ["b"]]),
    "large lists": pa.array([["Nike"], ["b"]], pa.large_list(pa.large_string())),
    "lists of numbers": pa.array([[1, 2], [3]]),
    "lists of bytes": pa.array([[b"x"], [b"y"]]),
    "lists of structs": pa.array([[{"url": 5, "sha256": 6}], None]),
    "structs": pa.array([{"a": "Nike"}, {"a": "x"}]),
    "maps": pa.array([[("a", "Nike")], []], pa.map_(pa.string(), pa.string())),
}
NAMING = (*PLAIN, "version", "marketplace")
NAMES = (*LISTINGS.names, *OTHER_NAMES, FINGERPRINTS)


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    folder = tmp_path_factory.mktemp("bench")
    (folder / "marks").write_bytes(encode(MARKS))
    (folder / "rules").write_bytes(encode_rules(RULES))
    (folder / "pictures").write_bytes(encode_pictures(picture_set([])))
    return Setting(
        marks=folder / "marks", rules=folder / "rules", on=date(2026, 11, 22), pictures=folder / "pictures", fast=True
    )


def done(folder: Path, setting: Setting, columns: dict[str, object], *, marketplace: str = "demo") -> Done:
    """What both passes make of a file with these columns, as a process of a scan does it."""
    path = folder / "stock.parquet"
    parquet.write_table(pa.table(columns), path)
    planned = plan.make(
        [path],
        marks=MARKS.version,
        rules=RULES.version,
        opener=OPENER,
        argument=setting.encode(),
        secret=bytes(32),
        marketplace=marketplace,
        stock=True,
        census=CENSUS,
    )
    asked = replace(planned, census=CENSUS).encode()
    census.Counter(asked, str(folder)).count(0)
    census.finish(replace(planned, census=CENSUS), folder)
    entry = manifest.parse(work.Worker(asked, str(folder)).work(0))
    assert isinstance(entry, Done), entry
    return entry


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_of_another_kind_costs_nobody_the_scan(tmp_path: Path, setting: Setting, kind: str) -> None:
    for name in NAMING:
        assert done(tmp_path, setting, {**PLAIN, name: KINDS[kind]}).part.listings == 2
    done(tmp_path, setting, {**PLAIN, "marketplace": KINDS[kind]}, marketplace="")
    others = done(tmp_path, setting, {**PLAIN, **{name: KINDS[kind] for name in NAMES if name not in NAMING}})
    assert others.part.refused == 0
    assert others.counts["sifted"] >= 1


@pytest.mark.parametrize("kind", ["large text", "views of text", "numbered text"])
def test_text_is_text_however_wide(tmp_path: Path, setting: Setting, kind: str) -> None:
    assert done(tmp_path, setting, {**PLAIN, "title": KINDS[kind]}).counts["sifted"] == 1


def test_a_marketplace_that_is_a_number_is_another_one(tmp_path: Path, setting: Setting) -> None:
    """Seen at a glance it was once taken for the scan's own, and then not."""
    places = pa.array([5, None])
    assert done(tmp_path, setting, {**PLAIN, "marketplace": places}).part.refused == 1
    assert done(tmp_path, setting, {**PLAIN, "marketplace": places}, marketplace="").part.refused == 2


def test_rows_that_are_read_once_more_are_left_out_alike() -> None:
    """For audits and searches backwards: a marketplace that is a list once ended the taking over of a whole scan."""
    raws = [{"item": str(at), "seller": "s", "title": "t", "marketplace": each} for at, each in enumerate(ODD)]
    assert [each.item for each in cleaned(raws, "demo")] == ["0", "1", "2"]


ODD = ("demo", "", None, ["demo"], {"a": 1}, 5, b"demo", "other")


def test_versions_that_are_words_are_refused_row_by_row(tmp_path: Path, setting: Setting) -> None:
    versions = pa.array(["3", "v1"])
    assert done(tmp_path, setting, {**PLAIN, "version": versions}).part.refused == 1
    held = parquet.read_table(tmp_path / "stock" / "part-000000.parquet")
    assert held.column("version").to_pylist() == [3, None]


def test_long_texts_of_the_wide_kind_are_measured_by_what_they_are(tmp_path: Path) -> None:
    """Each value once, and not the whole dictionary for each row."""
    path = tmp_path / "wide.parquet"
    titles = pa.array([f"{at} " + "x" * 2_000 for at in range(5_000)], pa.large_string())
    parquet.write_table(pa.table({"item": titles, "seller": titles, "title": titles}), path)
    assert work.read(path, 10, 20).column("title").to_pylist() == titles.slice(10, 20).to_pylist()
