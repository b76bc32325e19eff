"""Verification: true, and by whom. A perfect copy of a public register proves nothing about who filed it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from world.clearing_house import NUMBER, ClearingHouse, encoded
from world.rights import LANTERN, OPERATOR, by_office, filed, lantern, paper, rebuilt, verified, vouched

from chopmark.base.errors import Invalid, Refused
from chopmark.rights.actions import common
from chopmark.rights.actions import verify as verifying
from chopmark.rights.actions.dispute import NewDispute, open_dispute
from chopmark.rights.actions.file import add_papers, amend, withdraw
from chopmark.rights.actions.office import keep_records, office_record
from chopmark.rights.actions.recheck import recheck
from chopmark.rights.actions.verify import (
    CODE_TRIES,
    cancel,
    check_papers,
    issue_code,
    renew,
    show_control,
    stop_vouching,
    verify_against,
    verify_signed,
)
from chopmark.rights.models import Challenge
from chopmark.rights.models import Right as RightRow
from chopmark.rights.queries import registry
from chopmark.rights.record import Class, Designation, Mark, Party, Record, Source, Text


def reasons(actor, which):
    return registry.events_of(actor, which)[-1].payload.get("reasons", [])


def test_a_perfect_copy_of_the_register_proves_nothing_about_who_filed_it(world, mei, jo):
    vouched(world, mei)
    stolen = filed(world, jo)
    checked = verify_against(stolen.id, by_office(), by=OPERATOR, at=world.now())
    assert (checked.state, checked.level) == ("checking", 2)
    assert reasons(jo.actor, stolen.id) == ["rights.standing_missing"]
    hers = filed(world, mei)
    assert verify_against(hers.id, by=mei.actor, at=world.now()).state == "verified"
    vouched(world, jo)  # even an operator who was deceived does not verify one registration twice
    with pytest.raises(Refused, match=r"rights.verified_elsewhere"):
        verify_against(stolen.id, by=jo.actor, at=world.now())
    cancel(hers.id, "surrendered", operator=OPERATOR, at=world.now())
    assert verify_against(stolen.id, by=jo.actor, at=world.now()).state == "verified"


def test_nobody_but_the_operator_brings_what_a_claim_is_compared_with(world, mei, jo):
    made = filed(world, mei)
    with pytest.raises(Refused, match=r"rights.operator_only"):
        verify_against(made.id, by_office(), by=mei.actor, at=world.now())
    with pytest.raises(Refused, match=r"rights.office_silent"):
        verify_against(made.id, by=mei.actor, at=world.now())
    with pytest.raises(Refused, match=r"rights.not_found"):
        verify_against(made.id, by=jo.actor, at=world.now())


def test_anothers_number_is_not_verified_against_ones_own_record(world, mei):
    """The office's record is looked up by the claim's own number; one of another office or number is not found."""
    vouched(world, mei)
    keep_records([by_office(), by_office(lantern(office="US", designations=()))], operator=OPERATOR, at=world.now())
    other = filed(world, mei, lantern(application_number="99", registration_number="99"))
    with pytest.raises(Refused, match=r"rights.office_silent"):
        verify_against(other.id, by=mei.actor, at=world.now())
    half = filed(world, mei, lantern(application_number="98", registration_number="18123456"))
    assert verify_against(half.id, by=mei.actor, at=world.now()).state == "incorrect"


FORMS = {
    "with and without a check figure": (
        {"application_number": "302020123456.7", "registration_number": "302020123456.7"},
        {"application_number": "302020123456", "registration_number": "302020123456"},
    ),
    "one by its application, one by its registration": (
        {"application_number": "302020123456", "registration_number": ""},
        {"application_number": "", "registration_number": "302020999"},
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_one_registration_is_verified_for_one_account_however_its_number_is_written(world, mei, jo, form):
    german = lantern(office="DE", designations=())
    numbers = {"application_number": "302020123456", "registration_number": "302020999"}
    one, other = (replace(german, **each) for each in FORMS[form])
    known = [replace(german, **numbers)] if form.startswith("one") else [one, other]
    keep_records([by_office(each) for each in known], operator=OPERATOR, at=world.now())
    for who in (mei, jo):
        vouched(world, who)
    first, second = filed(world, mei, one), filed(world, jo, other)
    assert verify_against(first.id, by=mei.actor, at=world.now()).state == "verified"
    with pytest.raises(Refused, match=r"rights.verified_elsewhere"):
        verify_against(second.id, by=jo.actor, at=world.now())


def test_a_dispute_follows_a_number_that_is_written_otherwise(world, mei):
    german = lantern(office="DE", designations=(), application_number="302020123456.7", registration_number="")
    right = verified(world, mei, german)
    open_dispute(right.id, NewDispute(kind="bad_faith"), by=OPERATOR, at=world.now())
    withdraw(right.id, by=mei.actor, at=world.now())
    again = filed(world, mei, replace(german, application_number="302020123456"))
    keep_records([by_office(again.record, fetched=world.now())], operator=OPERATOR, at=world.now())
    done = verify_against(again.id, by=mei.actor, at=world.now())
    assert (done.state, [each.kind for each in done.right.disputes]) == ("suspended", ["bad_faith"])


def test_what_differs_harmlessly_is_tolerated_and_said(world, mei):
    vouched(world, mei)
    claimed = lantern(
        mark=Mark(verbal="Red  Lantern"), classes=LANTERN.classes[:1], owners=(Party(name="mei lan's studio"),)
    )
    made = filed(world, mei, claimed)
    done = verify_against(made.id, by_office(), by=OPERATOR, at=world.now())
    assert (done.state, done.level) == ("verified", 2)
    told = {each.field: each.verdict for each in done.right.verification.differences if each.verdict != "equal"}
    assert told == {"verbal": "tolerated", "classes.nice": "tolerated", "owners": "tolerated"}
    assert done.right.verification.source.fetched_at == datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": (*LANTERN.classes, Class(scheme="nice", code="9"))},
        {"owners": (Party(name="Somebody else"),)},
        {"owners": (Party(name="Somebody else", also=(Text(text="Not the owner"),)),)},
        {"mark": Mark(verbal="GREEN LANTERN")},
        {"designations": (Designation(territory="EU"), Designation(territory="US"))},
    ],
)
def test_a_contradiction_is_incorrect_until_it_is_corrected(world, mei, changes):
    vouched(world, mei)
    made = filed(world, mei, lantern(**changes))
    found = verify_against(made.id, by_office(), by=OPERATOR, at=world.now())
    assert (found.state, found.level) == ("incorrect", 0)
    assert reasons(mei.actor, made.id)
    amend(made.id, lantern(), by=mei.actor, at=world.now())
    assert verify_against(made.id, by=mei.actor, at=world.now()).state == "verified"


def test_what_a_claimant_says_the_owner_is_also_called_gives_no_standing(world, mei, jo):
    """A name beside the owner's, made up by who files, must not tie the account to the owner."""
    vouched(world, jo, "Jo Smith's studio", "")
    also = (Text(text="Jo Smith's studio"),)
    trick = lantern(owners=(Party(name="Mei Lan's studio", country="CN", also=also),))
    made = filed(world, jo, trick, papers=(paper(world, jo),))
    checked = verify_against(made.id, by_office(), by=OPERATOR, at=world.now())
    assert (checked.state, reasons(jo.actor, made.id)) == ("checking", ["rights.standing_missing"])
    assert check_papers(made.id, accept=True, operator=OPERATOR, at=world.now()).state == "checking"


