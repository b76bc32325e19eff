"""Grants, assignments, customs, mandates, disputes, dates: what follows a filed right through its life."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest
import structlog
from world.rights import LANTERN, OPERATOR, by_office, filed, lantern, mandated, paper, rebuilt, verified, vouched

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused
from chopmark.rights import history
from chopmark.rights.actions import file as filing
from chopmark.rights.actions import interest
from chopmark.rights.actions.customs import NewRecordal, end_customs, record_customs
from chopmark.rights.actions.dispute import NewDispute, close_dispute, contest, open_dispute
from chopmark.rights.actions.file import amend, submit, withdraw
from chopmark.rights.actions.interest import NewInterest, assign, end_interest
from chopmark.rights.actions.mandate import NewMandate, accept_mandate, give_mandate, revoke_mandate
from chopmark.rights.actions.remind import remind
from chopmark.rights.actions.verify import verify_against
from chopmark.rights.queries import registry
from chopmark.rights.record import Class, Designation, Identifier, Party, Text
from chopmark.site import jobs

SELLER = Party(name="Lamps Ltd")
AHEAD = date(2027, 11, 1)


def grant(world, who, right, **more):
    new = {"party": SELLER, "role": "licensee", **more}
    return interest.license(right.id, NewInterest(**new), by=who.actor, at=world.now())


def test_a_seller_licensed_for_two_countries_may_sell_in_those(world, mei):
    right = verified(world, mei)
    grant(world, mei, right, role="authorised_seller", territories=("DE", "FR"), channels=("*.shop.example",))
    now = world.now()
    for place, channel, value in (
        ("DE", "my.shop.example", "yes"),
        ("FR", "my.shop.example", "yes"),
        ("IT", "my.shop.example", "no"),
        ("DE", "other.example", "no"),
        ("US", "my.shop.example", "unknown"),
    ):
        sale = registry.sale_of(mei.actor, right.id, territory=place, cls="11", channel=channel, party=SELLER, at=now)
        assert sale.value == value, (place, channel, sale.codes)
    ended = end_interest(right.id, "I1", by=mei.actor, at=world.now())
    assert ended.right.interests[0].ended_on == date(2026, 11, 20)
    sale = registry.sale_of(
        mei.actor, right.id, territory="DE", cls="11", channel="my.shop.example", party=SELLER, at=world.now()
    )
    assert sale.value == "no"
    with pytest.raises(Refused, match=r"rights.interest_over"):
        end_interest(right.id, "I1", by=mei.actor, at=world.now())


def test_a_grant_reaches_no_further_than_what_it_hangs_on(world, mei):
    right = verified(world, mei)
    grant(
        world,
        mei,
        right,
        role="licensee_exclusive",
        territories=("DE",),
        classes=("11",),
        channels=("offline",),
        until=AHEAD,
        quantity=100,
    )
    below = {"granted_by": "I1", "role": "authorised_seller", "until": AHEAD, "quantity": 10}
    for name, more in (
        ("territories", {"territories": ("FR",)}),
        ("classes", {"classes": ("25",)}),
        ("channels", {"channels": ("shop.example",)}),
        ("until", {"until": None}),
        ("until", {"until": AHEAD + timedelta(days=1)}),
        ("quantity", {"quantity": None}),
        ("quantity", {"quantity": 101}),
        ("territories", {"granted_by": "", "territories": ("US",)}),
        ("classes", {"granted_by": "", "classes": ("9",)}),
    ):
        with pytest.raises(Refused, match=r"rights.grant_too_wide") as raised:
            grant(world, mei, right, **{**below, **more})
        assert raised.value.facts["name"] == name
    grant(world, mei, right, **below, territories=("DE",))
    with pytest.raises(Refused, match=r"rights.grantor_may_not"):
        grant(world, mei, right, **{**below, "granted_by": "I2"})
    with pytest.raises(Refused, match=r"rights.interest_not_found"):
        grant(world, mei, right, **{**below, "granted_by": "I9"})


def test_a_grant_that_is_to_end_may_end_earlier_and_never_later(world, mei):
    right = grant(world, mei, verified(world, mei))
    for on in (AHEAD, date(2026, 12, 1)):
        end_interest(right.id, "I1", by=mei.actor, at=world.now(), on=on)
    for on in (date(2026, 12, 1), AHEAD):
        with pytest.raises(Refused, match=r"rights.interest_over"):
            end_interest(right.id, "I1", by=mei.actor, at=world.now(), on=on)
    assert registry.right_of(mei.actor, right.id).right.interests[0].ended_on == date(2026, 12, 1)


def test_an_exclusive_licence_leaves_no_room_beside_it(world, mei):
    right = verified(world, mei)
    grant(world, mei, right, role="licensee_exclusive", territories=("DE",), until=AHEAD)
    with pytest.raises(Refused, match=r"rights.exclusive_granted"):
        grant(world, mei, right, party=Party(name="Other"), territories=("DE",))
    with pytest.raises(Refused, match=r"rights.exclusive_granted"):
        grant(world, mei, right, party=Party(name="Other"))
    grant(world, mei, right, party=Party(name="Other"), territories=("FR",))
    grant(world, mei, right, party=Party(name="Other"), territories=("DE",), since=AHEAD)


@pytest.mark.parametrize(
    ("why", "more"),
    [
        ("rights.role_unknown", {"role": "owner"}),
        ("rights.role_unknown", {"role": "assignee"}),
        ("rights.party_missing", {"party": Party(name=" ")}),
        ("rights.number_not_positive", {"quantity": 0}),
        ("rights.dates_contradict", {"since": AHEAD, "until": AHEAD}),
        ("rules.territory_unknown", {"territories": ("XQ",)}),
        ("rights.agent_unknown", {"organisation": uuid4()}),
    ],
)
def test_what_is_no_grant_is_refused(world, mei, why, more):
    right = filed(world, mei)
    with pytest.raises((Invalid, Refused)) as raised:
        grant(world, mei, right, **more)
    assert raised.value.code == why


def test_an_assigned_right_goes_on_as_the_new_owners_draft(world, mei, jo):
    right = verified(world, mei)
    grant(world, mei, right, territories=("DE",))
    new_owner = Party(name="Jo Smith's studio", country="GB")
    gone = assign(
        right.id,
        new_owner,
        organisation=jo.actor.organisation_id,
        recorded_at_office=True,
        by=mei.actor,
        at=world.now(),
    )
    assert gone.state == "assigned_away"
    [theirs] = registry.rights_of(jo.actor).items
    assert (theirs.state, theirs.record.owners, theirs.level) == ("draft", (new_owner,), 0)
    assert [each.role for each in theirs.right.interests] == ["licensee", "assignee"]
    assert registry.events_of(mei.actor, right.id)[-1].payload["successor"] == str(theirs.id)
    submit(theirs.id, by=jo.actor, at=world.now())
    vouched(world, jo, "Jo Smith's studio", "GB")
    # The register still names the old owner: the recorded assignment explains it.
    assert verify_against(theirs.id, by=jo.actor, at=world.now()).state == "verified"
    with pytest.raises(Refused, match=r"rights.state_wrong"):
        grant(world, mei, right)


def test_who_assigns_learns_nothing_of_what_the_other_filed(world, mei, jo):
    """An assignment is answered alike, whether the new owner had filed the same before or not."""
    right, buyer = verified(world, mei), Party(name="Jo Smith's studio", country="GB")
    secret = [
        filed(world, jo, submit=False),
        filed(world, jo, lantern(registration_number="9", application_number="9")),
    ]
    assign(right.id, buyer, organisation=jo.actor.organisation_id, by=mei.actor, at=world.now())
    told = registry.event_document(mei.actor, right.id, registry.right_of(mei.actor, right.id).right.version).decode()
    assert not [each for each in secret if str(each.id) in told or each.number in told]
    [new] = [each for each in registry.rights_of(jo.actor).items if each.id not in {one.id for one in secret}]
    assert (str(new.id) in told, new.state, new.filed_by) == (True, "draft", mei.actor.organisation_id)


def test_what_is_assigned_fills_nobodys_drawer_and_is_bounded_by_what_its_giver_did(world, mei, jo, monkeypatch):
    monkeypatch.setattr(filing, "MAX_DRAFTS", 1)
    monkeypatch.setattr(interest, "MAX_ASSIGNED", 1)
    where = {"organisation": jo.actor.organisation_id, "by": mei.actor}
    numbered = [lantern(registration_number=each, application_number=each) for each in ("5", "6", "7", "8")]
    one, two = verified(world, mei, numbered[0]), verified(world, mei, numbered[1])
    assign(one.id, SELLER, at=world.now(), **where)
    with pytest.raises(Refused, match=r"rights.too_many_assigned"):
        assign(two.id, SELLER, at=world.now(), **where)
    assert filed(world, jo, numbered[2], submit=False).state == "draft"
    with pytest.raises(Refused, match=r"rights.too_many_drafts"):
        filed(world, jo, numbered[3], submit=False)
    assert assign(two.id, SELLER, at=world.now() + timedelta(days=1), **where).state == "assigned_away"


def test_the_pieces_of_all_sub_grants_are_not_more_than_the_grants(world, mei):
    right = verified(world, mei)
    grant(world, mei, right, quantity=100)
    grant(world, mei, right, granted_by="I1", quantity=60)
    for wrong in (41, None):
        with pytest.raises(Refused, match=r"rights.grant_too_wide"):
            grant(world, mei, right, granted_by="I1", quantity=wrong)
    end_interest(right.id, "I2", by=mei.actor, at=world.now())  # nobody knows how many of the sixty were sold
    with pytest.raises(Refused, match=r"rights.grant_too_wide"):
        grant(world, mei, right, granted_by="I1", quantity=41)
    grant(world, mei, right, granted_by="I1", quantity=40)
    grant(world, mei, right, quantity=100)


def test_an_assignment_explains_an_owner_of_that_registration_alone(world, mei, jo):
    """Who was assigned one mark writes another's number into it, and is not its owner by that."""
    right = verified(world, mei)
    buyer = Party(name="Jo Smith's studio", country="GB")
    where = {"by": mei.actor, "organisation": jo.actor.organisation_id, "recorded_at_office": True}
    assign(right.id, buyer, at=world.now(), **where)
    [theirs] = registry.rights_of(jo.actor).items
    vouched(world, jo, "Jo Smith's studio", "GB")
    famous = lantern(application_number="5", registration_number="5", owners=(Party(name="Grand Lamps"),))
    amend(theirs.id, replace(famous, owners=(buyer,)), by=jo.actor, at=world.now())
    submit(theirs.id, by=jo.actor, at=world.now())
    stolen = verify_against(theirs.id, by_office(famous), by=OPERATOR, at=world.now())
    assert (stolen.state, stolen.level) == ("incorrect", 0)


