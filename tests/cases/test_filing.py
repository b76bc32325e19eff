from __future__ import annotations

import hashlib
import io
import re
import zipfile

import pytest
from world.desks import STEPS, carried

from chopmark.base.errors import Invalid, Refused
from chopmark.cases import actions, queries
from chopmark.cases.models import Event
from chopmark.desk import codec
from chopmark.desk.wire import SignedEvent
from chopmark.evidence import queries as evidence


def drafted(world, person, bundled, **changes):
    matter, _ = bundled
    made = actions.draft_filing(matter.id, by=person.actor, at=world.now())
    for step, data in {**STEPS, **changes}.items():
        made = actions.save_step(made.id, step, data, by=person.actor, at=world.now())
    return made


def sent(world, person, bundled):
    made = drafted(world, person, bundled)
    shown = actions.preview_filing(made.id, by=person.actor, at=world.now())
    return actions.submit_filing(made.id, by=person.actor, at=world.now(), shown=shown.sha256)


def decided(court, token, **form):
    browser = court.clerk()
    page = browser.get(f"/cases/{token}").text
    csrf = re.search(r'name="csrf" value="([^"]+)"', page)[1]
    answer = browser.post(f"/cases/{token}", data={"csrf": csrf, **form})
    assert answer.status_code == 303, answer.text


def test_a_filing_is_checked_accepted_heard_and_judged_and_each_step_is_a_deposit(world, mei, court, bundled):
    filing = sent(world, mei, bundled)
    assert (filing.state, filing.way, filing.desk) == ("sending", "desk", "hangzhou-court")
    assert carried(world) == 1
    court.turn(world.now())
    found = queries.filing_of(mei.actor, filing.id)
    [received] = found.events
    assert (found.state, received.kind, received.seq) == ("received", "received", 1)
    assert [(line.item, line.verdict) for line in received.checks] == [
        ("bundle", "PASSED"),
        ("E-001", "PASSED"),
        ("E-002", "PASSED"),
    ], received.checks

    decided(court, filing.id, step="accepted", fee="8800")
    decided(court, filing.id, step="served")
    decided(court, filing.id, step="hearing", when="2027-01-10T09:00", place="第三法庭")
    decided(court, filing.id, step="judgment", reasons="停止侵权\n\n赔偿十万元")
    court.turn(world.now())
    found = queries.filing_of(mei.actor, filing.id)
    assert found.state == "judged"
    assert re.fullmatch(r"\(\d{4}\)模拟浙0192民初1号", found.court_number)
    assert [each.kind for each in found.events] == ["received", "accepted", "served", "hearing", "judgment"]
    assert found.events[1].fee_fen == 880_000
    assert found.events[3].when.isoformat() == "2027-01-10T01:00:00+00:00"
    assert found.events[4].reasons == ("停止侵权", "赔偿十万元")
    world.publish()
    for event in found.events:
        deposit = evidence.deposit_of(mei.actor, event.deposit_id)
        document = queries.event_document(mei.actor, event.token)
        assert deposit.state == "published"
        assert deposit.size == len(document)
        assert evidence.receipt_for(mei.actor, deposit.id)
        codec.parse(SignedEvent, document).must_be_by(court.home.key().verifier)
    assert evidence.deposit_of(mei.actor, found.message_deposit_id).state == "published"


def test_a_supplement_is_the_next_revision_of_the_same_case(world, mei, court, bundled):
    filing = sent(world, mei, bundled)
    carried(world)
    court.turn(world.now())
    decided(court, filing.id, step="supplement_wanted", reasons="请补充被告住所")
    court.turn(world.now())
    found = queries.filing_of(mei.actor, filing.id)
    assert (found.state, found.editable, found.events[-1].reasons) == ("supplement_wanted", True, ("请补充被告住所",))
    actions.save_step(filing.id, "court", STEPS["court"], by=mei.actor, at=world.now())
    actions.preview_filing(filing.id, by=mei.actor, at=world.now())
    again = actions.submit_filing(filing.id, by=mei.actor, at=world.now(), note="已补充")
    assert (again.state, again.revision) == ("sending", 2)
    carried(world)
    court.turn(world.now())
    assert [each.kind for each in queries.filing_of(mei.actor, filing.id).events][-1] == "supplemented"
    assert court.office.case(filing.id).message.note == "已补充"