def test_a_namesake_in_another_country_is_somebody_else(world, mei):
    vouched(world, mei, country="US")
    made = filed(world, mei)
    assert verify_against(made.id, by_office(), by=OPERATOR, at=world.now()).state == "checking"


def test_a_namesake_of_another_form_is_somebody_else(world, jo):
    """Anybody may found a firm of that name elsewhere, and offices do not always say the country."""
    famous = lantern(owners=(Party(name="Grand Lamps Inc."),))
    vouched(world, jo, "Grand Lamps Ltd", "GB")
    made = filed(world, jo, famous)
    done = verify_against(made.id, by_office(famous), by=OPERATOR, at=world.now())
    assert (done.state, reasons(jo.actor, made.id)) == ("checking", ["rights.standing_missing"])
    vouched(world, jo, "GRAND LAMPS, Inc", "US")
    assert verify_against(made.id, by=jo.actor, at=world.now()).state == "verified"


def test_a_dead_right_is_not_verified_and_one_that_dies_is_cancelled(world, mei):
    made = verified(world, mei)
    newer = by_office(
        lantern(status="ended", status_date=date(2026, 11, 10)), fetched=datetime(2026, 11, 15, tzinfo=UTC)
    )
    done = verify_against(made.id, newer, by=OPERATOR, at=world.now())
    assert done.state == "cancelled"
    assert registry.events_of(mei.actor, made.id)[-1].at_law == date(2026, 11, 10)
    again = filed(world, mei)
    assert verify_against(again.id, by=mei.actor, at=world.now()).state == "incorrect"