def test_who_sold_a_mark_at_the_office_does_not_assign_it_here(world, mei, jo):
    right = verified(world, mei)
    where = {"by": mei.actor, "organisation": jo.actor.organisation_id, "recorded_at_office": True}
    assign(right.id, Party(name="Jo Smith's studio", country="GB"), at=world.now(), **where)
    [theirs] = registry.rights_of(jo.actor).items
    submit(theirs.id, by=jo.actor, at=world.now())
    vouched(world, jo, "Jo Smith's studio", "GB")
    sold = by_office(lantern(owners=(Party(name="Grand Lamps"),)), fetched=world.now())
    assert verify_against(theirs.id, sold, by=OPERATOR, at=world.now()).state == "checking"


def test_who_assigned_a_class_away_gets_no_other_mark_by_it(world, mei):
    """The buyer is another mark's owner: that explains nothing about that other mark."""
    right = verified(world, mei)
    grand = Party(name="Grand Lamps")
    assign(right.id, grand, classes=("25",), recorded_at_office=True, by=mei.actor, at=world.now())
    famous = lantern(application_number="5", registration_number="5", owners=(grand,))
    amend(right.id, replace(famous, owners=LANTERN.owners), by=mei.actor, at=world.now())
    assert verify_against(right.id, by_office(famous), by=OPERATOR, at=world.now()).state == "incorrect"


