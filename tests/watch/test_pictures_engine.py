"""Pictures in a scan: looked at before a partition is scored, and a listing that shows a protected one is judged."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date

import pyarrow as pa
import pytest
from watch.test_pictures import WORK, protected
from world import media

from chopmark.base.errors import Invalid
from chopmark.watch import marks, pictures
from chopmark.watch.engine.bench import Setting, open_bench
from chopmark.watch.engine.score_partition import Looks, candidates
from chopmark.watch.rules.rule import default, encode_rules, in_state, rule_set

COPY = media.jpeg(media.picture(1)[:, ::-1], 60)
OTHER = media.jpeg(media.picture(50))


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scan")
    (folder / "marks").write_bytes(marks.encode(marks.mark_set([])))
    live = rule_set(in_state(each, "live") for each in default().rules)
    (folder / "rules").write_bytes(encode_rules(live))
    (folder / "pictures").write_bytes(pictures.encode(protected()))
    (folder / "shown").mkdir()
    for each in (COPY, OTHER):
        (folder / "shown" / hashlib.sha256(each).hexdigest()).write_bytes(each)
    return Setting(
        marks=folder / "marks",
        rules=folder / "rules",
        on=date(2026, 11, 22),
        pictures=folder / "pictures",
        folder=folder / "shown",
    )


def table() -> pa.Table:
    shown = {"copy": [OTHER, COPY], "other": [OTHER], "none": []}
    return pa.table(
        {
            "item": list(shown),
            "seller": ["s"] * 3,
            "title": ["lamp"] * 3,
            "pictures": [
                [{"url": "", "sha256": hashlib.sha256(each).digest()} for each in several] for several in shown.values()
            ],
        }
    )


def test_a_copy_in_a_partition_is_a_result_of_its_work_and_other_listings_are_sifted_out(setting):
    bench = open_bench(setting.encode())
    assert isinstance(bench, Looks)
    scored = candidates(bench.looked(table()), bench, marketplace="demo")
    assert scored.sifted == 1
    [result] = scored.results
    [hit] = result.verdict.pictures
    assert (result.item, hit.work, hit.picture, hit.stage) == ("copy", WORK, 1, "codes")
    assert (result.verdict.organisation, result.verdict.row["copied_photo"]) == ("o1", True)
    assert result.verdict.decided.measure != "none"
    assert bench.looked(bench.looked(table())).equals(bench.looked(table()))


def test_without_a_folder_or_a_column_nothing_is_looked_at(setting):
    plain = table()
    assert open_bench(replace(setting, folder=None).encode()).looked(plain) is plain
    assert open_bench(setting.encode()).looked(plain.drop(["pictures"])).column_names == ["item", "seller", "title"]


def test_a_setting_prints_back_and_a_damaged_set_is_refused(setting, tmp_path):
    assert Setting.parse(setting.encode()) == setting
    (tmp_path / "broken").write_bytes(b"x")
    for path in (tmp_path / "broken", tmp_path / "missing"):
        with pytest.raises(Invalid, match=r"watch\.pictures_malformed"):
            open_bench(replace(setting, pictures=path).encode())
