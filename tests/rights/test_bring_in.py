from __future__ import annotations

from datetime import UTC, datetime

import pytest
from world.clearing_house import ClearingHouse, encoded

from chopmark.base.errors import Invalid, Refused
from chopmark.rights.actions.bring_in import bring_in, bring_in_office
from chopmark.rights.actions.common import Operator
from chopmark.rights.actions.office import office_record
from chopmark.rights.imports import read
from chopmark.rights.models import OfficeRecord
from chopmark.rights.models import Right as RightRow
from chopmark.rights.queries import registry

TABLE = """商标,注册局,注册号,权利人,类别,注册日期,有效期至
红灯笼,CN,10000001,宁波灯笼有限公司,11,2015-03-01,2035-02-28
RED LANTERN,EM,018123456,宁波灯笼有限公司,"11,25",2020-06-01,2030-01-15
BLUE LANTERN,EM,018123457,,11,2020-06-01,2030-01-15
GREEN LANTERN,EM,018123458,宁波灯笼有限公司,99,2020-06-01,2030-01-15
OLD LANTERN,EM,018123459,宁波灯笼有限公司,11,2020-06-01,2019-06-01
RED LANTERN,EM,018123456,宁波灯笼有限公司,11,2020-06-01,2030-01-15
"""


def codes(problems) -> list[str]:
    return [problem.code for problem in problems]


def test_looking_at_a_file_writes_nothing_and_says_what_would_happen(world, mei):
    looked = bring_in(TABLE.encode(), "marks.csv", by=mei.actor, at=world.now())
    assert looked.dry_run
    assert not RightRow.objects.exists()
    assert [(row.where, row.outcome) for row in looked.rows] == [
        ("row 2", "good"),
        ("row 3", "good"),
        ("row 6", "refused"),
        ("row 7", "refused"),
    ]
    assert "rights.dates_contradict" in codes(looked.rows[2].problems)
    assert "rights.filed_twice" in codes(looked.rows[3].problems)
    assert [(problem.where, problem.code) for problem in looked.problems if problem.stops] == [
        ("row 4", "imports.no_owner"),
        ("row 5", "imports.class_refused"),
    ]


def test_what_was_shown_is_what_happens(world, mei):
    looked = bring_in(TABLE.encode(), "marks.csv", by=mei.actor, at=world.now())
    filed = bring_in(TABLE.encode(), "marks.csv", by=mei.actor, at=world.now(), dry_run=False)
    before = [(row.where, {"good": "filed"}.get(row.outcome, row.outcome)) for row in looked.rows]
    assert [(row.where, row.outcome) for row in filed.rows] == before
    numbers = [row.number for row in filed.rows if row.number]
    assert RightRow.objects.count() == len(numbers) == 2
    found = registry.right_of(mei.actor, numbers[0]).right
    assert found.record.mark.verbal == "红灯笼"
    assert found.state == "submitted"


def test_bringing_a_file_in_again_files_nothing_twice(world, mei):
    bring_in(TABLE.encode(), "marks.csv", by=mei.actor, at=world.now(), dry_run=False)
    again = bring_in(TABLE.encode(), "marks.csv", by=mei.actor, at=world.now(), dry_run=False)
    assert again.count("filed") == 0
    assert RightRow.objects.count() == 2
    assert "rights.already_filed" in codes(again.rows[0].problems)


def test_drafts_are_drafts(world, mei):
    bring_in(TABLE.encode(), "marks.csv", by=mei.actor, at=world.now(), dry_run=False, submit=False)
    assert set(RightRow.objects.values_list("state", flat=True)) == {"draft"}


def test_who_may_only_look_may_not_bring_in(world, mei):
    viewer = world.person("Vera", role="viewer", of=mei)
    for dry_run in (True, False):
        with pytest.raises(Refused) as caught:
            bring_in(TABLE.encode(), "marks.csv", by=viewer.actor, at=world.now(), dry_run=dry_run)
        assert caught.value.code == "people.not_allowed"


def test_nobody_brings_in_for_an_organisation_that_gave_no_mandate(world, mei, jo):
    answer = bring_in(
        TABLE.encode(), "marks.csv", by=jo.actor, at=world.now(), dry_run=False, organisation=mei.actor.organisation_id
    )
    assert answer.count("filed") == 0
    assert not RightRow.objects.exists()


def test_a_repeated_row_is_seen_across_batches(world, mei, monkeypatch):
    monkeypatch.setattr("chopmark.rights.actions.file.MAX_BATCH", 2)
    table = "mark,office,registration number,owner,classes\n" + "".join(
        f"A{number % 3},EM,01800000{number % 3},Lantern Ltd,11\n" for number in range(5)
    )
    looked = bring_in(table.encode(), "marks.csv", by=mei.actor, at=world.now())
    assert [row.outcome for row in looked.rows] == ["good", "good", "good", "refused", "refused"]
    assert codes(looked.rows[3].problems) == ["imports.row_repeated"]