def test_a_partial_assignment_leaves_the_rest(world, mei, jo):
    right = verified(world, mei)
    kept = assign(
        right.id,
        Party(name="Jo"),
        organisation=jo.actor.organisation_id,
        classes=("25",),
        by=mei.actor,
        at=world.now(),
    )
    today = world.at.date()
    assert (kept.state, [(each.code, each.until) for each in kept.record.classes]) == (
        "verified",
        [("11", None), ("25", today)],
    )
    [theirs] = registry.rights_of(jo.actor).items
    assert [(each.code, each.until) for each in theirs.record.classes] == [("25", None)]
    assert registry.rights_of(mei.actor, registry.Filters(cls="25")).items == ()
    before = today - timedelta(days=1)
    asked = {"territory": "DE", "cls": "25", "at": world.now()}
    said = {day: registry.decision_of(mei.actor, right.id, **asked, on=day).may for day in (before, today)}
    assert said == {before: "yes", today: "no"}
    for wrong in (
        lambda: assign(right.id, SELLER, classes=("25",), by=mei.actor, at=world.now()),
        lambda: grant(world, mei, right, classes=("25",)),
    ):
        with pytest.raises(Refused, match=r"rights.grant_too_wide"):
            wrong()
    rebuilt()
    assert assign(right.id, SELLER, classes=("11",), by=mei.actor, at=world.now()).state == "assigned_away"