def test_a_later_expiry_at_the_office_renews(world, mei):
    made = verified(world, mei)
    newer = by_office(lantern(expiry_date=date(2040, 1, 15)), fetched=datetime(2026, 11, 15, tzinfo=UTC))
    done = verify_against(made.id, newer, by=OPERATOR, at=world.now())
    assert (done.state, done.record.expiry_date) == ("verified", date(2040, 1, 15))


def test_a_renewal_counts_once_the_office_says_so(world, mei):
    made = verified(world, mei)
    told = renew(made.id, date(2040, 1, 15), by=mei.actor, at=world.now())
    assert (told.state, told.record.expiry_date) == ("verified", date(2030, 1, 15))
    newer = by_office(lantern(expiry_date=date(2040, 1, 15)), fetched=datetime(2026, 11, 15, tzinfo=UTC))
    keep_records([newer], operator=OPERATOR, at=world.now())
    assert renew(made.id, date(2040, 1, 15), by=mei.actor, at=world.now()).record.expiry_date == date(2040, 1, 15)
    for wrong in (date(2030, 1, 15), date(2039, 1, 1), date(2090, 1, 1)):
        with pytest.raises(Invalid):
            renew(made.id, wrong, by=mei.actor, at=world.now())


def test_an_old_record_says_nothing_of_today(world, mei):
    made = filed(world, mei)
    old = by_office(fetched=datetime(2025, 1, 1, tzinfo=UTC))
    with pytest.raises(Refused, match=r"rights.record_stale"):
        verify_against(made.id, old, by=OPERATOR, at=world.now())


def test_papers_settle_what_the_record_leaves_open_but_no_contradiction(world, mei):
    made = filed(world, mei, papers=(paper(world, mei),))
    open_one = by_office(lantern(status="unknown"))
    assert verify_against(made.id, open_one, by=OPERATOR, at=world.now()).level == 1
    done = check_papers(made.id, accept=True, speaks_for_owner=True, operator=OPERATOR, at=world.now())
    assert (done.state, done.level) == ("verified", 1)
    # What was settled stays settled with the same record.
    assert verify_against(made.id, by=OPERATOR, at=world.now()).state == "verified"
    other = filed(
        world, mei, lantern(application_number="5", registration_number="5"), papers=(paper(world, mei, b"2"),)
    )
    wrong = by_office(lantern(application_number="5", registration_number="5", owners=(Party(name="Other"),)))
    assert verify_against(other.id, wrong, by=OPERATOR, at=world.now()).state == "incorrect"
    with pytest.raises(Refused, match=r"rights.contradicted"):
        check_papers(other.id, accept=True, speaks_for_owner=True, operator=OPERATOR, at=world.now())


