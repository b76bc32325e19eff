"""Trusted titles teach how distinctive marks are: which, by whom, and what a person said stays."""

from __future__ import annotations

import pytest
from world.market import raw

from chopmark.base.errors import Invalid, Refused
from chopmark.watch.actions.markset import describe_mark, follow_rights, in_use, read_marks
from chopmark.watch.actions.teach import Taught, read_titles, teach_marks
from chopmark.watch.models import Hit, MarkNote
from chopmark.watch.text.learn import SEVERAL


def _distinctiveness(market):
    follow_rights(market.world.now())
    [mark] = read_marks(in_use().version).marks
    return mark.distinctiveness


COMMON = [(f"red lantern lamp by {brand}", brand) for brand in ("Acme", "Bolt", "Corvo", "Dentro", "Ergo", "Fenno")]


def test_a_name_in_titles_of_many_brands_becomes_a_common_one(market):
    assert _distinctiveness(market) == SEVERAL
    assert teach_marks(COMMON, by=market.mei.actor, at=market.world.now()) == Taught(titles=6, marks=1)
    assert _distinctiveness(market) < 300


def test_its_own_titles_make_it_surer_and_what_was_said_is_kept(market):
    describe_mark(market.right.id, aliases=["红灯笼"], near=True, by=market.mei.actor, at=market.world.now())
    follow_rights(market.world.now())
    assert (
        teach_marks([("Red Lantern desk lamp", "Red Lantern")], by=market.mei.actor, at=market.world.now()).marks == 1
    )
    assert _distinctiveness(market) > SEVERAL
    note = MarkNote.objects.get()
    assert (note.aliases, note.near) == (["红灯笼"], True)
    describe_mark(market.right.id, distinctiveness=990, by=market.mei.actor, at=market.world.now())
    follow_rights(market.world.now())
    assert teach_marks(COMMON, by=market.mei.actor, at=market.world.now()).marks == 0
    assert _distinctiveness(market) == 990


def test_nobody_teaches_of_the_marks_of_others(market):
    follow_rights(market.world.now())
    assert teach_marks(COMMON, by=market.jo.actor, at=market.world.now()) == Taught(titles=6, marks=0)
    viewer = market.world.person("Vera", role="viewer", of=market.mei)
    with pytest.raises(Refused, match=r"people\.not_allowed"):
        teach_marks(COMMON, by=viewer.actor, at=market.world.now())
    assert not MarkNote.objects.exists()


def test_what_is_scanned_however_often_lowers_no_mark(market):
    """Poisoning: who repeats a name in listings does not make it common."""
    before = _distinctiveness(market)
    for at in range(3):
        market.push(*(raw(str(each), title="R3D LANTERN lamp red lantern", version=at) for each in range(10)))
        market.work()
    assert Hit.objects.exists()
    assert _distinctiveness(market) == before


def test_a_lesson_is_a_table_of_titles_and_brands(tmp_path):
    good = tmp_path / "good.csv"
    good.write_text('\ufeffbrand,title,price\nAcme,red lamp,3\n,nobody\'s,1\nBolt,"a, b",2\n', "utf-8")
    assert list(read_titles(good)) == [("red lamp", "Acme"), ("a, b", "Bolt")]
    bad = {
        "columns": b"a,b\n1,2\n",
        "bytes": b"title,brand\n\xff\xfe,x\n",
        "long": b"title,brand\n" + b"x" * 200_000,
    }
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(Invalid, match=r"watch\.lesson_malformed"):
            list(read_titles(tmp_path / name))
    with pytest.raises(Invalid, match=r"watch\.lesson_malformed"):
        list(read_titles(tmp_path / "none.csv"))