def test_no_change_of_the_record_brings_an_assigned_class_back(world, mei, jo):
    """The register may name the giver for a while: nobody has a class there that he gave away."""
    right = verified(world, mei)
    where = {"organisation": jo.actor.organisation_id, "by": mei.actor, "recorded_at_office": True}
    assign(right.id, Party(name="Jo Smith's studio", country="GB"), classes=("25",), at=world.now(), **where)
    [theirs] = registry.rights_of(jo.actor).items
    for record in (LANTERN, lantern(title="Changed", classes=(Class(scheme="nice", code="025"), *LANTERN.classes))):
        amend(right.id, record, by=mei.actor, at=world.now())
        verify_against(right.id, by_office(fetched=world.now()), by=OPERATOR, at=world.now())
        asked = {"territory": "DE", "at": world.now()}
        assert registry.decision_of(mei.actor, right.id, cls="11", **asked).may == "yes"
        assert registry.decision_of(mei.actor, right.id, cls="25", **asked).may == "no"
    submit(theirs.id, by=jo.actor, at=world.now())
    vouched(world, jo, "Jo Smith's studio", "GB")
    assert verify_against(theirs.id, by=jo.actor, at=world.now()).state == "verified"
    both = [registry.decision_of(mei.actor, right.id, cls=cls, **asked).may for cls in ("11", "25")]
    both += [registry.decision_of(jo.actor, theirs.id, cls=cls, **asked).may for cls in ("11", "25")]
    assert both == ["yes", "no", "no", "yes"]
    amend(theirs.id, replace(theirs.record, classes=LANTERN.classes), by=jo.actor, at=world.now())
    with pytest.raises(Refused, match=r"rights.verified_elsewhere"):  # no more than what was assigned
        verify_against(theirs.id, by=jo.actor, at=world.now())


def test_a_chinese_class_goes_with_its_subclasses(world, mei, jo):
    codes = (("nice", "11"), ("cn_subclass", "1101"), ("nice", "25"), ("cn_subclass", "2501"))
    classes = tuple(Class(scheme=scheme, code=code) for scheme, code in codes)
    right = verified(world, mei, lantern(office="CN", designations=(), classes=classes))
    buyer = Party(name="Jo Smith's studio", country="GB")
    where = {"organisation": jo.actor.organisation_id, "by": mei.actor, "recorded_at_office": True}
    kept = assign(right.id, buyer, classes=("25",), at=world.now(), **where)
    assert [each.code for each in kept.record.classes if each.until is not None] == ["25", "2501"]
    [theirs] = registry.rights_of(jo.actor).items
    assert [each.code for each in theirs.record.classes] == ["25", "2501"]
    submit(theirs.id, by=jo.actor, at=world.now())
    vouched(world, jo, "Jo Smith's studio", "GB")
    assert verify_against(theirs.id, by=jo.actor, at=world.now()).state == "verified"  # China keeps a record a class
    assert assign(right.id, buyer, classes=("11",), at=world.now(), **where).state == "assigned_away"


def test_a_new_owner_says_nothing_of_the_days_before_the_assignment(world, mei, jo):
    right = verified(world, mei)
    grant(world, mei, right, territories=("DE",))
    buyer = Party(name="Jo Smith's studio", country="GB")
    where = {"organisation": jo.actor.organisation_id, "by": mei.actor, "recorded_at_office": True}
    assign(right.id, buyer, at=world.now(), **where)
    [theirs] = registry.rights_of(jo.actor).items
    submit(theirs.id, by=jo.actor, at=world.now())
    vouched(world, jo, "Jo Smith's studio", "GB")
    verify_against(theirs.id, by=jo.actor, at=world.now())
    today = world.at.date()
    for day, value in ((today - timedelta(days=1), "unknown"), (today, "yes")):
        asked = {"territory": "DE", "cls": "11", "at": world.now(), "on": day}
        assert registry.decision_of(jo.actor, theirs.id, **asked).may == value
        assert registry.sale_of(jo.actor, theirs.id, party=SELLER, **asked).value == value
        assert registry.sale_of(jo.actor, theirs.id, seller=jo.actor.organisation_id, **asked).value == value


def test_what_was_not_verified_is_not_assigned(world, mei, jo):
    right = filed(world, mei)
    for wrong in ({}, {"organisation": jo.actor.organisation_id}):
        with pytest.raises(Refused, match=r"rights.state_wrong"):
            assign(right.id, SELLER, by=mei.actor, at=world.now(), **wrong)
    assert registry.rights_of(jo.actor).items == ()


def test_a_recordal_with_customs_is_noted_prolonged_and_ended(world, mei):
    right = verified(world, mei)
    first = NewRecordal(authority="DE", number="T2026-1", since=date(2026, 1, 1), until=date(2027, 1, 1))
    record_customs(right.id, first, by=mei.actor, at=world.now())
    longer = record_customs(right.id, replace(first, until=date(2028, 1, 1)), by=mei.actor, at=world.now())
    assert [(each.id, each.until) for each in longer.right.customs] == [("C1", date(2028, 1, 1))]
    ended = end_customs(right.id, "C1", by=mei.actor, at=world.now(), on=date(2026, 11, 1))
    assert ended.right.customs[0].until == date(2026, 11, 1)
    with pytest.raises(Refused, match=r"rights.customs_elsewhere"):
        record_customs(right.id, replace(first, authority="CN"), by=mei.actor, at=world.now())
    with pytest.raises(Invalid, match=r"rights.recordal_number_missing"):
        record_customs(right.id, replace(first, number=" "), by=mei.actor, at=world.now())
    with pytest.raises(Refused, match=r"rights.recordal_not_found"):
        end_customs(right.id, "C7", by=mei.actor, at=world.now())