def test_a_filing_is_withdrawn_and_the_desk_confirms_it(world, mei, court, bundled):
    filing = sent(world, mei, bundled)
    carried(world)
    court.turn(world.now())
    actions.withdraw_filing(filing.id, "已和解", by=mei.actor, at=world.now())
    carried(world)
    court.turn(world.now())
    found = queries.filing_of(mei.actor, filing.id)
    assert (found.state, found.events[-1].kind) == ("withdrawn", "withdrawn")
    with pytest.raises(Refused, match=r"cases\.state_wrong"):
        actions.withdraw_filing(filing.id, "", by=mei.actor, at=world.now())


def test_what_is_missing_is_named_and_keeps_the_filing_back(world, mei, court, bundled):
    matter, _ = bundled
    made = actions.draft_filing(matter.id, by=mei.actor, at=world.now())
    found = actions.check_filing(made.id, by=mei.actor)
    blocking = {gap.code for gap in found.gaps if gap.blocks}
    assert not found.ready
    assert blocking == {
        "cases.gap_court",
        "cases.gap_plaintiff",
        "cases.gap_defendant",
        "cases.gap_claims",
        "cases.gap_facts",
        "cases.gap_element",
        "cases.gap_delivery",
        "cases.gap_declared",
    }
    with pytest.raises(Refused, match=r"cases\.incomplete"):
        actions.preview_filing(made.id, by=mei.actor, at=world.now())
    with pytest.raises(Invalid, match=r"cases\.draft_malformed"):
        actions.save_step(made.id, "parties", {"parties": [{"shoe": "size"}]}, by=mei.actor, at=world.now())
    with pytest.raises(Invalid, match=r"cases\.step_unknown"):
        actions.save_step(made.id, "shoes", {}, by=mei.actor, at=world.now())


def test_nothing_is_sent_that_was_not_previewed_as_it_is(world, mei, court, bundled):
    made = drafted(world, mei, bundled)
    with pytest.raises(Refused, match=r"cases\.preview_first"):
        actions.submit_filing(made.id, by=mei.actor, at=world.now())
    shown = actions.preview_filing(made.id, by=mei.actor, at=world.now())
    claims = {**STEPS["claims"], "mediation": False}
    actions.save_step(made.id, "claims", claims, by=mei.actor, at=world.now())
    with pytest.raises(Refused, match=r"cases\.preview_first"):
        actions.submit_filing(made.id, by=mei.actor, at=world.now(), shown=shown.sha256)


def test_somebody_elses_change_in_between_is_noticed(world, mei, court, bundled):
    made = drafted(world, mei, bundled)
    actions.save_step(made.id, "court", STEPS["court"], by=mei.actor, at=world.now(), version=made.version)
    with pytest.raises(Refused, match=r"cases\.draft_moved"):
        actions.save_step(made.id, "court", STEPS["court"], by=mei.actor, at=world.now(), version=made.version)


def test_a_court_without_a_desk_gets_a_package_and_a_person_types_the_receipt_number(world, mei, court, bundled):
    made = drafted(world, mei, bundled, court={"court": "beijing", "cause": "copyright_network"})
    actions.preview_filing(made.id, by=mei.actor, at=world.now())
    made = actions.submit_filing(made.id, by=mei.actor, at=world.now())
    assert (made.state, made.way) == ("packaged", "package")
    out = io.BytesIO()
    assert actions.export_package(made.id, out, by=mei.actor) == f"{made.number}.zip"
    with zipfile.ZipFile(out) as package:
        _, bundle = bundled
        assert hashlib.sha256(package.read(f"{bundle.number}.asice")).digest() == bundle.sha256
        assert "D-2026-" in package.read("evidence-list.csv").decode()
        assert "停止侵权" in package.read("complaint.txt").decode()
    with pytest.raises(Invalid, match=r"cases\.receipt_number_malformed"):
        actions.enter_receipt(made.id, "\x00", by=mei.actor, at=world.now())
    made = actions.enter_receipt(made.id, "网上立案 2026-77", by=mei.actor, at=world.now())
    assert (made.state, made.receipt_number) == ("filed", "网上立案 2026-77")