def test_a_work_that_nobody_registers_is_verified_by_papers(world, mei):
    work = replace(lantern(kind="copyright", office="", mark=None, title="Lanterns, a photograph"), classes=())
    work = replace(work, application_number="", registration_number="", designations=(), status="unknown")
    made = filed(world, mei, work)
    with pytest.raises(Refused, match=r"rights.papers_missing"):
        check_papers(made.id, accept=True, speaks_for_owner=True, operator=OPERATOR, at=world.now())
    add_papers(made.id, [paper(world, mei, kind="proof_of_use")], by=mei.actor, at=world.now())
    done = check_papers(made.id, accept=True, speaks_for_owner=True, operator=OPERATOR, at=world.now())
    assert (done.state, done.level) == ("verified", 1)


def test_papers_that_are_not_accepted_are_corrected_or_the_end(world, mei):
    made = filed(world, mei, papers=(paper(world, mei),))
    back = check_papers(made.id, accept=False, reasons=("page 2 is missing",), operator=OPERATOR, at=world.now())
    assert (back.state, reasons(mei.actor, made.id)) == ("incorrect", ["page 2 is missing"])
    ended = check_papers(made.id, accept=False, final=True, reasons=("forged",), operator=OPERATOR, at=world.now())
    assert ended.state == "refused"


def test_the_code_sent_to_the_office_s_contact_shows_control(world, mei):
    made = filed(world, mei)
    keep_records([by_office()], operator=OPERATOR, at=world.now())
    verify_against(made.id, by=mei.actor, at=world.now())
    code = issue_code(made.id, operator=OPERATOR, at=world.now())
    assert code.text.replace("-", "").encode() not in [bytes(each.code_hash) for each in Challenge.objects.all()]
    done = show_control(made.id, code.text.lower(), by=mei.actor, at=world.now())
    assert (done.state, done.level) == ("verified", 3)
    with pytest.raises(Refused, match=r"rights.code_wrong"):
        show_control(made.id, code.text, by=mei.actor, at=world.now())
    # What was shown goes with owner and number.
    other = amend(made.id, lantern(registration_number="7", application_number="7"), by=mei.actor, at=world.now())
    keep_records([by_office(other.record)], operator=OPERATOR, at=world.now())
    assert verify_against(made.id, by=mei.actor, at=world.now()).state == "checking"


def test_a_code_settles_no_comparison_of_long_ago(world, mei):
    made = filed(world, mei)
    verify_against(made.id, by_office(), by=OPERATOR, at=world.now())
    later = world.now() + timedelta(days=400)
    code = issue_code(made.id, operator=OPERATOR, at=later)
    done = show_control(made.id, code.text, by=mei.actor, at=later)
    assert (done.state, reasons(mei.actor, made.id)) == ("checking", ["rights.office_silent"])
    again = verify_against(made.id, by_office(fetched=later), by=OPERATOR, at=later)  # the account's standing is known
    assert again.state == "verified"


def test_a_code_is_guessed_only_so_often_and_does_not_live_for_ever(world, mei):
    made = filed(world, mei)
    code = issue_code(made.id, operator=OPERATOR, at=world.now())
    for _ in range(CODE_TRIES):
        with pytest.raises(Refused, match=r"rights.code_wrong"):
            show_control(made.id, "2222-2222-2222", by=mei.actor, at=world.now())
    with pytest.raises(Refused, match=r"rights.code_wrong"):
        show_control(made.id, code.text, by=mei.actor, at=world.now())
    late = issue_code(made.id, operator=OPERATOR, at=world.now())
    with pytest.raises(Refused, match=r"rights.code_wrong"):
        show_control(made.id, late.text, by=mei.actor, at=world.now() + timedelta(days=61))
    assert issue_code(made.id, operator=OPERATOR, at=world.now()).text != late.text
    with pytest.raises(Refused, match=r"rights.code_wrong"):
        show_control(made.id, late.text, by=mei.actor, at=world.now())