def test_chinese_customs_records_no_mark_for_services_alone(world, mei):
    right = filed(world, mei, lantern(office="CN", designations=(), classes=(Class(scheme="nice", code="35"),)))
    with pytest.raises(Refused, match=r"rights.customs_services"):
        record_customs(right.id, NewRecordal(authority="CN", number="1"), by=mei.actor, at=world.now())


def test_a_mandate_shows_an_agent_its_client_s_rights_and_no_more(world, mei, jo):
    one, two = filed(world, mei), filed(world, mei, lantern(application_number="2", registration_number="2"))
    assert registry.portfolio_of(jo.actor, at=world.now()) == ()
    power = paper(world, mei, kind="mandate")
    given = mandated(world, mei, jo, "notice", "customs", rights=(one.number,), paper=power)
    [client] = registry.portfolio_of(jo.actor, at=world.now())
    assert (client.organisation_id, client.rights) == (mei.actor.organisation_id, 1)
    assert registry.right_of(jo.actor, one.number, at=world.now()).summary.id == one.id
    assert [each.id for each in registry.rights_of(jo.actor, at=world.now()).items] == [one.id]
    for hidden in ((two.id, world.now()), (one.id, None)):
        with pytest.raises(Refused, match=r"rights.not_found"):
            registry.right_of(jo.actor, hidden[0], at=hidden[1])
    record_customs(one.id, NewRecordal(authority="FR", number="1"), by=jo.actor, at=world.now())
    for forbidden in (
        lambda: submit(one.id, by=jo.actor, at=world.now()),
        lambda: verify_against(one.id, by=jo.actor, at=world.now()),
    ):
        with pytest.raises(Refused, match=r"rights.mandate_missing"):
            forbidden()
    for owners_only in (
        lambda: grant(world, jo, one),
        lambda: end_interest(one.id, "I1", by=jo.actor, at=world.now()),
        lambda: assign(one.id, SELLER, by=jo.actor, at=world.now()),
        lambda: open_dispute(one.id, NewDispute(kind="court"), by=jo.actor, at=world.now()),
    ):
        with pytest.raises(Refused, match=r"rights.not_found"):
            owners_only()
    assert registry.mandates_of(jo.actor, at=world.now())[0].in_force
    revoked = revoke_mandate(given.id, by=jo.actor, at=world.now())  # an agent may lay it down
    assert not revoked.in_force
    assert registry.portfolio_of(jo.actor, at=world.now()) == ()
    with pytest.raises(Refused, match=r"rights.mandate_over"):
        revoke_mandate(given.id, by=mei.actor, at=world.now())


def test_a_mandate_has_no_effect_until_an_owner_of_the_agent_accepts_it(world, mei, jo):
    right = verified(world, mei)
    asked = {"territory": "DE", "cls": "11"}
    new = NewMandate(agent=jo.actor.organisation_id, powers=frozenset({"notice", "file"}))
    given = give_mandate(new, by=mei.actor, at=world.now())
    assert (given.in_force, given.offered) == (False, True)
    assert registry.portfolio_of(jo.actor, at=world.now()) == ()
    with pytest.raises(Refused, match=r"rights.not_found"):
        registry.decision_of(jo.actor, right.id, **asked, at=world.now())
    with pytest.raises(Refused, match=r"rights.mandate_missing"):
        filed(world, jo, lantern(registration_number="9"), organisation=mei.actor.organisation_id)
    stranger, clerk = world.person("Sam Stranger"), world.person("Cle Clerk", role="depositor", of=jo)
    for who, why in (
        (mei, "rights.mandate_not_yours"),
        (stranger, "rights.mandate_not_found"),
        (clerk, "people.not_allowed"),
    ):
        with pytest.raises(Refused) as raised:
            accept_mandate(given.id, by=who.actor, at=world.now())
        assert raised.value.code == why
    accepted = accept_mandate(given.id, by=jo.actor, at=world.now())
    assert (accepted.in_force, accepted.offered) == (True, False)
    assert accept_mandate(given.id, by=jo.actor, at=world.now()) == accepted
    assert registry.decision_of(jo.actor, right.id, **asked, at=world.now()).may == "yes"
    before = world.now().date() - timedelta(days=1)
    told = registry.decision_of(jo.actor, right.id, **asked, at=world.now(), on=before)
    assert told.may == "no"
    story = [each.type for each in registry.events(given.id)]
    assert story == ["mandate_given", "mandate_accepted"]
    revoke_mandate(given.id, by=mei.actor, at=world.at - timedelta(days=0, hours=1))  # the clock went back
    assert [each.type for each in registry.events(given.id)] == [*story, "mandate_revoked"]
    assert history.fold_mandate(registry.events(given.id)) == registry.mandates_of(jo.actor, at=world.now())[0].mandate


