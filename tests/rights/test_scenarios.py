"""Sixty and more situations of everyday practice, each with the answer that a lawyer would give, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from chopmark.rights.coverage import covers, may_act, may_sell
from chopmark.rights.record import (
    Class,
    Designation,
    Dispute,
    Interest,
    Mandate,
    Party,
    Record,
    Right,
    Source,
    Text,
    Verification,
)

DAY = date(2026, 11, 22)
OWNER, AGENT, SELLER, OTHER = "org-owner", "org-agent", "org-seller", "org-other"


def day(text):
    return date.fromisoformat(text)


def nice(*codes, **more):
    return tuple(Class(scheme="nice", code=code, **more) for code in codes)


def mark(office, *codes, **more):
    values = {
        "kind": "trademark",
        "office": office,
        "registration_number": "1234567",
        "status": "registered",
        "registration_date": day("2018-03-01"),
        "application_date": day("2017-03-01"),
        "expiry_date": day("2028-02-28"),
        "classes": nice(*(codes or ("25",))),
    }
    return Record(**(values | more))


def verified(record, **more):
    at = datetime(2026, 1, 1, tzinfo=UTC)
    values = {
        "id": "right-1",
        "number": "R-2026-000001",
        "organisation": OWNER,
        "state": "verified",
        "record": record,
        "version": 3,
        "verification": Verification(level=2, method="office_record", at=at),
    }
    return Right(**(values | more))


def madrid(*parts, **more):
    return mark("WO", designations=tuple(parts), **more)


def part(territory, status="registered", **more):
    return Designation(territory=territory, status=status, via="madrid", **more)


def grant(id_="L1", role="licensee", organisation=SELLER, **more):
    return Interest(id=id_, party=Party(name=organisation), role=role, organisation=organisation, **more)


EU, CN, US = mark("EM"), mark("CN"), mark("US", expiry_date=None)
BREXIT = day("2021-01-01")

# what is asked: record, territory, class, day; the answer; a reason that must be among those given
COVERS = {
    "a Chinese mark covers China": (CN, "CN", "25", DAY, "yes", "rules.territory_covered"),
    "a Chinese mark does not cover Hong Kong": (CN, "HK", "25", DAY, "no", "rules.territory_not_covered"),
    "a Chinese mark does not cover Macao": (CN, "MO", "25", DAY, "no", "rules.territory_not_covered"),
    "a Chinese mark does not cover the United States": (CN, "US", "25", DAY, "no", "rules.territory_not_covered"),
    "a mark of EUIPO covers Germany": (EU, "DE", "25", DAY, "yes", "rules.territory_covered"),
    "a mark of EUIPO covers the Union": (EU, "EU", "25", DAY, "yes", "rules.territory_covered"),
    "EM is understood as the Union": (EU, "EM", "25", DAY, "yes", "rules.territory_covered"),
    "a mark of EUIPO covers Benelux": (EU, "BX", "25", DAY, "yes", "rules.territory_covered"),
    "a mark of EUIPO covers Réunion": (EU, "RE", "25", DAY, "yes", "rules.territory_covered"),
    "a mark of EUIPO does not cover Switzerland": (EU, "CH", "25", DAY, "no", "rules.territory_not_covered"),
    "a mark of EUIPO does not cover Norway": (EU, "NO", "25", DAY, "no", "rules.territory_not_covered"),
    "a mark of EUIPO covered the UK to the last day of 2020": (
        EU,
        "GB",
        "25",
        day("2020-12-31"),
        "yes",
        "rules.territory_covered",
    ),
    "from 2021 the UK has a comparable mark of its own": (
        EU,
        "GB",
        "25",
        BREXIT,
        "no",
        "rules.territory_left_comparable",
    ),
    "UK written as UK is the same": (EU, "UK", "25", DAY, "no", "rules.territory_left_comparable"),
    "a mark of EUIPO that came after 2020 has no comparable one": (
        mark("EM", registration_date=day("2022-01-01")),
        "GB",
        "25",
        DAY,
        "no",
        "rules.territory_left",
    ),
    "a comparable British mark covers the UK": (
        mark("GB", registration_number="UK00901234567"),
        "GB",
        "25",
        DAY,
        "yes",
        "rules.territory_covered",
    ),
    "a British mark covers the Isle of Man": (mark("GB"), "IM", "25", DAY, "yes", "rules.territory_covered"),
    "a British mark does not cover Jersey": (mark("GB"), "JE", "25", DAY, "no", "rules.territory_not_covered"),
    "an old mark of EUIPO reaches Croatia from its accession": (
        EU,
        "HR",
        "25",
        DAY,
        "yes",
        "rules.territory_covered",
    ),
    "before its accession it did not": (
        mark("EM", registration_date=day("2005-01-01"), application_date=day("2004-01-01")),
        "HR",
        "25",
        day("2013-06-30"),
        "no",
        "rules.territory_not_covered",
    ),
    "a French mark in New Caledonia is not for these rules": (
        mark("FR"),
        "NC",
        "25",
        DAY,
        "unknown",
        "rules.territory_unsure",
    ),
    "a French mark covers Guadeloupe": (mark("FR"), "GP", "25", DAY, "yes", "rules.territory_covered"),
    "a US mark covers Puerto Rico": (US, "PR", "25", day("2027-01-01"), "yes", "rules.term_computed"),
    "a Benelux mark covers Luxembourg": (mark("BX"), "LU", "25", DAY, "yes", "rules.territory_covered"),
    "a Benelux mark does not cover the Union": (mark("BX"), "EU", "25", DAY, "no", "rules.territory_not_covered"),
    "an OAPI mark covers Senegal": (mark("OA"), "SN", "25", DAY, "yes", "rules.territory_covered"),
    "an OAPI mark from before the Comoros joined is unsure there": (
        mark("OA", registration_date=day("2010-01-01"), expiry_date=day("2030-01-01")),
        "KM",
        "25",
        DAY,
        "unknown",
        "rules.joined_later",
    ),
    "an ARIPO mark says nothing of Kenya without a designation": (
        mark("AP"),
        "KE",
        "25",
        DAY,
        "unknown",
        "rules.territory_unsure",
    ),
    "an ARIPO mark designating Kenya covers it": (
        mark("AP", designations=(Designation(territory="KE", status="registered", via="regional"),)),
        "KE",
        "25",
        DAY,
        "yes",
        "rules.designation_granted",
    ),
    "an international mark without countries covers nothing that is known": (
        mark("WO"),
        "FR",
        "25",
        DAY,
        "unknown",
        "rules.designations_not_said",
    ),
    "a granted designation counts": (madrid(part("JP")), "JP", "25", DAY, "yes", "rules.designation_granted"),
    "a refused designation does not": (madrid(part("JP", "ended")), "JP", "25", DAY, "no", "rules.designation_refused"),
    "a designation without news is unknown": (
        madrid(part("JP", "unknown")),
        "JP",
        "25",
        DAY,
        "unknown",
        "rules.designation_status_not_said",
    ),
    "a designation under examination backs nothing": (
        madrid(part("JP", "pending")),
        "JP",
        "25",
        DAY,
        "no",
        "rules.designation_pending",
    ),
    "a country that was not designated is not covered": (
        madrid(part("JP"), part("KR")),
        "AU",
        "25",
        DAY,
        "no",
        "rules.territory_not_covered",
    ),
    "the Union designated by Madrid covers France": (
        madrid(part("EM")),
        "FR",
        "25",
        DAY,
        "yes",
        "rules.designation_granted",
    ),
    "the Union designated by Madrid no longer covers the UK": (
        madrid(part("EU")),
        "GB",
        "25",
        DAY,
        "no",
        "rules.territory_left_comparable",
    ),
    "of a refused Union and a granted Germany, Germany counts": (
        madrid(part("EU", "ended"), part("DE")),
        "DE",
        "25",
        DAY,
        "yes",
        "rules.designation_granted",
    ),
    "a designation counts only from its own day": (
        madrid(part("BR", since=day("2026-12-01"))),
        "BR",
        "25",
        DAY,
        "no",
        "rules.designation_later",
    ),
    "a renounced designation counts until it was renounced": (
        madrid(part("BR", until=day("2026-11-22"))),
        "BR",
        "25",
        DAY,
        "no",
        "rules.designation_over",
    ),
    "an international mark cancelled at its root falls everywhere": (
        madrid(part("JP"), status="ended", status_date=day("2022-01-01")),
        "JP",
        "25",
        DAY,
        "no",
        "rules.ended",
    ),
    "a designation limited to one class covers that one": (
        madrid(part("JP", classes=("9",)), classes=nice("9", "25")),
        "JP",
        "25",
        DAY,
        "no",
        "rules.class_not_designated",
    ),
    "three national marks together are no mark of the Union": (
        madrid(part("DE"), part("FR"), part("IT")),
        "EU",
        "25",
        DAY,
        "no",
        "rules.territory_not_covered",
    ),
    "Belgium, Luxembourg and the Netherlands together cover Benelux": (
        madrid(part("BE"), part("LU"), part("NL")),
        "BX",
        "25",
        DAY,
        "yes",
        "rules.members_covered",
    ),
    "class 9 written 09 is class 9": (mark("CN", "09"), "CN", "9", DAY, "yes", "rules.class_covered"),
    "another class is not covered": (CN, "CN", "9", DAY, "no", "rules.class_not_covered"),
    "a mark without classes is unknown": (mark("CN", classes=()), "CN", "25", DAY, "unknown", "rules.classes_not_said"),
    "nobody asked for a class": (CN, "CN", "", DAY, "unknown", "rules.class_not_asked"),
    "a class that was split off counts until then": (
        mark("EM", classes=(*nice("25"), *nice("9", until=day("2024-01-01")))),
        "DE",
        "9",
        DAY,
        "no",
        "rules.class_ended",
    ),
    "a class that was split off counted before": (
        mark("EM", classes=(*nice("25"), *nice("9", until=day("2024-01-01")))),
        "DE",
        "9",
        day("2023-12-31"),
        "yes",
        "rules.class_covered",
    ),
    "a class with a list of goods covers its goods": (
        mark("CN", classes=nice("25", goods=(Text(text="shoes"),))),
        "CN",
        "25",
        DAY,
        "yes",
        "rules.class_covered_for_goods",
    ),
    "whether a subclass is in a list of goods has to be read": (
        mark("CN", classes=nice("25", goods=(Text(text="鞋"),))),
        "CN",
        "cn_subclass:2507",
        DAY,
        "unknown",
        "rules.goods_decide",
    ),
    "a whole class holds its subclass": (CN, "CN", "cn_subclass:2507", DAY, "yes", "rules.class_covered"),
    "a subclass that is not named is not covered": (
        mark("CN", classes=(Class(scheme="cn_subclass", code="2501"),)),
        "CN",
        "cn_subclass:2507",
        DAY,
        "no",
        "rules.class_not_covered",
    ),
    "subclasses cover their class only in part": (
        mark("CN", classes=(Class(scheme="cn_subclass", code="2501"),)),
        "CN",
        "25",
        DAY,
        "unknown",
        "rules.class_in_part",
    ),
    "an application backs nothing": (mark("CN", status="pending"), "CN", "25", DAY, "no", "rules.pending"),
    "a status nobody knows is unknown": (
        mark("CN", status="unknown", raw={"status": "某状态"}),
        "CN",
        "25",
        DAY,
        "unknown",
        "rules.status_unknown",
    ),
    "before registration there was nothing": (CN, "CN", "25", day("2018-02-28"), "no", "rules.registered_later"),
    "the last day counts": (CN, "CN", "25", day("2028-02-28"), "yes", "rules.registered"),
    "in the six months after it nobody can say": (CN, "CN", "25", day("2028-02-29"), "unknown", "rules.in_grace"),
    "the last day to renew is still in grace": (CN, "CN", "25", day("2028-08-28"), "unknown", "rules.in_grace"),
    "after them it has ended": (CN, "CN", "25", day("2028-08-29"), "no", "rules.expired"),
    "a US record says no last day, the term is ten years": (
        US,
        "US",
        "25",
        day("2028-03-01"),
        "yes",
        "rules.term_computed",
    ),
    "after a computed term nobody knows of the renewal": (
        US,
        "US",
        "25",
        day("2028-03-02"),
        "unknown",
        "rules.renewal_not_seen",
    ),
    "a Japanese record that says no last day is unknown": (
        mark("JP", expiry_date=None),
        "JP",
        "25",
        DAY,
        "unknown",
        "rules.expiry_not_said",
    ),
    "a mark cancelled in 2024 has no effect today": (
        mark("CN", status="ended", status_date=day("2024-05-05")),
        "CN",
        "25",
        DAY,
        "no",
        "rules.ended",
    ),
    "whether it had any before depends on why it was cancelled": (
        mark("CN", status="ended", status_date=day("2024-05-05")),
        "CN",
        "25",
        day("2023-01-01"),
        "unknown",
        "rules.ended_later",
    ),
    "a design is not asked for its class": (
        mark("CN", kind="design", classes=()),
        "CN",
        "25",
        DAY,
        "yes",
        "rules.kind_without_classes",
    ),
    "a patent has no grace after its term": (
        mark("CN", kind="patent", expiry_date=day("2026-11-21")),
        "CN",
        "",
        DAY,
        "no",
        "rules.expired",
    ),
    "a photograph is protected in France without a register": (
        Record(kind="copyright", application_date=day("2020-01-01")),
        "FR",
        "",
        DAY,
        "yes",
        "rules.berne",
    ),
    "a photograph of tomorrow is not protected today": (
        Record(kind="copyright", application_date=day("2026-11-23")),
        "FR",
        "",
        DAY,
        "no",
        "rules.not_yet_made",
    ),
    "works in Eritrea were not verified": (Record(kind="copyright"), "ER", "", DAY, "unknown", "rules.berne_unsure"),
    "a Chinese register says nothing of the United States": (
        mark("CN", designations=(Designation(territory="US"),)),
        "US",
        "25",
        DAY,
        "unknown",
        "rules.designation_status_not_said",
    ),
    "an international register without the country's word says nothing": (
        mark("WO", designations=(Designation(territory="JP"),)),
        "JP",
        "25",
        DAY,
        "unknown",
        "rules.designation_status_not_said",
    ),
    "a Benelux register speaks for Belgium": (
        mark("BX", designations=(Designation(territory="BE"),)),
        "BE",
        "25",
        DAY,
        "yes",
        "rules.territory_covered",
    ),
    "a work whose registration is pending is protected all the same": (
        Record(kind="copyright", office="CN", status="pending"),
        "CN",
        "",
        DAY,
        "yes",
        "rules.arises_without_register",
    ),
    "a work whose term is over is not": (
        Record(kind="copyright", office="CN", status="registered", expiry_date=day("2020-12-31")),
        "CN",
        "",
        DAY,
        "no",
        "rules.expired",
    ),
    "a trade name without a country is unknown": (
        Record(kind="trade_name", status="registered"),
        "CN",
        "",
        DAY,
        "unknown",
        "rules.territory_not_said",
    ),
}


@pytest.mark.parametrize("case", COVERS)
def test_what_a_right_covers(case):
    record, territory, cls, on, value, code = COVERS[case]
    found = covers(record, territory=territory, cls=cls, on=on)
    assert (found.value, code in found.codes) == (value, True), found


def selling(*interests, **more):
    return verified(EU, interests=interests, **more)


TWO = ("DE", "FR")
SALES = {
    "licensed for two countries, he sells in one": (
        selling(grant(territories=TWO)),
        {"territory": "DE"},
        "yes",
        "rules.granted",
    ),
    "licensed for two countries, not in a third": (
        selling(grant(territories=TWO)),
        {"territory": "IT"},
        "no",
        "rules.grant_elsewhere",
    ),
    "licensed for Benelux, he sells in Belgium": (
        selling(grant(territories=("BX",))),
        {"territory": "BE"},
        "yes",
        "rules.granted",
    ),
    "licensed for two of three members, not for Benelux": (
        selling(grant(territories=("BE", "NL"))),
        {"territory": "BX"},
        "no",
        "rules.grant_elsewhere",
    ),
    "licensed for all three members, so for Benelux": (
        selling(grant(territories=("BE", "NL", "LU"))),
        {"territory": "BX"},
        "yes",
        "rules.granted",
    ),
    "the licence ended yesterday": (selling(grant(until=DAY)), {"territory": "DE"}, "no", "rules.grant_over"),
    "the licence ends tomorrow": (selling(grant(until=day("2026-11-23"))), {"territory": "DE"}, "yes", "rules.granted"),
    "the licence begins tomorrow": (
        selling(grant(since=day("2026-11-23"))),
        {"territory": "DE"},
        "no",
        "rules.grant_later",
    ),
    "the licence was ended early": (
        selling(grant(until=day("2030-01-01"), ended_on=day("2026-06-01"))),
        {"territory": "DE"},
        "no",
        "rules.grant_ended",
    ),
    "before its early end it counted": (
        selling(grant(ended_on=day("2026-06-01"))),
        {"territory": "DE", "on": day("2026-05-31")},
        "yes",
        "rules.granted",
    ),
    "licensed for class 25, asked for class 9": (
        verified(mark("EM", "9", "25"), interests=(grant(classes=("25",)),)),
        {"territory": "DE", "cls": "9"},
        "no",
        "rules.grant_other_class",
    ),
    "licensed for class 25, nobody asked for a class": (
        selling(grant(classes=("25",))),
        {"territory": "DE"},
        "unknown",
        "rules.grant_class_not_asked",
    ),
    "licensed on one marketplace only": (
        selling(grant(channels=("market-a",))),
        {"territory": "DE", "channel": "market-b"},
        "no",
        "rules.grant_other_channel",
    ),
    "licensed on one marketplace, nobody asked where": (
        selling(grant(channels=("market-a",))),
        {"territory": "DE"},
        "unknown",
        "rules.grant_channel_not_asked",
    ),
    "licensed on all shops of one host": (
        selling(grant(channels=("*.shop.example",))),
        {"territory": "DE", "channel": "Anna.Shop.Example"},
        "yes",
        "rules.granted",
    ),
    "a host that only ends alike is another": (
        selling(grant(channels=("*.shop.example",))),
        {"territory": "DE", "channel": "myshop.example"},
        "no",
        "rules.grant_other_channel",
    ),
    "a limit of pieces is told": (selling(grant(quantity=500)), {"territory": "DE"}, "yes", "rules.quantity_limited"),
    "nobody granted anything": (selling(), {"territory": "DE"}, "no", "rules.no_grant"),
    "the holder himself": (selling(), {"territory": "DE", "organisation": OWNER}, "yes", "rules.seller_is_holder"),
    "through a distributor's chain": (
        selling(
            grant("X", "licensee_exclusive", OTHER, territories=TWO),
            grant("S", "authorised_seller", granted_by="X", territories=("DE",)),
        ),
        {"territory": "DE"},
        "yes",
        "rules.granted",
    ),
    "nobody grants more than he has": (
        selling(
            grant("X", "licensee_exclusive", OTHER, territories=("FR",)),
            grant("S", "authorised_seller", granted_by="X", territories=("DE",)),
        ),
        {"territory": "DE"},
        "no",
        "rules.grant_elsewhere",
    ),
    "when the distributor's licence ends, so does the shop's": (
        selling(grant("X", "licensee", OTHER, until=DAY), grant("S", "authorised_seller", granted_by="X")),
        {"territory": "DE"},
        "no",
        "rules.grant_over",
    ),
    "a shop may not authorise another shop": (
        selling(grant("X", "authorised_seller", OTHER), grant("S", "authorised_seller", granted_by="X")),
        {"territory": "DE"},
        "no",
        "rules.grantor_may_not_grant",
    ),
    "a grant that hangs on nothing is unknown": (
        selling(grant("S", "authorised_seller", granted_by="gone")),
        {"territory": "DE"},
        "unknown",
        "rules.chain_broken",
    ),
    "two grants that hang on each other are unknown": (
        selling(grant("A", granted_by="B"), grant("B", organisation=OTHER, granted_by="A")),
        {"territory": "DE"},
        "unknown",
        "rules.chain_circular",
    ),
    "somebody else has it for himself alone": (
        selling(grant("X", "licensee_exclusive", OTHER, since=day("2020-01-01")), grant("S", since=day("2024-01-01"))),
        {"territory": "DE"},
        "unknown",
        "rules.exclusive_elsewhere",
    ),
    "an exclusive licence for another country is no obstacle": (
        selling(grant("X", "licensee_exclusive", OTHER, territories=("IT",)), grant("S", territories=("DE",))),
        {"territory": "DE"},
        "yes",
        "rules.granted",
    ),
    "where the right has no effect it says nothing": (
        selling(grant()),
        {"territory": "US"},
        "unknown",
        "rules.right_does_not_reach",
    ),
    "a claim that nobody verified grants nothing for sure": (
        selling(grant(), verification=None),
        {"territory": "DE"},
        "unknown",
        "rules.not_verified",
    ),
    "a suspended right's grants are in question": (
        selling(grant(), state="suspended"),
        {"territory": "DE"},
        "unknown",
        "rules.grantor_in_question",
    ),
    "the same name in other letters is the same": (
        selling(Interest(id="L", party=Party(name="Tee & Töne GmbH"), role="licensee")),
        {"territory": "DE", "organisation": "", "party": Party(name="TEE & TONE GMBH")},
        "yes",
        "rules.granted",
    ),
}


@pytest.mark.parametrize("case", SALES)
def test_may_he_sell_here(case):
    right, asked, value, code = SALES[case]
    found = may_sell(right, **({"organisation": SELLER, "on": DAY} | asked))
    assert (found.value, code in found.codes) == (value, True), found


def test_the_chain_is_told_from_the_seller_up():
    right = selling(
        grant("X", "licensee_exclusive", OTHER), grant("S", "authorised_seller", granted_by="X", territories=("DE",))
    )
    found = may_sell(right, organisation=SELLER, territory="DE", on=DAY)
    assert [each.id for each in found.chain] == ["S", "X"]


def rival(record, **more):
    return verified(record, id="right-2", number="R-2026-000002", organisation=OTHER, **more)


def mandate(**more):
    values = {
        "id": "M1",
        "principal": OWNER,
        "agent": AGENT,
        "powers": frozenset({"notice"}),
        "accepted_on": date(2020, 1, 1),
    }
    return Mandate(**(values | more))


ACTS = {
    "the holder in his country": (verified(CN), {}, "yes", "rules.actor_is_holder", ("CN",)),
    "a measure reaches the right's countries only": (
        verified(madrid(part("JP"), part("KR"), part("AU", "ended"))),
        {"territory": "JP"},
        "yes",
        "rules.designation_granted",
        ("JP", "KR"),
    ),
    "not where it is not protected": (verified(CN), {"territory": "US"}, "no", "rules.territory_not_covered", ()),
    "not for another class": (verified(CN), {"cls": "9"}, "no", "rules.class_not_covered", ()),
    "not with a mere claim": (verified(CN, verification=None), {}, "no", "rules.level_too_low", ()),
    "not while it is being checked": (verified(CN, state="checking"), {}, "no", "rules.state_backs_nothing", ()),
    "not with an application": (verified(mark("CN", status="pending")), {}, "no", "rules.pending", ()),
    "still in its last half year": (verified(CN, state="expiring"), {}, "yes", "rules.actor_is_holder", ("CN",)),
    "a person decides in the months to renew": (
        verified(CN, state="grace"),
        {"on": day("2028-03-01")},
        "unknown",
        "rules.state_grace",
        (),
    ),
    "not once it was assigned away": (verified(CN, state="assigned_away"), {}, "no", "rules.state_backs_nothing", ()),
    "a stranger may not": (verified(CN), {"actor": OTHER}, "no", "rules.actor_unknown", ()),
    "nobody may not": (verified(CN), {"actor": ""}, "no", "rules.actor_unknown", ()),
    "an agent with a mandate may": (
        verified(CN),
        {"actor": AGENT, "mandates": (mandate(),)},
        "yes",
        "rules.mandate",
        ("CN",),
    ),
    "an agent whose mandate was revoked may not": (
        verified(CN),
        {"actor": AGENT, "mandates": (mandate(revoked_on=DAY),)},
        "no",
        "rules.mandate_revoked",
        (),
    ),
    "an agent whose mandate ran out may not": (
        verified(CN),
        {"actor": AGENT, "mandates": (mandate(until=DAY),)},
        "no",
        "rules.mandate_over",
        (),
    ),
    "an agent without that power may not": (
        verified(CN),
        {"actor": AGENT, "power": "sue", "mandates": (mandate(),)},
        "no",
        "rules.mandate_without_power",
        (),
    ),
    "an agent for another right may not": (
        verified(CN),
        {"actor": AGENT, "mandates": (mandate(rights=("right-9",)),)},
        "no",
        "rules.mandate_other_right",
        (),
    ),
    "an agent for another country may not": (
        verified(CN),
        {"actor": AGENT, "mandates": (mandate(territories=("EU",)),)},
        "no",
        "rules.mandate_elsewhere",
        (),
    ),
    "an agent of somebody else may not": (
        verified(CN),
        {"actor": AGENT, "mandates": (mandate(principal=OTHER),)},
        "no",
        "rules.actor_unknown",
        (),
    ),
    "of two mandates the good one counts": (
        verified(CN),
        {"actor": AGENT, "mandates": (mandate(revoked_on=DAY), mandate(id="M2"))},
        "yes",
        "rules.mandate",
        ("CN",),
    ),
    "an exclusive licensee may, in his countries": (
        verified(EU, interests=(grant("X", "licensee_exclusive", OTHER, territories=TWO),)),
        {"actor": OTHER, "territory": "DE"},
        "yes",
        "rules.actor_exclusive",
        None,
    ),
    "an exclusive licensee may not elsewhere": (
        verified(EU, interests=(grant("X", "licensee_exclusive", OTHER, territories=TWO),)),
        {"actor": OTHER, "territory": "IT"},
        "no",
        "rules.grant_elsewhere",
        (),
    ),
    "a plain licensee may not": (
        verified(EU, interests=(grant("X", "licensee", OTHER),)),
        {"actor": OTHER, "territory": "DE"},
        "no",
        "rules.actor_not_exclusive",
        (),
    ),
    "not against an authorised seller": (
        verified(EU, interests=(grant(territories=("DE",)),)),
        {"territory": "DE", "seller": SELLER},
        "no",
        "rules.seller_authorised",
        (),
    ),
    "against him where his licence does not reach": (
        verified(EU, interests=(grant(territories=("DE",)),)),
        {"territory": "FR", "seller": SELLER},
        "yes",
        "rules.seller_not_authorised",
        None,
    ),
    "against him the day after his licence ended": (
        verified(EU, interests=(grant(until=DAY),)),
        {"territory": "FR", "seller": SELLER},
        "yes",
        "rules.seller_not_authorised",
        None,
    ),
    "against a namesake of a licensee only a person acts": (
        verified(EU, interests=(Interest(id="L1", party=Party(name="ORG-SELLER"), role="licensee"),)),
        {"territory": "DE", "seller_party": Party(name="Org Seller")},
        "unknown",
        "rules.seller_named_so",
        None,
    ),
    "against himself the holder does nothing": (
        verified(CN),
        {"seller": OWNER},
        "no",
        "rules.seller_authorised",
        (),
    ),
    "a licence for one marketplace leaves a question on none": (
        verified(EU, interests=(grant(channels=("market-a",)),)),
        {"territory": "DE", "seller": SELLER},
        "unknown",
        "rules.seller_unclear",
        None,
    ),
    "a parallel import is for a person": (
        verified(CN),
        {"parallel": True},
        "unknown",
        "rules.parallel_import",
        ("CN",),
    ),
    "two owners of one word in one country are a dispute": (
        verified(CN),
        {"rivals": (rival(CN),)},
        "no",
        "rules.rival",
        (),
    ),
    "two owners by country are a limit, not a dispute": (
        verified(madrid(part("DE"), part("CZ"))),
        {"territory": "DE", "rivals": (rival(madrid(part("CZ"))),)},
        "yes",
        "rules.actor_is_holder",
        ("DE",),
    ),
    "a squatter in one country stops nothing elsewhere": (
        verified(EU),
        {"territory": "DE", "rivals": (rival(CN),)},
        "yes",
        "rules.actor_is_holder",
        None,
    ),
    "a rival whose status is unknown is for a person": (
        verified(CN),
        {"rivals": (rival(mark("CN", status="unknown")),)},
        "unknown",
        "rules.rival_unsure",
        (),
    ),
    "a rival in another class is none": (
        verified(CN),
        {"rivals": (rival(mark("CN", "9")),)},
        "yes",
        "rules.actor_is_holder",
        ("CN",),
    ),
    "a rival that nobody verified is none": (
        verified(CN),
        {"rivals": (rival(CN, verification=None),)},
        "yes",
        "rules.actor_is_holder",
        ("CN",),
    ),
    "one's own second right is no rival": (
        verified(CN),
        {"rivals": (replace(rival(CN), organisation=OWNER),)},
        "yes",
        "rules.actor_is_holder",
        ("CN",),
    ),
    "a dispute that suspends it stops it": (
        verified(CN, disputes=(Dispute(id="D", kind="invalidity", opened_on=day("2026-01-01")),)),
        {},
        "no",
        "rules.dispute_suspends",
        (),
    ),
    "a closed dispute does not": (
        verified(CN, disputes=(Dispute(id="D", kind="invalidity", opened_on=day("2026-01-01"), closed_on=DAY),)),
        {},
        "yes",
        "rules.actor_is_holder",
        ("CN",),
    ),
    "a dispute about Italy does not stop it in France": (
        verified(EU, disputes=(Dispute(id="D", kind="court", territories=("IT",)),)),
        {"territory": "FR"},
        "yes",
        "rules.actor_is_holder",
        None,
    ),
    "a dispute about the Union stops it in France": (
        verified(EU, disputes=(Dispute(id="D", kind="court", territories=("EU",)),)),
        {"territory": "FR"},
        "no",
        "rules.dispute_suspends",
        (),
    ),
    "an opposition without effect is told to nobody": (
        verified(CN, disputes=(Dispute(id="D", kind="opposition", effect="none"),)),
        {},
        "yes",
        "rules.actor_is_holder",
        ("CN",),
    ),
    "a work of level 1 backs a measure": (
        verified(
            Record(kind="copyright", application_date=day("2020-01-01")),
            verification=Verification(level=1, method="papers", at=datetime(2026, 1, 1, tzinfo=UTC)),
        ),
        {"territory": "FR", "cls": ""},
        "yes",
        "rules.berne",
        None,
    ),
    "a mark of level 1 does not": (
        verified(CN, verification=Verification(level=1, method="papers", at=datetime(2026, 1, 1, tzinfo=UTC))),
        {},
        "no",
        "rules.level_too_low",
        (),
    ),
    "what came by a file without a day of reading stays in force until its own end": (
        verified(mark("CN", source=Source(format="csv"))),
        {},
        "yes",
        "rules.registered",
        ("CN",),
    ),
}


@pytest.mark.parametrize("case", ACTS)
def test_may_he_act(case):
    right, asked, value, code, limits = ACTS[case]
    found = may_act(right, **({"actor": OWNER, "territory": "CN", "cls": "25", "on": DAY} | asked))
    assert (found.may, code in found.codes) == (value, True), found
    if limits is not None:
        assert found.limits == limits


def test_a_rival_in_the_same_place_is_named_for_a_dispute():
    found = may_act(verified(CN), actor=OWNER, territory="CN", cls="25", on=DAY, rivals=(rival(CN),))
    assert found.disputes == ("right-2",)


SUSPENDED_THERE = (Dispute(id="D1", kind="court", opened_on=DAY, territories=("DE",)),)
NAMED = Interest(id="L1", party=Party(name="Jo Lamps GmbH", country="DE"), role="licensee", organisation=SELLER)

# what is special about the right, who asks and how; the reason of the doubt
SALES_IN_DOUBT = {
    "suspended there by a court": ({"disputes": SUSPENDED_THERE}, {"organisation": SELLER}, "rules.dispute_suspends"),
    "granted by the office or not, nobody knows": (
        {"record": madrid(part("DE", "unknown"))},
        {"organisation": SELLER},
        "rules.designation_status_not_said",
    ),
    "in the months to renew": (
        {"record": madrid(part("DE"), expiry_date=day("2026-11-01"))},
        {"organisation": SELLER},
        "rules.in_grace",
    ),
    "the holder, of a right that may not have effect": (
        {"record": madrid(part("DE", "unknown"))},
        {"organisation": OWNER},
        "rules.designation_status_not_said",
    ),
    "a seller who says that he is also called so": (
        {},
        {"party": Party(name="Bo", also=(Text(text="Jo Lamps GmbH"),))},
        "rules.seller_named_so",
    ),
    "a firm of another form": ({}, {"party": Party(name="Jo Lamps Ltd")}, "rules.seller_named_so"),
    "a firm of another country": ({}, {"party": Party(name="Jo Lamps GmbH", country="CN")}, "rules.seller_named_so"),
    "another account of that name": (
        {},
        {"party": Party(name="Jo Lamps GmbH"), "organisation": OTHER},
        "rules.seller_named_so",
    ),
}


@pytest.mark.parametrize("case", SALES_IN_DOUBT)
def test_no_sale_is_allowed_while_something_is_in_doubt(case):
    more, asked, reason = SALES_IN_DOUBT[case]
    one = verified(**{"record": madrid(part("DE")), "interests": (NAMED,)} | more)
    sale = may_sell(one, territory="DE", cls="25", on=DAY, **asked)
    assert (sale.value, reason in sale.codes) == ("unknown", True)
    # Nothing is done automatically against him either.
    against = may_act(
        one,
        actor=OWNER,
        territory="DE",
        cls="25",
        on=DAY,
        seller=asked.get("organisation", ""),
        seller_party=asked.get("party"),
    )
    assert against.may != "yes"
    plain = verified(madrid(part("DE")), interests=(NAMED,))
    assert may_sell(plain, territory="DE", cls="25", on=DAY, party=Party(name="Jo Lamps")).value == "yes"


FOR_FRANCE_ALONE = {
    "an agent for France": ({"actor": AGENT, "mandates": "FR"}, {}),
    "an exclusive licensee for France": (
        {"actor": OTHER},
        {"interests": (grant("L1", "licensee_exclusive", OTHER, territories=("FR",)),)},
    ),
    "a seller who is authorised everywhere but in France": (
        {"actor": OWNER, "seller": SELLER},
        {"interests": (grant("L1", "authorised_seller", territories=("DE",)),)},
    ),
    "a right that is suspended in Germany": (
        {"actor": OWNER},
        {"disputes": (Dispute(id="D1", kind="court", opened_on=DAY, territories=("DE",)),)},
    ),
}


@pytest.mark.parametrize("case", FOR_FRANCE_ALONE)
def test_a_measure_for_one_country_does_not_reach_where_it_would_not_be_allowed(case):
    asked, more = FOR_FRANCE_ALONE[case]
    power = mandate(territories=(asked.get("mandates", "FR"),))
    one = verified(madrid(part("DE"), part("FR")), **more)
    question = {
        "cls": "25",
        "on": DAY,
        "mandates": (power,),
        "actor": asked["actor"],
        "seller": asked.get("seller", ""),
    }
    found = may_act(one, territory="FR", **question)
    assert found.may == "yes", found.reasons
    assert found.limits == ("FR", *_parts_of_france())
    there = may_act(one, territory="DE", **question)
    assert (there.may, there.limits) == ("no", ())


def test_a_squatter_takes_his_country_out_of_the_limits():
    wide = verified(madrid(part("DE"), part("FR"), part("CN")))
    found = may_act(wide, actor=OWNER, territory="DE", cls="25", on=DAY, rivals=(rival(CN),))
    assert (found.may, found.limits, found.disputes) == ("yes", ("DE", "FR", *_parts_of_france()), ())


def _parts_of_france():
    return ("GF", "GP", "MF", "MQ", "RE", "YT")


def test_there_are_sixty_scenarios():
    assert len(COVERS) + len(SALES) + len(ACTS) >= 60
