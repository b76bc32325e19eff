"""Filing: what comes in, what is refused at the door, what a change does."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from world.rights import LANTERN, OPERATOR, filed, lantern, mandated, paper, verified

from chopmark.base.errors import Invalid, Refused
from chopmark.evidence.queries import deposits_of, receipt_for
from chopmark.rights.actions import file as filing
from chopmark.rights.actions.common import Step, change
from chopmark.rights.actions.file import (
    NewPaper,
    NewRight,
    add_papers,
    amend,
    file_right,
    file_rights,
    submit,
    withdraw,
)
from chopmark.rights.actions.mandate import revoke_mandate
from chopmark.rights.actions.verify import check_papers
from chopmark.rights.consistency import check_record
from chopmark.rights.history import Amended, Closed
from chopmark.rights.models import Paper
from chopmark.rights.models import Right as RightRow
from chopmark.rights.queries import registry
from chopmark.rights.record import Class, Designation, Mark, Priority, Text


def test_a_filed_right_has_a_number_and_each_of_its_events_a_receipt(world, mei):
    made = filed(world, mei, papers=(paper(world, mei),))
    assert (made.number, made.state, made.level, made.version) == ("R-2026-000001", "submitted", 0, 3)
    world.publish()
    events = registry.events_of(mei.actor, made.number)
    assert [each.type for each in events] == ["filed", "paper_added", "submitted"]
    for each in events:
        receipt = registry.receipt_of(mei.actor, made.number, each.seq)
        assert receipt == receipt_for(mei.actor, each.deposit_id)
        assert registry.deposit_of_event(mei.actor, made.number, each.seq).sha256 == each.sha256
    assert registry.right_of(mei.actor, "018123456").right == made.right


def test_nothing_on_the_ledger_tells_what_was_filed(world, mei):
    filed(world, mei)
    world.publish()
    for each in deposits_of(mei.actor).items:
        statement = receipt_for(mei.actor, each.id).statement
        assert each.private
        for word in (b"RED LANTERN", b"018123456", b"Mei Lan", b"R-2026"):
            assert word not in statement


@pytest.mark.parametrize(
    ("why", "changes"),
    [
        ("rights.dates_contradict", {"registration_date": date(2019, 1, 1)}),
        ("rights.dates_contradict", {"expiry_date": date(2020, 5, 1)}),
        ("rights.dates_contradict", {"application_date": None, "expiry_date": date(2020, 5, 1)}),
        ("rights.dates_contradict", {"priorities": (Priority(kind="paris", country="CN", date=date(2020, 2, 1)),)}),
        (
            "rights.dates_contradict",
            {"classes": (Class(scheme="nice", code="1", since=date(2021, 1, 1), until=date(2021, 1, 1)),)},
        ),
        (
            "rights.dates_contradict",
            {"designations": (Designation(territory="EU", since=date(2021, 1, 2), until=date(2021, 1, 1)),)},
        ),
        ("rights.date_impossible", {"registration_date": date(2027, 1, 1)}),
        ("rights.date_impossible", {"application_date": date(201, 1, 15)}),
        ("rights.date_impossible", {"expiry_date": date(9999, 12, 31)}),
        ("rights.text_too_long", {"title": "x" * 501}),
        ("rights.text_too_long", {"registration_number": "1" * 65}),
        ("rules.office_unknown", {"office": "QQ"}),
        ("rights.owner_missing", {"owners": ()}),
        ("rights.office_missing", {"office": ""}),
        ("rights.number_missing", {"application_number": "", "registration_number": ""}),
        ("rights.sign_missing", {"mark": None}),
        ("rights.sign_missing", {"mark": Mark()}),
        ("rights.title_missing", {"kind": "design", "mark": None}),
        ("rights.too_many", {"classes": tuple(Class(scheme="nice", code=str(each)) for each in range(501))}),
    ],
)
def test_what_cannot_be_is_refused(why, changes):
    with pytest.raises(Invalid) as raised:
        check_record(lantern(**changes), date(2026, 11, 22))
    assert raised.value.code == why


def test_what_cannot_be_or_be_read_again_stays_outside(world, mei):
    made = filed(world, mei)
    for wrong in (
        {"registration_date": date(2019, 1, 1)},
        {"title": "a\x00b"},
        {"title": "\ud800"},
        {"kind": "crown"},
        {"status": "alive"},
        {"classes": (Class(scheme="nice", code="1", goods=tuple(Text(text="x" * 99_000) for _ in range(30))),)},
    ):
        with pytest.raises(Invalid):
            amend(made.id, lantern(**wrong), by=mei.actor, at=world.now())
        if "kind" not in wrong:
            with pytest.raises(Invalid):
                filed(world, mei, lantern(application_number="5", registration_number="5", **wrong))
    assert [each.id for each in registry.rights_of(mei.actor).items] == [made.id]


def test_who_clicks_twice_has_filed_once(world, mei, monkeypatch):
    """Both calls found nothing filed before; the second finds out when it writes."""
    seen = filing._filed_before
    calls = []

    def late(ready):
        calls.append(ready)
        return {} if len(calls) == 1 else seen(ready)

    first = filed(world, mei)
    monkeypatch.setattr(filing, "_filed_before", late)
    with pytest.raises(Refused, match=r"rights.already_filed") as raised:
        filed(world, mei)
    assert raised.value.facts["number"] == first.number
    assert len(registry.rights_of(mei.actor).items) == 1


def test_two_who_change_one_right_at_once_do_not_both(world, mei):
    made = filed(world, mei)
    row = RightRow.objects.get(pk=made.id)
    change(row, [Step(type="withdrawn", payload=Closed())], by=mei.actor, at=world.now())
    with pytest.raises(Refused, match=r"rights.moved"):
        change(row, [Step(type="amended", payload=Amended(record=lantern(title="x")))], by=mei.actor, at=world.now())
    assert [each.type for each in registry.events_of(mei.actor, made.id)] == ["filed", "submitted", "withdrawn"]


def test_a_clock_that_goes_back_does_not_break_the_history(world, mei):
    made = filed(world, mei)
    amend(made.id, lantern(title="Later"), by=mei.actor, at=world.at - timedelta(days=1))
    first, *_, last = registry.events_of(mei.actor, made.id)
    assert last.recorded_at == first.recorded_at


def test_of_many_each_is_judged_alone(world, mei):
    news = [
        NewRight(record=lantern()),
        NewRight(record=lantern(registration_date=date(2019, 1, 1))),
        NewRight(record=lantern(registration_number="EM 18123456")),
        NewRight(record=lantern(application_number="1", registration_number="1")),
    ]
    made = file_rights(news, by=mei.actor, at=world.now())
    assert [getattr(each, "code", getattr(each, "number", "")) for each in made] == [
        "R-2026-000001",
        "rights.dates_contradict",
        "rights.filed_twice",
        "R-2026-000002",
    ]


def test_the_same_registration_is_filed_once_however_it_is_written(world, mei):
    first = filed(world, mei)
    for number in ("18123456", "018 123 456", "EM018123456"):
        with pytest.raises(Refused, match=r"rights.already_filed") as raised:
            filed(world, mei, lantern(registration_number=number, application_number=""))
        assert raised.value.facts["number"] == first.number
    withdraw(first.id, by=mei.actor, at=world.now())
    assert filed(world, mei).number != first.number


def test_china_keeps_one_record_a_number_and_class(world, mei):
    chinese = lantern(office="CN", designations=(Designation(territory="CN", status="registered"),))
    filed(world, mei, replace(chinese, classes=(Class(scheme="nice", code="11"),)))
    filed(world, mei, replace(chinese, classes=(Class(scheme="nice", code="25"),)))
    with pytest.raises(Refused, match=r"rights.already_filed"):
        filed(world, mei, replace(chinese, classes=(Class(scheme="nice", code="25"), Class(scheme="nice", code="9"))))


def test_a_certificate_serves_one_account(world, mei, jo):
    mine = filed(world, mei, papers=(paper(world, mei, b"the certificate"),))
    with pytest.raises(Refused, match=r"rights.certificate_elsewhere"):
        filed(
            world,
            jo,
            lantern(registration_number="7", application_number="7"),
            papers=(paper(world, jo, b"the certificate"),),
        )
    assert registry.rights_of(jo.actor).items == ()
    other = filed(world, jo)
    with pytest.raises(Refused, match=r"rights.certificate_elsewhere"):
        add_papers(other.id, [paper(world, jo, b"the certificate", kind="renewal")], by=jo.actor, at=world.now())
    # A licence may lie beside the rights of both who signed it.
    add_papers(other.id, [paper(world, jo, b"the licence", kind="licence")], by=jo.actor, at=world.now())
    add_papers(mine.id, [paper(world, mei, b"the licence", kind="licence")], by=mei.actor, at=world.now())


def test_who_puts_anothers_certificate_into_a_drawer_takes_nothing_from_its_holder(world, mei, jo):
    drawer = filed(world, jo, papers=(paper(world, jo, b"stolen"),), submit=False)
    assert filed(world, mei, papers=(paper(world, mei, b"stolen"),)).state == "submitted"
    with pytest.raises(Refused, match=r"rights.certificate_elsewhere"):
        submit(drawer.id, by=jo.actor, at=world.now())


def test_a_refused_filing_gives_the_certificate_free(world, mei, jo):
    thief = filed(world, jo, papers=(paper(world, jo, b"stolen"),))
    check_papers(thief.id, accept=False, final=True, reasons=("not yours",), operator=OPERATOR, at=world.now())
    assert filed(world, mei, papers=(paper(world, mei, b"stolen"),)).state == "submitted"


def test_a_digest_alone_is_no_certificate_and_keeps_one_from_nobody(world, mei, jo):
    """Whoever saw the digest of a certificate has not seen the certificate."""
    squat = world.deposit(jo, b"the certificate", kind="document", title="", private=True).id
    for kind in sorted(filing.OWN_PAPERS):
        with pytest.raises(Invalid, match=r"rights.paper_not_kept"):
            filed(world, jo, papers=(NewPaper(kind=kind, deposit=squat),))
    other = filed(world, jo, papers=(NewPaper(kind="other", deposit=squat),))
    Paper.objects.update(kind="certificate")  # as it may stand beside rights of before
    with pytest.raises(Refused, match=r"rights.papers_missing"):
        check_papers(other.id, accept=True, operator=OPERATOR, at=world.now())
    assert filed(world, mei, papers=(paper(world, mei, b"the certificate"),)).state == "submitted"


def test_another_organisations_deposit_is_no_paper(world, mei, jo):
    theirs = paper(world, jo)
    with pytest.raises(Refused, match=r"evidence.deposit_not_found"):
        filed(world, mei, papers=(theirs,))
    for wrong in (NewPaper(kind="certificate"), NewPaper(kind="diploma", deposit=theirs.deposit)):
        with pytest.raises(Invalid, match=r"rights.paper"):
            filed(world, mei, papers=(wrong,))


def test_a_change_of_what_was_verified_takes_it_back(world, mei):
    made = verified(world, mei)
    same = amend(made.id, lantern(raw={"status": "Registered"}), by=mei.actor, at=world.now())
    assert (same.state, same.level) == ("verified", 2)
    wider = amend(
        made.id, lantern(classes=(*LANTERN.classes, Class(scheme="nice", code="9"))), by=mei.actor, at=world.now()
    )
    assert (wider.state, wider.level) == ("checking", 0)


def test_kind_and_office_are_fixed_once_it_was_submitted(world, mei):
    draft = filed(world, mei, submit=False)
    amend(draft.id, lantern(office="US", designations=()), by=mei.actor, at=world.now())
    submit(draft.id, by=mei.actor, at=world.now())
    with pytest.raises(Refused, match=r"rights.kind_fixed"):
        amend(draft.id, lantern(), by=mei.actor, at=world.now())


def test_no_amendment_makes_one_right_the_twin_of_another(world, mei):
    first = filed(world, mei)
    second = filed(world, mei, lantern(registration_number="2", application_number="2"))
    with pytest.raises(Refused, match=r"rights.already_filed") as raised:
        amend(second.id, lantern(), by=mei.actor, at=world.now())
    assert raised.value.facts["number"] == first.number


def test_who_saw_an_older_version_overwrites_nothing(world, mei):
    made = filed(world, mei)
    amend(made.id, lantern(title="One"), by=mei.actor, at=world.now(), version=made.version)
    with pytest.raises(Refused, match=r"rights.moved"):
        amend(made.id, lantern(title="Two"), by=mei.actor, at=world.now(), version=made.version)


def test_an_agent_files_for_a_client_under_a_mandate_in_force(world, mei, jo):
    client = mei.actor.organisation_id
    with pytest.raises(Refused, match=r"rights.mandate_missing"):
        filed(world, jo, organisation=client)
    for powers, places in (({"notice"}, ()), ({"file"}, ("US",)), ({"file"}, ("DE", "FR"))):
        mandated(world, mei, jo, *powers, territories=places)
        with pytest.raises(Refused, match=r"rights.mandate_missing"):
            filed(world, jo, organisation=client)
    mandate = mandated(world, mei, jo, "file", territories=("EU",))
    french = lantern(office="FR", designations=(Designation(territory="FR"),))
    assert filed(world, jo, french, organisation=client).filed_by == jo.actor.organisation_id
    made = filed(world, jo, lantern(designations=()), organisation=client)  # an EU mark says where by its office
    assert (made.organisation_id, made.filed_by) == (client, jo.actor.organisation_id)
    assert registry.events_of(mei.actor, made.id)[0].payload["mandate"] == str(mandate.id)
    world.publish()
    assert registry.receipt_of(jo.actor, made.id, 1, at=world.now()).index > 0
    with pytest.raises(Refused, match=r"rights.mandate_missing"):
        withdraw(made.id, by=jo.actor, at=world.now())
    revoke_mandate(mandate.id, by=mei.actor, at=world.now())
    later = world.now() + timedelta(days=1)
    with pytest.raises(Refused, match=r"rights.mandate_missing"):
        file_right(
            NewRight(record=lantern(registration_number="9", application_number="9"), organisation=client),
            by=jo.actor,
            at=later,
        )