def test_who_is_no_longer_vouched_for_is_found_at_the_next_check(world, mei):
    made = verified(world, mei)
    assert stop_vouching(mei.actor.organisation_id, "Mei Lan's studio", operator=OPERATOR, at=world.now()) == 1
    assert verify_against(made.id, by=OPERATOR, at=world.now()).state == "incorrect"


@pytest.fixture(scope="module")
def house():
    return ClearingHouse.made()


SIGNED = Record(
    kind="trademark",
    office="EM",
    registration_number="018123456",
    mark=Mark(verbal="Red & 红灯笼"),
    owners=(Party(name="Lantern Works Ltd"),),
    classes=(Class(scheme="nice", code="11"),),
    designations=(Designation(territory="EU"),),
    registration_date=date(2020, 6, 1),
    status="registered",
)


def test_a_signed_mark_verifies_for_the_account_that_has_it(world, mei, jo, house):
    made = filed(world, mei, SIGNED)
    data = house.sign()
    done = verify_signed(made.id, data, house.trust(), by=mei.actor, at=world.now())
    assert (done.state, done.level, done.right.verification.method) == ("verified", 4, "signed")
    [kept] = registry.right_of(mei.actor, made.id).papers
    assert (kept.kind, kept.file_name) == ("signed_mark", f"{NUMBER}.smd")
    theirs = filed(world, jo, SIGNED)
    for again in (data, encoded(data), house.sign()):  # in other bytes too
        with pytest.raises(Refused, match=r"rights.certificate_elsewhere"):
            verify_signed(theirs.id, again, house.trust(), by=jo.actor, at=world.now())


def test_a_signed_mark_is_judged_not_believed(world, mei, house):
    made = filed(world, mei, SIGNED)
    other = filed(world, mei, lantern(application_number="5", registration_number="5"))
    data = house.sign()
    for which, wrong, code in (
        (made, data.replace(b"Lantern Works", b"Mei Lan Works"), "imports.smd_signature"),
        (made, ClearingHouse.made().sign(), "imports.smd_issuer"),
        (other, data, "rights.office_silent"),
    ):
        with pytest.raises((Invalid, Refused)) as raised:
            verify_signed(which.id, wrong, house.trust(), by=mei.actor, at=world.now())
        assert raised.value.code == code
    stolen = filed(world, mei, replace(SIGNED, registration_number="18123456", office="EM", kind="gi", title="x"))
    with pytest.raises(Refused, match=r"rights.office_silent"):
        verify_signed(stolen.id, data, house.trust(), by=mei.actor, at=world.now())


def test_a_signed_mark_of_somebody_else_is_a_contradiction(world, mei, house):
    made = filed(world, mei, replace(SIGNED, owners=(Party(name="Mei Lan's studio"),)))
    found = verify_signed(made.id, house.sign(), house.trust(), by=mei.actor, at=world.now())
    assert (found.state, found.level) == ("incorrect", 0)


def test_asking_again_at_once_is_no_event(world, mei):
    made = verified(world, mei)
    for _ in range(3):
        verify_against(made.id, by=mei.actor, at=world.now())
    assert [each.type for each in registry.events_of(mei.actor, made.id)] == ["filed", "submitted", "verified"]