@pytest.mark.parametrize("who", ["principal", "agent"])
def test_a_mandate_that_was_revoked_refused_or_is_over_is_not_accepted(world, mei, jo, who):
    by = {"principal": mei, "agent": jo}[who]
    new = NewMandate(agent=jo.actor.organisation_id, powers=frozenset({"notice"}))
    given = give_mandate(new, by=mei.actor, at=world.now())
    ended = revoke_mandate(given.id, by=by.actor, at=world.now())
    assert (ended.in_force, ended.offered) == (False, False)
    today = world.now().date()
    brief = give_mandate(replace(new, until=today + timedelta(days=1)), by=mei.actor, at=world.now())
    for which, at in ((given, world.now()), (brief, world.now() + timedelta(days=1))):
        with pytest.raises(Refused, match=r"rights.mandate_over"):
            accept_mandate(which.id, by=jo.actor, at=at)


def test_a_mandate_for_one_country_does_not_reach_what_is_everywhere(world, mei, jo):
    work = replace(LANTERN, kind="copyright", office="", mark=None, title="Lanterns", classes=(), designations=())
    work = replace(work, application_number="", registration_number="", registration_date=None, expiry_date=None)
    made = filed(world, mei, work)
    mandated(world, mei, jo, "withdraw", territories=("DE",))
    with pytest.raises(Refused, match=r"rights.mandate_missing"):
        withdraw(made.id, by=jo.actor, at=world.now())
    mandated(world, mei, jo, "withdraw")
    assert withdraw(made.id, by=jo.actor, at=world.now()).state == "withdrawn"


def test_an_agent_cannot_put_off_the_end_of_its_mandate(world, mei, jo):
    given = mandated(world, mei, jo, "withdraw")
    assert revoke_mandate(given.id, by=jo.actor, at=world.now(), on=date(9999, 12, 31)).in_force
    with pytest.raises(Refused, match=r"rights.mandate_over"):
        revoke_mandate(given.id, by=jo.actor, at=world.now(), on=date(9999, 12, 31))
    assert not revoke_mandate(given.id, by=mei.actor, at=world.now()).in_force
    with pytest.raises(Refused, match=r"rights.mandate_over"):
        revoke_mandate(given.id, by=jo.actor, at=world.now(), on=date(9999, 12, 31))


def test_a_mandate_counts_from_its_first_day_to_the_day_before_its_end(world, mei, jo):
    right = filed(world, mei)
    today = world.at.date()
    mandated(world, mei, jo, "file", since=today + timedelta(days=1), until=today + timedelta(days=2))
    seen = [bool(registry.rights_of(jo.actor, at=world.at + timedelta(days=each)).items) for each in range(3)]
    assert seen == [False, True, False]
    assert right.state == "submitted"


@pytest.mark.parametrize(
    ("why", "more"),
    [
        ("rights.power_unknown", {"powers": frozenset()}),
        ("rights.power_unknown", {"powers": frozenset({"file", "sell"})}),
        ("rights.agent_unknown", {"agent": uuid4()}),
        ("rights.dates_contradict", {"since": AHEAD, "until": AHEAD}),
        ("rights.not_found", {"rights": ("R-2026-000009",)}),
        ("rules.territory_unknown", {"territories": ("XQ",)}),
    ],
)
def test_what_is_no_mandate_is_refused(world, mei, jo, why, more):
    new = {"agent": jo.actor.organisation_id, "powers": frozenset({"file"}), **more}
    with pytest.raises((Invalid, Refused)) as raised:
        give_mandate(NewMandate(**new), by=mei.actor, at=world.now())
    assert raised.value.code == why


def test_a_mandate_cannot_name_somebody_elses_right_or_oneself(world, mei, jo):
    theirs = filed(world, jo)
    for more, why in (
        ({"rights": (theirs.number,)}, "rights.not_found"),
        ({"agent": mei.actor.organisation_id}, "rights.agent_self"),
    ):
        new = {"agent": jo.actor.organisation_id, "powers": frozenset({"file"}), **more}
        with pytest.raises(Refused) as raised:
            give_mandate(NewMandate(**new), by=mei.actor, at=world.now())
        assert raised.value.code == why
    given = give_mandate(
        NewMandate(agent=jo.actor.organisation_id, powers=frozenset({"file"})), by=mei.actor, at=world.now()
    )
    stranger = world.person("Sam Stranger")
    with pytest.raises(Refused, match=r"rights.mandate_not_found"):
        revoke_mandate(given.id, by=stranger.actor, at=world.now())
    with pytest.raises(Refused, match=r"rights.day_past"):
        revoke_mandate(given.id, by=mei.actor, at=world.now(), on=date(2026, 1, 1))


