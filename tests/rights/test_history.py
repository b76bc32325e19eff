"""Events are the truth: what is signed prints back, what was altered shows, and the past stays as it was known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world.rights import lantern

from chopmark.base import jcs
from chopmark.base.errors import Invalid
from chopmark.rights import encoding, lifecycle
from chopmark.rights.history import (
    PAYLOADS,
    Amended,
    Checked,
    Closed,
    DisputeClosed,
    DisputeOpened,
    Ended,
    Event,
    Filed,
    Granted,
    MandateAccepted,
    MandateGiven,
    MandateRevoked,
    Nothing,
    Payload,
    Renewed,
    allowed_in,
    fold,
    fold_mandate,
    follow,
    material_changes,
    right_as_of,
)
from chopmark.rights.record import Class, Designation, Dispute, Interest, Mandate, Party, Text, Verification

RIGHT = str(UUID(int=7))
START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
FILED = Filed(number="R-2026-000001", organisation=str(UUID(int=1)), record=lantern())
LEVEL_2 = Verification(level=2, method="office_record", at=START)


def story(*steps: tuple[str, Payload]) -> list[Event]:
    made: list[Event] = []
    for number, (kind, payload) in enumerate(steps, 1):
        made.append(
            Event(
                right=RIGHT,
                seq=number,
                type=kind,
                recorded_at=START + timedelta(hours=number),
                payload=payload,
                before=made[-1].sha256 if made else b"",
            )
        )
    return made


LIFE = story(
    ("filed", FILED),
    ("submitted", Nothing()),
    ("verified", Checked(verification=LEVEL_2, standing="identity")),
    ("interest_granted", Granted(interest=Interest(id="I1", party=Party(name="Jo"), role="licensee"))),
    ("dispute_opened", DisputeOpened(dispute=Dispute(id="D1", kind="court"))),
    ("dispute_closed", DisputeClosed(dispute="D1", on=date(2026, 11, 20), outcome="rejected")),
    ("interest_ended", Ended(interest="I1", on=date(2026, 11, 20))),
    ("expiring", Nothing()),
    ("grace", Nothing()),
    ("renewed", Renewed(expiry_date=date(2040, 1, 15))),
    ("withdrawn", Closed(reason="sold")),
)
STATES = [
    "draft",
    "submitted",
    "verified",
    "verified",
    "suspended",
    "verified",
    "verified",
    "expiring",
    "grace",
    "verified",
    "withdrawn",
]


def test_a_life_is_what_its_events_make_of_it():
    assert [fold(LIFE[: place + 1]).state for place in range(len(LIFE))] == STATES
    right = fold(LIFE)
    assert right.version == len(LIFE)
    assert right.record.expiry_date == date(2040, 1, 15)
    assert right.interests[0].ended_on == right.disputes[0].closed_on == date(2026, 11, 20)


def test_every_event_prints_back():
    for event in LIFE:
        assert Event.parse(event.encode()) == event


def test_the_past_stays_as_it_was_known():
    assert right_as_of(LIFE, START) is None
    for place, event in enumerate(LIFE):
        assert right_as_of(LIFE, event.recorded_at) == fold(LIFE[: place + 1])
        before = right_as_of(LIFE, event.recorded_at - timedelta(microseconds=1))
        assert before == (fold(LIFE[:place]) if place else None)


@pytest.mark.parametrize(
    ("why", "spoilt"),
    [
        ("first", LIFE[1:]),
        ("gap", [*LIFE[:2], *LIFE[3:]]),
        ("chain", [LIFE[0], replace(LIFE[1], before=bytes(32))]),
        ("chain", [replace(LIFE[0], payload=replace(FILED, number="R-2026-000002")), *LIFE[1:]]),
        ("subject", [LIFE[0], replace(LIFE[1], right=str(UUID(int=8)))]),
        ("time", [LIFE[0], replace(LIFE[1], recorded_at=START)]),
        ("first", [replace(LIFE[0], type="submitted", payload=Nothing())]),
        ("state", [*story(("filed", FILED), ("expired", Nothing()))]),
        ("state", [*story(("filed", FILED), ("verified", Checked(verification=LEVEL_2)))]),
        ("unknown", [*story(("filed", FILED), ("filed", FILED))]),
        ("unknown", [*story(("filed", FILED), ("mandate_revoked", MandateRevoked(on=date(2026, 1, 1))))]),
        ("first", []),
    ],
)
def test_a_history_that_was_tampered_with_is_no_history(why, spoilt):
    with pytest.raises(Invalid, match=r"rights.history_broken") as raised:
        fold(spoilt)
    assert raised.value.facts["reason"] == why


def spoil(**members: object) -> bytes:
    return jcs.encode({**jcs.decode(LIFE[0].encode()), **members})


@pytest.mark.parametrize(
    "data",
    [
        spoil(form="chopmark-right-event-2"),
        spoil(seq=0),
        spoil(seq=True),
        spoil(seq="1"),
        spoil(type="conquered"),
        spoil(more=1),
        spoil(right="7"),
        spoil(right=str(UUID(int=7)).upper().replace("0", "O")),
        spoil(recorded_at="2026-11-20T10:00:00+00:00"),
        spoil(recorded_at="2026-11-20T10:00:00.000000Z"),
        spoil(recorded_at="2026-13-20T10:00:00Z"),
        spoil(at_law="20261120"),
        spoil(before="0"),
        spoil(before="AB"),
        spoil(by=1),
        spoil(payload={}),
        spoil(payload={"number": "x", "organisation": "y", "record": {"kind": "trademark", "state": "verified"}}),
        spoil(payload=[]),
        b"{}",
        b"[]",
        b"",
        LIFE[0].encode() + b"\n",
    ],
)
def test_what_does_not_print_back_is_no_event(data):
    with pytest.raises(Invalid):
        Event.parse(data)


@given(
    seq=st.integers(1, 2**40),
    moment=st.datetimes(datetime(2000, 1, 1), datetime(2200, 1, 1)),  # noqa: DTZ001 (made aware below)
    day=st.none() | st.dates(),
    name=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40),
    before=st.just(b"") | st.binary(min_size=32, max_size=32),
)
def test_any_event_prints_back(seq, moment, day, name, before):
    event = Event(
        right=RIGHT,
        seq=seq,
        type="interest_granted",
        recorded_at=moment.replace(tzinfo=UTC),
        at_law=day,
        payload=Granted(interest=Interest(id="I1", party=Party(name=name), role="licensee", since=day)),
        before=before,
    )
    assert Event.parse(event.encode()) == event


@pytest.mark.parametrize(
    ("what", "changes", "material"),
    [
        ("the words", {"mark": replace(lantern().mark, verbal="BLUE LANTERN")}, True),
        ("a description", {"mark": replace(lantern().mark, description=(Text(text="x"),))}, False),
        ("an owner", {"owners": (Party(name="Jo"),)}, True),
        ("one class less", {"classes": lantern().classes[:1]}, False),
        ("one class more", {"classes": (*lantern().classes, Class(scheme="nice", code="9"))}, True),
        ("no class left", {"classes": ()}, True),
        ("another territory", {"designations": (Designation(territory="US"),)}, True),
        ("an agent", {"representatives": (Party(name="Agent"),)}, False),
        ("the number", {"registration_number": "1"}, True),
        ("the expiry", {"expiry_date": date(2050, 1, 1)}, True),
        ("the status", {"status": "pending"}, True),
        ("the raw texts", {"raw": {"status": "Registered"}}, False),
    ],
)
def test_a_change_of_what_was_verified_takes_it_back_to_checking(what, changes, material):
    begun = LIFE[:3]
    after = Event(
        right=RIGHT,
        seq=4,
        type="amended",
        recorded_at=START + timedelta(hours=9),
        payload=Amended(record=lantern(**changes)),
        before=begun[-1].sha256,
    )
    assert bool(material_changes(lantern(), lantern(**changes))) is material, what
    right = fold([*begun, after])
    assert (right.state, right.level) == (("checking", 0) if material else ("verified", 2))


def test_a_suspended_right_that_was_amended_is_suspended_again_when_verified():
    events = story(
        ("filed", FILED),
        ("submitted", Nothing()),
        ("verified", Checked(verification=LEVEL_2)),
        ("dispute_opened", DisputeOpened(dispute=Dispute(id="D1", kind="invalidity"))),
        ("amended", Amended(record=lantern(registration_number="2"))),
        ("verified", Checked(verification=LEVEL_2)),
    )
    assert [fold(events[: place + 1]).state for place in range(6)][3:] == ["suspended", "checking", "suspended"]


def test_a_dispute_of_one_territory_suspends_nothing_elsewhere():
    limited = Dispute(id="D1", kind="invalidity", territories=("DE",))
    events = story(
        ("filed", FILED),
        ("submitted", Nothing()),
        ("verified", Checked(verification=LEVEL_2)),
        ("dispute_opened", DisputeOpened(dispute=limited)),
    )
    assert fold(events).state == "verified"


def test_each_state_is_reached_and_no_event_leaves_the_table():
    """From every state that can be reached, every type of event leads to a known state or is refused."""
    samples: dict[str, Payload] = {each.type: each.payload for each in LIFE}
    samples |= {
        "checked": Checked(verification=replace(LEVEL_2, level=1)),
        "found_incorrect": Checked(verification=replace(LEVEL_2, level=0)),
        "amended": Amended(record=lantern(registration_number="3")),
        "expired": Nothing(),
        "cancelled": Closed(),
        "refused": Closed(),
        "renewal_claimed": Renewed(expiry_date=date(2040, 1, 15)),
    }
    first = fold(LIFE[:1])
    seen, todo = {first.state: first}, [first]
    while todo:
        right = todo.pop()
        for kind, payload in samples.items():
            event = Event(right=RIGHT, seq=right.version + 1, type=kind, recorded_at=START, payload=payload)
            if right.state not in allowed_in(kind):
                with pytest.raises(Invalid):
                    follow(right, event)
                continue
            after = follow(right, event)
            assert after.version == right.version + 1
            if after.state not in seen:
                seen[after.state] = after
                todo.append(after)
    assert set(seen) == {
        "draft",
        "submitted",
        "checking",
        "incorrect",
        "verified",
        "suspended",
        "expiring",
        "grace",
        "expired",
        "withdrawn",
        "cancelled",
        "refused",
    }  # and `assigned_away`, whose payload names a successor
    assert lifecycle.ENDS - set(seen) == {"assigned_away"}


def test_a_mandate_is_what_its_events_say():
    given_one = Mandate(id=RIGHT, principal="p", agent="a", powers=frozenset(("file",)))
    events = story(
        ("mandate_given", MandateGiven(mandate=given_one)),
        ("mandate_accepted", MandateAccepted(on=date(2026, 11, 30))),
        ("mandate_revoked", MandateRevoked(on=date(2026, 12, 1))),
    )
    assert fold_mandate(events[:1]) == given_one
    assert fold_mandate(events[:2]) == replace(given_one, accepted_on=date(2026, 11, 30))
    assert fold_mandate(events).revoked_on == date(2026, 12, 1)
    twice = story(
        ("mandate_given", MandateGiven(mandate=given_one)),
        ("mandate_accepted", MandateAccepted(on=date(2026, 11, 30))),
        ("mandate_accepted", MandateAccepted(on=date(2026, 11, 1))),
    )
    for wrong in (events[1:], LIFE[:1], [], twice):
        with pytest.raises(Invalid):
            fold_mandate(wrong)


def test_no_payload_can_say_how_the_right_stands():
    for kind in set(PAYLOADS.values()):
        with pytest.raises(Invalid):
            encoding.parse_exactly(kind, {"state": "verified"})
