"""The whole way: an office's file is kept, a holder's file is filed, and the claim is compared and verified."""

from __future__ import annotations

from datetime import UTC, datetime

from world.data import shared_data

from chopmark.rights.actions.bring_in import bring_in, bring_in_office
from chopmark.rights.actions.common import Operator
from chopmark.rights.actions.verify import verify_against, vouch
from chopmark.rights.queries import registry

FETCHED = datetime(2026, 11, 1, tzinfo=UTC)


def test_a_real_mark_from_an_offices_file_is_verified_and_says_what_differed(world, mei):
    here = shared_data("tsdr-st66-st96") / "test" / "testdata"
    old, new = ((here / f"rn3886986-{form}.xml").read_bytes() for form in ("ST66", "ST96"))
    assert bring_in_office(new, "st96.xml", operator=Operator(), at=world.now(), fetched_at=FETCHED).kept == 1
    [row] = bring_in(old, "st66.xml", by=mei.actor, at=world.now(), dry_run=False).rows
    assert row.outcome == "filed"
    name = row.record.owners[0].name
    vouch(mei.actor.organisation_id, name, operator=Operator(), at=world.now(), country="US")
    assert verify_against(row.number, by=mei.actor, at=world.now()).state == "verified"
    right = registry.right_of(mei.actor, row.number).right
    assert right.level == 2
    assert not [each for each in right.verification.differences if each.verdict == "contradiction"]


def test_a_table_with_harmless_differences_is_verified_and_says_them(world, mei):
    here = shared_data("tsdr-st66-st96") / "test" / "testdata"
    data = (here / "rn2178784-ST96.xml").read_bytes()
    bring_in_office(data, "st96.xml", operator=Operator(), at=world.now(), fetched_at=FETCHED)
    table = (
        'mark,office,registration number,owner,owner country,classes\nJava,USPTO,"2,178,784",ORACLE AMERICA INC,US,9\n'
    )
    [row] = bring_in(table.encode(), "a.csv", by=mei.actor, at=world.now(), dry_run=False).rows
    vouch(mei.actor.organisation_id, "Oracle America, Inc.", operator=Operator(), at=world.now(), country="US")
    summary = verify_against(row.number, by=mei.actor, at=world.now())
    right = registry.right_of(mei.actor, row.number).right
    said = {(each.field, each.verdict) for each in right.verification.differences if each.verdict != "equal"}
    assert summary.state == "verified", said
    assert all(verdict == "tolerated" for _, verdict in said)


def test_another_owner_in_the_offices_record_is_a_contradiction_or_needs_a_paper(world, mei):
    here = shared_data("tsdr-st66-st96") / "test" / "testdata"
    data = (here / "rn2178784-ST96.xml").read_bytes()
    bring_in_office(data, "st96.xml", operator=Operator(), at=world.now(), fetched_at=FETCHED)
    table = "mark,office,registration number,owner,classes\nJAVA,US,2178784,Somebody Else Ltd,9\n"
    [row] = bring_in(table.encode(), "a.csv", by=mei.actor, at=world.now(), dry_run=False).rows
    assert verify_against(row.number, by=mei.actor, at=world.now()).state in ("incorrect", "checking")