def test_a_dispute_suspends_until_it_is_over(world, mei):
    right = verified(world, mei)
    opened = open_dispute(right.id, NewDispute(kind="invalidity", forum="EUIPO"), by=OPERATOR, at=world.now())
    assert opened.state == "suspended"
    with pytest.raises(Refused, match=r"rights.dispute_not_yours"):
        close_dispute(right.id, "D1", "rejected", by=mei.actor, at=world.now())
    own = open_dispute(right.id, NewDispute(kind="court"), by=mei.actor, at=world.now())
    assert [each.id for each in own.right.disputes] == ["D1", "D2"]
    assert close_dispute(right.id, "D1", "rejected", by=OPERATOR, at=world.now()).state == "suspended"
    assert close_dispute(right.id, "D2", "settled", by=mei.actor, at=world.now()).state == "verified"
    with pytest.raises(Refused, match=r"rights.dispute_over"):
        close_dispute(right.id, "D2", "again", by=mei.actor, at=world.now())


@pytest.mark.parametrize("way", ["withdrawn", "assigned"])
def test_nobody_leaves_a_dispute_behind(world, mei, jo, way):
    """Neither by giving the right up and filing it anew, nor by assigning it to a second account."""
    right = verified(world, mei)
    open_dispute(right.id, NewDispute(kind="opposition"), by=mei.actor, at=world.now())
    open_dispute(right.id, NewDispute(kind="bad_faith", forum="EUIPO"), by=OPERATOR, at=world.now())
    open_dispute(right.id, NewDispute(kind="court", effect="none"), by=OPERATOR, at=world.now())
    if way == "withdrawn":
        withdraw(right.id, by=mei.actor, at=world.now())
        again, who = filed(world, mei), mei
    else:
        vouched(world, jo, "Jo Smith's studio", "GB")
        where = {"by": mei.actor, "organisation": jo.actor.organisation_id, "recorded_at_office": True}
        assign(right.id, Party(name="Jo Smith's studio", country="GB"), at=world.now(), **where)
        [again], who = registry.rights_of(jo.actor).items, jo
        submit(again.id, by=jo.actor, at=world.now())
    done = verify_against(again.id, by=who.actor, at=world.now())
    kinds = ["bad_faith"] if way == "withdrawn" else ["opposition", "bad_faith"]
    assert (done.state, [each.kind for each in done.right.disputes]) == ("suspended", kinds)
    with pytest.raises(Refused, match=r"rights.dispute_not_yours"):
        close_dispute(again.id, "D1", "over", by=who.actor, at=world.now())
    # Once it is settled it stays so.
    for each in done.right.disputes:
        close_dispute(again.id, each.id, "withdrawn by all", by=OPERATOR, at=world.now())
    later = verify_against(again.id, by_office(fetched=world.now()), by=OPERATOR, at=world.now())
    assert (later.state, len(later.right.disputes)) == ("verified", len(kinds))


def test_who_contests_a_filing_suspends_nothing_and_learns_nothing(world, mei, jo):
    theirs, mine = verified(world, jo, lantern(owners=(Party(name="Jo"),))), filed(world, mei)
    assert contest(mine.id, "It is ours", by=mei.actor, at=world.now()) is None
    contest(mine.id, "It is ours", by=mei.actor, at=world.now())
    after = registry.right_of(jo.actor, theirs.id).right
    assert (after.state, [(each.kind, each.effect, each.other) for each in after.disputes]) == (
        "verified",
        [("ownership", "none", mine.number)],
    )
    lonely = filed(world, mei, lantern(application_number="4", registration_number="4"))
    assert contest(lonely.id, "Nobody has it", by=mei.actor, at=world.now()) is None
    with pytest.raises(Refused, match=r"rights.not_found"):
        contest(theirs.id, "not mine", by=mei.actor, at=world.now())


def test_two_verified_owners_in_one_place_and_class_are_a_dispute(world, mei, jo):
    one = verified(world, mei)
    there = (Designation(territory="DE", status="registered"), Designation(territory="US", status="registered"))
    other = verified(
        world,
        jo,
        lantern(
            office="WO",
            application_number="77",
            registration_number="77",
            owners=(Party(name="Jo Smith's studio"),),
            mark=replace(LANTERN.mark, verbal="Red-Lantern"),
            designations=there,
        ),
    )
    mine, theirs = registry.right_of(mei.actor, one.id).right, registry.right_of(jo.actor, other.id).right
    assert [(each.kind, each.effect, each.territories) for each in mine.disputes] == [
        ("same_territory", "limit", ("DE",))
    ]
    assert [(each.other, each.territories) for each in theirs.disputes] == [(one.number, ("DE",))]
    assert mine.state == theirs.state == "verified"
    decisions = {
        (who, place): registry.decision_of(actor, right, territory=place, cls="11", at=world.now()).may
        for who, actor, right in (("mei", mei.actor, one.id), ("jo", jo.actor, other.id))
        for place in ("DE", "US")
    }
    assert decisions[("mei", "DE")] != "yes"
    assert decisions[("jo", "DE")] != "yes"
    assert decisions[("jo", "US")] == "yes"
    [conflict] = registry.conflicts_of(mei.actor, one.id, at=world.now())
    assert (conflict.number, conflict.territories) == (other.number, ("DE",))
    # What a person settled is not opened again by the next comparison.
    close_dispute(one.id, "D1", "coexistence agreement", by=OPERATOR, at=world.now())
    assert len(verify_against(one.id, by_office(), by=OPERATOR, at=world.now()).right.disputes) == 1