def test_a_signed_mark_that_holds_is_filed_and_verified_by_its_signature(world, mei):
    house = ClearingHouse.made()
    data = encoded(house.sign())
    filed = bring_in(data, "mark.smd", by=mei.actor, at=world.now(), dry_run=False, trust=house.trust())
    [row] = filed.rows
    assert filed.signed is not None
    assert (row.outcome, row.level) == ("filed", 4)
    assert registry.right_of(mei.actor, row.number).right.state == "verified"


def test_the_homes_folder_says_whom_to_trust_when_nobody_else_does(world, mei):
    house = ClearingHouse.made()
    folder = world.home / "clearing-house"
    (folder / "roots").mkdir(parents=True)
    (folder / "crls").mkdir()
    (folder / "roots" / "root.der").write_bytes(house.trust().roots[0])
    (folder / "crls" / "list.der").write_bytes(house.crl())
    (folder / "revoked.csv").write_text("1,2026-11-20T08:00:00Z\nsmd-id,insertion-datetime\n")
    filed = bring_in(house.sign(), "mark.smd", by=mei.actor, at=world.now(), dry_run=False)
    assert (filed.rows[0].level, filed.signed is not None) == (4, True)
    with pytest.raises(Invalid):
        bring_in(ClearingHouse.made().sign(), "mark.smd", by=mei.actor, at=world.now(), dry_run=False)


def test_a_signed_mark_counts_for_one_account_even_when_its_unsigned_bytes_differ(world, mei, jo):
    house = ClearingHouse.made()
    document = house.sign()
    bring_in(document, "a.smd", by=mei.actor, at=world.now(), dry_run=False, trust=house.trust())
    for again in (document, b'<?xml version="1.0" encoding="UTF-8"?>\n' + document):
        answer = bring_in(again, "a.smd", by=jo.actor, at=world.now(), dry_run=False, trust=house.trust())
        assert all(row.level == 0 for row in answer.rows)
        said = codes(answer.rows[0].problems)
        assert "rights.certificate_elsewhere" in said or "rights.already_filed" in said
    assert RightRow.objects.filter(state="verified").count() == 1


def test_an_altered_signed_mark_files_nothing(world, mei):
    house = ClearingHouse.made()
    data = house.sign().replace(b"Lantern Works", b"Lantern Thief")
    with pytest.raises(Invalid) as caught:
        bring_in(data, "mark.smd", by=mei.actor, at=world.now(), dry_run=False, trust=house.trust())
    assert caught.value.code == "imports.smd_signature"
    assert not RightRow.objects.exists()


def test_a_signed_mark_with_nobody_to_trust_is_a_claim_only(world, mei):
    filed = bring_in(encoded(ClearingHouse.made().sign()), "a.smd", by=mei.actor, at=world.now(), dry_run=False)
    assert (filed.rows[0].outcome, filed.rows[0].level, filed.signed) == ("filed", 0, None)
    assert "imports.smd_unjudged" in codes(filed.problems)


ST96 = (
    '<tm:TrademarkBag xmlns:tm="http://www.wipo.int/standards/XMLSchema/ST96/Trademark" '
    'xmlns:com="http://www.wipo.int/standards/XMLSchema/ST96/Common"><tm:Trademark>'
    "<com:RegistrationOfficeCode>US</com:RegistrationOfficeCode>"
    "<com:ApplicationNumber><com:ApplicationNumberText>85000001</com:ApplicationNumberText></com:ApplicationNumber>"
    "<com:RegistrationNumber>4000001</com:RegistrationNumber>"
    "<tm:MarkCurrentStatusCode>700</tm:MarkCurrentStatusCode></tm:Trademark></tm:TrademarkBag>"
)


def test_an_offices_file_is_kept_once_for_claims_to_be_compared_with(world):
    fetched = datetime(2026, 11, 1, tzinfo=UTC)
    kept = bring_in_office(ST96.encode(), "us.xml", operator=Operator(), at=world.now(), fetched_at=fetched)
    assert (kept.kept, kept.same) == (1, 0)
    again = bring_in_office(ST96.encode(), "us.xml", operator=Operator(), at=world.now(), fetched_at=fetched)
    assert (again.kept, again.same) == (0, 1)
    row = OfficeRecord.objects.get()
    assert (row.office, row.st13) == ("US", "US500000085000001")
    assert office_record(read(ST96.encode()).records[0]) is not None


def test_an_offices_file_without_its_day_is_told_so_record_by_record(world):
    kept = bring_in_office(ST96.encode(), "us.xml", operator=Operator(), at=world.now())
    assert (kept.kept, codes(kept.problems)) == (0, ["rights.source_undated"])


@pytest.mark.parametrize("name", ["table", "signed mark"])
def test_what_comes_from_a_holder_is_no_offices_record(world, name):
    data = {"table": TABLE.encode(), "signed mark": ClearingHouse.made().sign()}[name]
    with pytest.raises(Refused) as caught:
        bring_in_office(data, "file", operator=Operator(), at=world.now())
    assert caught.value.code == "imports.no_office_file"
    assert not OfficeRecord.objects.exists()