@pytest.mark.parametrize("role", ["viewer", "depositor", "owner"])
def test_what_each_role_may_do(world, mei, court, bundled, role):
    person = world.person(f"A {role}", role=role, of=mei)
    made = drafted(world, mei, bundled)
    assert queries.filing_of(person.actor, made.number).id == made.id
    assert [each.id for each in queries.filings_of(person.actor)] == [made.id]
    tries = (
        lambda: actions.save_step(made.id, "court", STEPS["court"], by=person.actor, at=world.now()),
        lambda: actions.preview_filing(made.id, by=person.actor, at=world.now()),
        lambda: actions.submit_filing(made.id, by=person.actor, at=world.now()),
        lambda: actions.withdraw_filing(made.id, "", by=person.actor, at=world.now()),
    )
    for each in tries:
        if role == "viewer":
            with pytest.raises(Refused, match=r"people\.not_allowed"):
                each()
        else:
            each()


def test_another_organisations_filing_does_not_exist(world, mei, court, bundled):
    stranger = world.person("Wu Di")
    filing = sent(world, mei, bundled)
    carried(world)
    court.turn(world.now())
    [event] = queries.filing_of(mei.actor, filing.id).events
    assert queries.filings_of(stranger.actor) == ()
    for each in (
        lambda: queries.filing_of(stranger.actor, filing.id),
        lambda: queries.filing_of(stranger.actor, filing.number),
        lambda: actions.save_step(filing.id, "court", {}, by=stranger.actor, at=world.now()),
        lambda: actions.submit_filing(filing.id, by=stranger.actor, at=world.now()),
        lambda: actions.withdraw_filing(filing.id, "", by=stranger.actor, at=world.now()),
        lambda: actions.discard_filing(filing.id, by=stranger.actor),
        lambda: queries.checklist_of(stranger.actor, filing.id),
    ):
        with pytest.raises(Refused, match=r"cases\.filing_not_found"):
            each()
    with pytest.raises(Refused, match=r"cases\.event_not_found"):
        queries.event_document(stranger.actor, event.token)
    with pytest.raises(Refused, match=r"matter\.not_found"):
        actions.draft_filing(bundled[0].id, by=stranger.actor, at=world.now())


def test_an_event_counts_once_and_only_from_the_desk_that_has_the_case(world, mei, court, bundled):
    filing = sent(world, mei, bundled)
    carried(world)
    court.turn(world.now())
    row = Event.objects.get(about=filing.id)
    document = bytes(row.document)
    assert actions.receive_event(document, at=world.now()) is False
    signed = codec.parse(SignedEvent, document)
    forged = document.replace(b'"kind":"received"', b'"kind":"accepted"')
    with pytest.raises(Invalid, match=r"desk\.event_forged"):
        actions.receive_event(forged, at=world.now())
    other = codec.parse(SignedEvent, document.replace(str(signed.event.token).encode(), str(filing.id).encode())).event
    differing = codec.canonical(SignedEvent.sign(other, court.home.key()))
    with pytest.raises(Refused, match=r"cases\.event_differs"):
        actions.receive_event(differing, at=world.now())
    elsewhere = codec.canonical(
        SignedEvent.sign(
            codec.parse(SignedEvent, document.replace(str(filing.id).encode(), str(row.token).encode())).event,
            court.home.key(),
        )
    )
    with pytest.raises(Refused, match=r"cases\.event_unasked"):
        actions.receive_event(elsewhere, at=world.now())


def test_an_unsigned_call_delivers_no_event(world, mei, court, bundled):
    filing = sent(world, mei, bundled)
    carried(world)
    court.office.work(world.now())
    document = bytes(court.office.store.one("SELECT document FROM event")["document"])
    answer = mei.client.post("/api/v1/desk-events", document, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (403, "member.call_unsigned")
    assert queries.filing_of(mei.actor, filing.id).state == "sending"


def test_a_desk_that_is_away_is_asked_again(world, mei, tmp_path, bundled):
    from world.desks import desk  # noqa: PLC0415 (the fixtures above keep theirs open)

    with desk(world, tmp_path / "court"):
        filing = sent(world, mei, bundled)
    assert carried(world) == 0
    [waiting] = queries.filing_of(mei.actor, filing.id).deliveries
    assert (waiting.trouble, waiting.done, waiting.tries) == ("cases.desk_silent", False, 1)


def test_the_api_lists_filings_and_tells_what_is_missing(world, mei, court, bundled):
    matter, _ = bundled
    made = actions.draft_filing(matter.id, by=mei.actor, at=world.now())
    listed = mei.client.get("/api/v1/filings")
    assert [each["number"] for each in listed.json()["items"]] == [made.number]
    one = mei.client.get(f"/api/v1/filings/{made.number}").json()
    assert one["checklist"]["ready"] is False
    assert mei.client.get("/api/v1/filings/F-1").status_code == 404