@pytest.mark.parametrize(
    ("owner", "found", "words"),
    [
        ({"also": (Text(text="Mei Lan's studio"),)}, {}, "RED LANTERN"),
        ({"identifiers": (Identifier(scheme="USCC", value="1"),)}, {}, "RED LANTERN"),
        (
            {"name": "Mei Lan's studio", "identifiers": (Identifier(scheme="office:WO", value="9"),)},
            {"identifiers": (Identifier(scheme="office:WO", value="9"),)},
            "RED LANTERN",
        ),
        ({}, {}, ""),
    ],
)
def test_nothing_that_a_claimant_says_or_leaves_out_hides_a_rival(world, mei, jo, owner, found, words):  # noqa: PLR0917 (a table)
    """A name or number beside the owner's, the rival's name in place of one's own, no words where there are some."""
    mine = Party(name="Mei Lan's studio", country="CN", identifiers=(Identifier(scheme="USCC", value="1"),))
    one = verified(world, mei, lantern(owners=(mine,)))
    theirs = lantern(
        office="WO",
        application_number="77",
        registration_number="77",
        owners=(Party(name="Jo Smith's studio"),),
        designations=(Designation(territory="DE", status="registered", via="madrid"),),
    )
    official = replace(theirs, owners=(replace(theirs.owners[0], **found),))
    vouched(world, jo, "Jo Smith's studio", "")
    claim = replace(theirs, owners=(replace(theirs.owners[0], **owner),), mark=replace(LANTERN.mark, verbal=words))
    made = filed(world, jo, claim)
    done = verify_against(made.id, by_office(official), by=OPERATOR, at=world.now())
    assert (done.state, [each.other for each in done.right.disputes]) == ("verified", [one.number])
    [conflict] = registry.conflicts_of(jo.actor, made.id, at=world.now())
    assert conflict.number == one.number
    assert [each.other for each in registry.right_of(mei.actor, one.id).right.disputes] == [made.number]


def test_equal_signs_in_other_countries_or_classes_are_no_dispute(world, mei, jo):
    verified(world, mei)
    for number, more in (
        ("1", {"office": "US", "designations": (Designation(territory="US", status="registered"),)}),
        ("2", {"classes": (Class(scheme="nice", code="33"),)}),
    ):
        record = lantern(application_number=number, registration_number=number, owners=(Party(name="Jo"),), **more)
        assert verified(world, jo, record).right.disputes == ()


def test_the_calendar_moves_rights_on_and_reminds(world, mei):
    expiry = world.at.date() + timedelta(days=100)
    right = verified(world, mei, lantern(expiry_date=expiry))
    grant(world, mei, right, until=world.at.date() + timedelta(days=50))
    filed(world, mei, lantern(application_number="3", registration_number="3", expiry_date=None))
    first = remind(world.now())
    assert (first.seen, first.moved, first.reminded) == (1, 1, 2)
    again = remind(world.now())
    assert (again.moved, again.reminded) == (0, 0)
    kinds = [(each.kind, each.subject) for each in registry.reminders_of(mei.actor, at=world.now())]
    assert kinds == [("interest", "I1"), ("renewal", "")]
    states = []
    for days in (101, 101 + 100, 101 + 200):
        remind(world.at + timedelta(days=days))
        states.append(registry.right_of(mei.actor, right.id).right.state)
    assert states == ["grace", "grace", "expired"]
    assert registry.reminders_of(mei.actor, at=world.now()) == ()
    assert [each.type for each in registry.events_of(mei.actor, right.id)][-3:] == ["expiring", "grace", "expired"]


def test_the_worker_looks_at_the_calendar_once_a_day(world, mei):
    today = clock.now().date()
    right = verified(world, mei, lantern(expiry_date=today + timedelta(days=30)))
    lines = structlog.get_logger("worker")
    done = jobs._renew_once_a_day(SimpleNamespace(stampers=()), None, lines)
    assert done == today
    assert registry.right_of(mei.actor, right.id).right.state == "expiring"