def test_two_accounts_verified_in_the_same_moment_are_one(world, mei, jo, monkeypatch):
    """The second looked before the first was written, and looks once more inside its transaction."""
    vouched(world, mei)
    vouched(world, jo)
    one, two = filed(world, mei), filed(world, jo)
    keep_records([by_office()], operator=OPERATOR, at=world.now())
    row, looked = RightRow.objects.get(pk=two.id), []

    def early(*given):
        looked.append(given)
        if len(looked) == 1:
            verify_against(one.id, by=mei.actor, at=world.now())
        return None if len(looked) == 1 else alone(*given)

    alone = verifying._must_be_alone
    monkeypatch.setattr(verifying, "_must_be_alone", lambda *given: None if given[0].pk != row.pk else early(*given))
    with pytest.raises(Refused, match=r"rights.verified_elsewhere"):
        verify_against(two.id, by=jo.actor, at=world.now())
    assert registry.right_of(jo.actor, two.id).right.state == "submitted"


def test_records_are_kept_once_and_the_newest_counts(world):
    older, newer = by_office(), by_office(fetched=datetime(2026, 11, 15, tzinfo=UTC))
    undated = lantern(source=Source(format="snapshot"))
    ahead = by_office(fetched=datetime(2027, 1, 1, tzinfo=UTC))
    nameless = by_office(lantern(application_number="", registration_number=""))
    kept = keep_records([newer, older, older, undated, ahead, nameless], operator=OPERATOR, at=world.now())
    assert (kept.new, kept.same) == (2, 1)
    assert [(place, error.code) for place, error in kept.problems] == [
        (3, "rights.source_undated"),
        (4, "rights.source_ahead"),
        (5, "rights.number_missing"),
    ]
    assert keep_records([older], operator=OPERATOR, at=world.now()).same == 1
    assert office_record(LANTERN) == newer


def test_chinese_records_of_each_class_are_read_together(world):
    chinese = lantern(office="CN", designations=(), application_number="123", registration_number="123")
    parts = [replace(by_office(chinese), classes=(Class(scheme="nice", code=code),)) for code in ("11", "25", "9")]
    keep_records(parts, operator=OPERATOR, at=world.now())
    assert [each.code for each in office_record(chinese).classes] == ["11", "25"]
    alone = replace(chinese, classes=chinese.classes[:1])
    assert [each.code for each in office_record(alone).classes] == ["11"]


def test_what_dies_at_its_office_dies_here_the_next_day(world, mei):
    lives, dies, waits = (
        lantern(application_number=each, registration_number=each, expiry_date=None) for each in ("1", "2", "3")
    )
    one, two = verified(world, mei, lives), verified(world, mei, dies)
    three = filed(world, mei, waits)
    before, newer = world.at, datetime(2026, 11, 15, tzinfo=UTC)
    dead = replace(dies, status="deleted")
    keep_records([by_office(each, fetched=newer) for each in (lives, dead, waits)], operator=OPERATOR, at=world.now())
    done = recheck(before, operator=OPERATOR, at=world.now())
    assert (done.compared, done.moved, done.left) == (3, 2, 0)
    states = [registry.right_of(mei.actor, each.id).right.state for each in (one, two, three)]
    assert states == ["verified", "cancelled", "verified"]
    again = recheck(before, operator=OPERATOR, at=world.now())
    assert (again.compared, again.moved) == (0, 0)
    assert recheck(world.now(), operator=OPERATOR, at=world.now()).compared == 0


def test_what_breaks_off_between_the_deposit_and_the_row_has_not_happened(world, mei, monkeypatch):
    """The digest is on the ledger, privately, and no history has it; the next try does all of it."""
    made = filed(world, mei)
    keep_records([by_office()], operator=OPERATOR, at=world.now())
    vouched(world, mei)

    def off(*_):
        raise RuntimeError("the machine stopped")

    with monkeypatch.context() as stopped:
        stopped.setattr(common, "show", off)
        with pytest.raises(RuntimeError):
            verify_against(made.id, by=mei.actor, at=world.now())
    assert registry.right_of(mei.actor, made.id).right == made.right
    assert len(registry.events_of(mei.actor, made.id)) == 2
    assert verify_against(made.id, by=mei.actor, at=world.now()).state == "verified"
    world.publish()
    assert registry.receipt_of(mei.actor, made.id, 3).index > 0
    rebuilt()
