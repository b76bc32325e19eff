"""What a court's own programme would make of the events: read as JSON, folded and judged by other, slower code.

It knows four offices and six countries, marks by Nice class, and none of the modules that it checks; the documents
(docs/rights.md, the docstrings of `record`) are what both were written from.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from chopmark.base.errors import Invalid, Refused
from chopmark.rights import history
from chopmark.rights.coverage import covers, may_act, may_sell
from chopmark.rights.history import (
    Amended,
    Assigned,
    Checked,
    Closed,
    DisputeClosed,
    DisputeOpened,
    Ended,
    Event,
    Filed,
    Granted,
    Nothing,
    Renewed,
    right_as_of,
)
from chopmark.rights.record import Class, Designation, Dispute, Interest, Mark, Party, Record, Status, Verification

START = datetime(2020, 1, 1, 23, 30, tzinfo=UTC)
COUNTRIES = ["DE", "FR", "GB", "JP", "CN", "US"]
CODES = ["9", "25"]

# ---- the twin --------------------------------------------------------------------------------------------------------

Json = dict[str, Any]
WORSE = {"no": 0, "unknown": 1, "yes": 2}


def worst(*values: str) -> str:
    return min(values, key=WORSE.__getitem__)


def best(values: list[str]) -> str:
    return max(values, key=WORSE.__getitem__)


def twin_fold(bodies: list[bytes], until: datetime) -> Json | None:
    """A right as plain JSON, with its state, after what was recorded until then."""
    right: Json | None = None
    for body in bodies:
        event = json.loads(body)
        if datetime.fromisoformat(event["recorded_at"]) > until:
            continue
        right = twin_step(right or {}, event["type"], event["payload"])
        right["version"] = event["seq"]
    return right


def twin_step(right: Json, kind: str, said: Json) -> Json:  # noqa: C901, PLR0911, PLR0912 (one branch a type)
    used = right.get("state") in ("verified", "expiring", "grace")
    match kind:
        case "filed":
            return {
                "state": "draft",
                "record": said["record"],
                "level": 0,
                "interests": said.get("interests", []),
                "disputes": [],
                "organisation": said["organisation"],
            }
        case "submitted":
            return {**right, "state": "submitted" if right["state"] == "draft" else "checking"}
        case "checked":
            return {**right, "state": "checking", "level": said["verification"]["level"]}
        case "found_incorrect":
            return {**right, "state": "incorrect", "level": said["verification"]["level"]}
        case "verified":
            state = right["state"] if used or right["state"] == "suspended" else "verified"
            return twin_suspended({**right, "state": state, "level": said["verification"]["level"]})
        case "amended":
            changed = {**right, "record": said["record"]}
            if not twin_material(right["record"], said["record"]):
                return changed
            return {
                **changed,
                "level": 0,
                "state": "checking" if used or right["state"] == "suspended" else right["state"],
            }
        case "interest_granted":
            return {**right, "interests": [*right["interests"], said["interest"]]}
        case "interest_ended":
            ended = [
                {**each, "ended_on": said["on"]} if each["id"] == said["interest"] else each
                for each in right["interests"]
            ]
            return {**right, "interests": ended}
        case "assigned":
            right = {**right, "interests": [*right["interests"], said["interest"]]}
            gone = said.get("classes", [])
            if not gone:
                return {**right, "state": "assigned_away"}
            left = [each for each in right["record"].get("classes", []) if each["code"] not in gone]
            return {**right, "record": {**right["record"], "classes": left}}
        case "dispute_opened":
            return twin_suspended({**right, "disputes": [*right["disputes"], said["dispute"]]})
        case "dispute_closed":
            closed = [
                {**each, "closed_on": said["on"]} if each["id"] == said["dispute"] else each
                for each in right["disputes"]
            ]
            state = "verified" if right["state"] == "suspended" else right["state"]
            return twin_suspended({**right, "disputes": closed, "state": state})
        case "renewed":
            state = "suspended" if right["state"] == "suspended" else "verified"
            record = {**right["record"], "expiry_date": said["expiry_date"]}
            return twin_suspended({**right, "record": record, "state": state})
        case "expiring" | "grace" | "expired" | "withdrawn" | "cancelled" | "refused":
            return {**right, "state": kind}
        case _:
            return right


def twin_suspended(right: Json) -> Json:
    """Suspended while any dispute about all of it is open."""
    open_ = [
        each
        for each in right["disputes"]
        if each.get("effect", "suspend") == "suspend" and "closed_on" not in each and not each.get("territories")
    ]
    return {**right, "state": "suspended"} if open_ and right["state"] in ("verified", "expiring", "grace") else right


def twin_material(before: Json, after: Json) -> bool:
    for name in set(before) | set(after):
        old, new = before.get(name), after.get(name)
        if old == new or name in ("raw", "source", "st13", "status_date", "publication_date", "representatives"):
            continue
        if name in ("classes", "designations") and new and all(each in (old or []) for each in new):
            continue
        return True
    return False


def day(text: str | None, otherwise: date) -> date:
    return date.fromisoformat(text) if text else otherwise


def within(since: str | None, until: str | None, on: date) -> bool:
    """`until` is the first day out."""
    return day(since, date.min) <= on < day(until, date.max)


def holds(region: str, country: str, on: date) -> bool:
    if region == "EU":
        return country in ("EU", "DE", "FR") or (country == "GB" and on < date(2021, 1, 1))
    return region == country


def twin_covers(record: Json, country: str, cls: str, on: date) -> str:
    own = {"EM": "EU", "WO": ""}.get(record["office"], record["office"])
    parts = record.get("designations") or [None]
    answers = ["no"]
    for part in parts:
        region = part["territory"] if part else own
        if region and not holds(region, country, on):
            continue
        answers.append(
            worst(twin_class(record, part, cls, on), twin_force(record, part, own, on), "yes" if region else "unknown")
        )
    return best(answers)


def twin_class(record: Json, part: Json | None, cls: str, on: date) -> str:
    if part and part.get("classes") and cls not in part["classes"] and record.get("classes"):
        return "no"
    entries = [each for each in record.get("classes", []) if each["code"] == cls]
    if not record.get("classes"):
        return "unknown" if not (part and part.get("classes") and cls not in part["classes"]) else "no"
    return "yes" if any(within(each.get("since"), each.get("until"), on) for each in entries) else "no"


def twin_force(record: Json, part: Json | None, own: str, on: date) -> str:
    value = {"registered": "yes", "pending": "no", "unknown": "unknown"}.get(record.get("status", "unknown"), "no")
    begun, last = date.fromisoformat(record["registration_date"]), date.fromisoformat(record["expiry_date"])
    if part and part.get("via", "direct") != "direct" and part.get("since"):
        begun = date.fromisoformat(part["since"])
    month = last.month + 6
    grace = date(last.year + (month > 12), month - 12 * (month > 12), last.day)
    value = worst(value, "no" if on < begun or on > grace else "yes" if on <= last else "unknown")
    if not part:
        return value
    status = part.get("status", "unknown")
    theirs = {"registered": "yes", "pending": "no", "unknown": "unknown"}.get(status, "no")
    if status == "unknown" and part.get("via", "direct") == "direct" and own and holds(own, part["territory"], on):
        theirs = "yes"
    if status in ("ended", "expired", "deleted") and part.get("until") and on < date.fromisoformat(part["until"]):
        theirs = "unknown"
    return worst(value, theirs, "yes" if within(part.get("since"), part.get("until"), on) else "no")


def twin_disputed(right: Json, country: str, on: date) -> list[str]:
    """Effects of the disputes that are open there on that day."""
    return [
        each.get("effect", "suspend")
        for each in right["disputes"]
        if each.get("effect") != "none"
        and within(each.get("opened_on"), each.get("closed_on"), on)
        and (not each.get("territories") or any(holds(one, country, on) for one in each["territories"]))
    ]


def twin_sells(right: Json, who: str, country: str, cls: str, on: date) -> str:
    covered = twin_covers(right["record"], country, cls, on)
    if covered == "no":
        return "unknown"
    sure = right["level"] >= 2 and right["state"] in ("verified", "expiring", "grace", "expired")
    standing = "yes" if sure else "unknown"
    doubts = worst(covered, *["unknown" for _ in twin_disputed(right, country, on)])
    if who == right["organisation"]:
        return worst(standing, doubts)
    by_id = {each["id"]: each for each in right["interests"]}
    mine = [
        each
        for each in right["interests"]
        if each.get("organisation") == who and each["role"] not in ("pledgee", "collecting_society")
    ]
    value = best(["no", *(worst(standing, twin_chain(right, by_id, each, country, cls, on)) for each in mine)])
    return worst(value, doubts) if value == "yes" else value


def twin_allows(link: Json, country: str, cls: str, on: date) -> bool:
    ends = [each for each in (link.get("until"), link.get("ended_on")) if each]
    places, classes = link.get("territories", []), link.get("classes", [])
    return (
        within(link.get("since"), min(ends, default=None), on)
        and (not places or any(holds(each, country, on) for each in places))
        and (not classes or cls in classes)
    )


def twin_chain(right: Json, by_id: dict[str, Json], held: Json, country: str, cls: str, on: date) -> str:  # noqa: PLR0917
    value, seen, link = "yes", [], held
    while True:
        if link["id"] in seen:
            return worst(value, "unknown")
        if seen and link["role"] in ("authorised_seller", "pledgee", "collecting_society"):
            value = "no"
        seen.append(link["id"])
        value = value if twin_allows(link, country, cls, on) else "no"
        above = link.get("granted_by", "")
        if not above:
            break
        if above not in by_id:
            return worst(value, "unknown")
        link = by_id[above]
    if not any(by_id[each]["role"] in ("licensee_exclusive", "assignee") for each in seen):
        for each in right["interests"]:
            first = day(each.get("since"), date.min) <= day(link.get("since"), date.max)
            first = first or not link.get("since")
            if each["role"] == "licensee_exclusive" and first and twin_allows(each, country, cls, on):
                value = worst(value, "unknown")
    return value


def twin_acts(right: Json, country: str, cls: str, on: date) -> str:
    """For the holder, against an unknown seller, without rivals."""
    effects = {"suspend": "no", "limit": "unknown"}
    state = {"verified": "yes", "expiring": "yes", "grace": "unknown"}.get(right["state"], "no")
    disputed = [effects[each] for each in twin_disputed(right, country, on)]
    enough = "yes" if right["level"] >= 2 else "no"
    return worst(enough, state, twin_covers(right["record"], country, cls, on), *disputed)


# ---- histories -------------------------------------------------------------------------------------------------------

EDGES = [
    date(2020, 12, 31),
    date(2021, 1, 1),
    date(2021, 1, 2),
    date(2021, 6, 30),
    date(2021, 7, 1),
    date(2021, 12, 31),
]
DAYS = st.sampled_from([*EDGES, date(2019, 5, 5), date(2022, 5, 5)])
MAYBE = st.none() | DAYS
PLACES = st.sampled_from(["EU", *COUNTRIES])
DESIGNATED = st.builds(
    Designation,
    territory=PLACES,
    status=st.sampled_from(["registered", "registered", *get_args(Status)]),
    number=st.just(""),
    via=st.sampled_from(["direct", "madrid"]),
    since=MAYBE,
    until=MAYBE,
    classes=st.lists(st.sampled_from(CODES), max_size=1).map(tuple),
)
CLASSES = st.lists(
    st.builds(
        Class,
        scheme=st.just("nice"),
        code=st.sampled_from(CODES),
        edition=st.just(""),
        goods=st.just(()),
        since=MAYBE,
        until=MAYBE,
    ),
    max_size=2,
)
RECORDS = st.builds(
    lambda office, classes, parts, status, begun, last: Record(
        kind="trademark",
        office=office,
        registration_number="1",
        mark=Mark(verbal="X"),
        classes=tuple(classes),
        designations=tuple(parts),
        status=status,
        registration_date=begun,
        expiry_date=last,
    ),
    st.sampled_from(["EM", "WO", "CN", "FR"]),
    CLASSES,
    st.lists(DESIGNATED, max_size=2),
    st.sampled_from(["registered", "registered", "registered", *get_args(Status)]),
    st.sampled_from([date(2019, 1, 1), date(2021, 1, 1)]),
    st.sampled_from([date(2021, 1, 1), date(2021, 6, 28), date(2030, 1, 1)]),
)
# Random records rarely cover anything: most are plain ones, with one thing or another about them.
PLAIN = st.builds(
    lambda office, parts, last: Record(
        kind="trademark",
        office=office,
        registration_number="1",
        mark=Mark(verbal="X"),
        classes=tuple(Class(scheme="nice", code=code) for code in CODES),
        designations=tuple(
            Designation(territory=each, status="registered", via="madrid") for each in parts if office == "WO"
        ),
        status="registered",
        registration_date=date(2019, 1, 1),
        expiry_date=last,
    ),
    st.sampled_from(["EM", "WO", "WO", "CN"]),
    st.lists(PLACES, min_size=2, max_size=5, unique=True),
    st.sampled_from([date(2021, 6, 28), date(2030, 1, 1)]),
)
RIGHTS = st.one_of(PLAIN, PLAIN, PLAIN, RECORDS)
IDS = st.sampled_from(["I1", "I2", "I3"])
GRANTS = st.builds(
    lambda id_, role, above, who, places, classes, since, until: Interest(
        id=id_,
        party=Party(name="x"),
        role=role,
        granted_by=above,
        organisation=who,
        territories=tuple(places),
        classes=tuple(classes),
        since=since,
        until=until,
    ),
    IDS,
    st.sampled_from(["licensee", "licensee_exclusive", "authorised_seller", "pledgee"]),
    st.sampled_from(["", "", "", "I1", "I2"]),
    st.sampled_from(["seller", "seller", "other"]),
    st.just([]) | st.lists(PLACES, max_size=2),
    st.just([]) | st.lists(st.sampled_from(CODES), max_size=1),
    st.none() | MAYBE,
    st.none() | MAYBE,
)
DISPUTES = st.builds(
    lambda id_, effect, opened, places: Dispute(
        id=id_, kind="court", effect=effect, opened_on=opened, territories=tuple(places)
    ),
    st.sampled_from(["D1", "D2"]),
    st.sampled_from(["none", "suspend", "limit"]),
    MAYBE,
    st.lists(PLACES, max_size=1),
)
CHECKS = st.sampled_from([0, 1, 2, 4]).map(
    lambda level: Checked(verification=Verification(level=level, method="office_record", at=START))
)
NOTHING = st.just(Nothing())
STEPS = st.one_of(
    st.tuples(st.just("submitted"), NOTHING),
    st.tuples(st.sampled_from(["verified", "verified", "checked", "found_incorrect"]), CHECKS),
    st.tuples(st.just("amended"), RIGHTS.map(lambda record: Amended(record=record))),
    st.tuples(st.just("interest_granted"), GRANTS.map(lambda one: Granted(interest=one))),
    st.tuples(st.just("interest_granted"), GRANTS.map(lambda one: Granted(interest=one))),
    st.tuples(st.just("interest_ended"), st.builds(Ended, interest=IDS, on=DAYS)),
    st.tuples(
        st.just("assigned"),
        st.lists(st.sampled_from(CODES), max_size=1).map(
            lambda codes: Assigned(
                interest=Interest(id="A1", party=Party(name="y"), role="assignee", classes=tuple(codes)),
                classes=tuple(codes),
            )
        ),
    ),
    st.tuples(st.just("dispute_opened"), DISPUTES.map(lambda one: DisputeOpened(dispute=one))),
    st.tuples(
        st.just("dispute_closed"),
        st.builds(DisputeClosed, dispute=st.sampled_from(["D1", "D2"]), on=DAYS, outcome=st.just("")),
    ),
    st.tuples(st.sampled_from(["expiring", "grace", "expired"]), NOTHING),
    st.tuples(st.just("renewed"), st.just(Renewed(expiry_date=date(2031, 1, 1)))),
    st.tuples(st.sampled_from(["withdrawn", "cancelled", "refused"]), st.just(Closed(reason="x"))),
)


MILD = st.one_of(
    st.tuples(st.just("interest_granted"), GRANTS.map(lambda one: Granted(interest=one))),
    st.tuples(st.just("interest_granted"), GRANTS.map(lambda one: Granted(interest=one))),
    st.tuples(st.just("interest_ended"), st.builds(Ended, interest=IDS, on=DAYS)),
    st.tuples(st.sampled_from(["expiring", "verified"]), CHECKS).map(
        lambda pair: pair if pair[0] == "verified" else ("expiring", Nothing())
    ),
    st.tuples(st.just("dispute_opened"), DISPUTES.map(lambda one: DisputeOpened(dispute=one))),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """A right that was filed, mostly verified, and what else may happen to it."""
    filed = Filed(number="R-2020-000001", organisation="holder", record=draw(RIGHTS))
    verified = Checked(verification=Verification(level=2, method="office_record", at=START))
    begin = [("submitted", Nothing()), ("verified", verified)] if draw(st.integers(0, 3)) else []
    wanted = [("filed", filed), *begin, *draw(st.lists(MILD, max_size=5)), *draw(st.lists(STEPS, max_size=3))]
    story: list[Event] = []
    right = None
    granted: set[str] = set()
    for kind, payload in wanted:
        if isinstance(payload, Granted) and payload.interest.id in granted:
            continue
        event = Event(
            right=str(UUID(int=7)),
            seq=len(story) + 1,
            type=kind,
            recorded_at=START + timedelta(hours=len(story), microseconds=len(story) % 2),
            payload=payload,
            before=story[-1].sha256 if story else b"",
        )
        try:
            right = history.follow(right, event)
        except (Invalid, Refused):
            continue
        if isinstance(payload, Granted):
            granted.add(payload.interest.id)
        story.append(event)
    return story


@settings(max_examples=250, deadline=None)
@given(histories(), st.integers(-1, 12), st.sampled_from(COUNTRIES), st.sampled_from(CODES), DAYS)
def test_another_programme_reads_the_same_out_of_the_events(story, hours, country, cls, on):
    moment = START + timedelta(hours=hours)
    here, there = right_as_of(story, moment), twin_fold([each.encode() for each in story], moment)
    if here is None or there is None:
        assert here is there is None
        return
    assert (here.state, here.level, here.version) == (there["state"], there["level"], there["version"])
    assert [each.ended_on and each.ended_on.isoformat() for each in here.interests] == [
        each.get("ended_on") for each in there["interests"]
    ]
    assert covers(here, territory=country, cls=cls, on=on).value == twin_covers(there["record"], country, cls, on)
    for who in ("seller", "other", "holder"):
        sale = may_sell(here, organisation=who, territory=country, cls=cls, on=on)
        assert sale.value == twin_sells(there, who, country, cls, on), (who, sale.reasons)
    measure = may_act(here, actor="holder", territory=country, cls=cls, on=on)
    assert measure.may == twin_acts(there, country, cls, on), measure.reasons
    reached = [each for each in COUNTRIES if twin_acts(there, each, cls, on) == "yes"]
    if measure.may == "yes":
        assert [each for each in COUNTRIES if each in measure.limits] == reached


def test_the_twin_sees_a_day_more_or_less():
    """That the comparison is worth something: a twin that counts `until` as the last day in is found out."""
    grant = Interest(id="I1", party=Party(name="x"), role="licensee", organisation="seller", until=date(2021, 1, 1))
    record = Record(kind="trademark", office="CN", status="registered", expiry_date=date(2030, 1, 1))
    record = replace(record, registration_date=date(2019, 1, 1), classes=(Class(scheme="nice", code="9"),))
    filed = Filed(number="R-2020-000001", organisation="holder", record=record, interests=(grant,))
    event = Event(right=str(UUID(int=7)), seq=1, type="filed", recorded_at=START, payload=filed)
    there = {**(twin_fold([event.encode()], START) or {}), "state": "verified", "level": 2}
    assert twin_sells(there, "seller", "CN", "9", date(2020, 12, 31)) == "yes"
    assert twin_sells(there, "seller", "CN", "9", date(2021, 1, 1)) == "no"
