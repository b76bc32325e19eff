"""A claim beside an office's record: what is harmless, what needs a paper, what contradicts, and by which rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chopmark.base.wording import catalogue
from chopmark.rights.comparison import RULES, compare, confirmed, level_of
from chopmark.rights.coverage import covers
from chopmark.rights.record import Class, Designation, Identifier, Interest, Mark, Party, Record, Text


def nice(*codes):
    return tuple(Class(scheme="nice", code=code) for code in codes)


FOUND = Record(
    kind="trademark",
    office="EM",
    application_number="018123456",
    registration_number="018123456",
    mark=Mark(verbal="Café Müller", feature="word"),
    owners=(Party(name="Café Müller GmbH", country="DE"),),
    classes=nice("30", "43"),
    registration_date=date(2020, 5, 6),
    application_date=date(2020, 1, 2),
    expiry_date=date(2030, 1, 2),
    status="registered",
)


def owned(name, **more):
    return {"owners": (Party(name=name, **more),)}


def words(text):
    return {"mark": Mark(verbal=text)}


# what the claim says otherwise, what the record says otherwise; the field, the verdict, the rule
CASES = {
    "nothing differs": ({}, {}, "verbal", "equal", ""),
    "case": (words("CAFÉ MÜLLER"), {}, "verbal", "tolerated", "case"),
    "full width": (words("Ｃafé Müller"), {}, "verbal", "tolerated", "width"),
    "spaces": (words("CaféMüller"), {}, "verbal", "tolerated", "spaces"),
    "punctuation": (words("Café-Müller!"), {}, "verbal", "tolerated", "punctuation"),
    "an ampersand": (words("Tee & Ton"), words("Tee and Ton"), "verbal", "tolerated", "punctuation"),
    "accents": (words("Cafe Muller"), {}, "verbal", "tolerated", "diacritics"),
    "traditional characters": (words("龍井茶業"), words("龙井茶业"), "verbal", "tolerated", "script"),
    "other words": (words("Café Maier"), {}, "verbal", "contradiction", "other_words"),
    "a word more": (words("Café Müller Berlin"), {}, "verbal", "contradiction", "other_words"),
    "the record's transliteration": (
        words("Long Jing"),
        {"mark": Mark(verbal="龙井", transliteration="LONG JING")},
        "verbal",
        "tolerated",
        "transliteration",
    ),
    "words left out": ({"mark": None}, {}, "verbal", "tolerated", "filled_in"),
    "words that a figurative mark does not have": ({}, {"mark": Mark()}, "verbal", "needs_paper", "not_in_record"),
    "another feature": (
        {"mark": Mark(verbal="Café Müller", feature="figurative")},
        {},
        "feature",
        "needs_paper",
        "other_feature",
    ),
    "legal form left out": (owned("Café Müller"), {}, "owners", "tolerated", "legal_form"),
    "legal form written out": (
        owned("ACME Company Limited"),
        owned("Acme Co., Ltd."),
        "owners",
        "tolerated",
        "legal_form",
    ),
    "another legal form": (owned("Café Müller AG"), {}, "owners", "needs_paper", "other_legal_form"),
    "a Chinese legal form left out": (
        owned("西湖茶业"),
        owned("西湖茶业有限公司"),
        "owners",
        "tolerated",
        "legal_form",
    ),
    "a Chinese name in traditional characters": (
        owned("西湖茶業有限公司"),
        owned("西湖茶业有限公司"),
        "owners",
        "tolerated",
        "script",
    ),
    "a transliterated owner, by the record": (
        owned("West Lake Tea Ltd"),
        owned("西湖茶业有限公司", also=(Text(text="WEST LAKE TEA LTD."),)),
        "owners",
        "tolerated",
        "transliteration",
    ),
    "a transliterated owner, by the claim alone": (
        owned("West Lake Tea Ltd", also=(Text(text="西湖茶业有限公司"),)),
        owned("西湖茶业有限公司"),
        "owners",
        "needs_paper",
        "transliteration_claimed",
    ),
    "the same firm by its number": (
        owned("Old name", identifiers=(Identifier(scheme="USCC", value="91330100MA2"),)),
        owned("New name", identifiers=(Identifier(scheme="USCC", value="91330100MA2"),)),
        "owners",
        "tolerated",
        "identifier",
    ),
    "another owner": (owned("Somebody Else"), {}, "owners", "contradiction", "other_owner"),
    "no owner named": ({"owners": ()}, {}, "owners", "needs_paper", "filled_in"),
    "another number": (
        {"application_number": "018123457"},
        {},
        "application_number",
        "contradiction",
        "other_number",
    ),
    "a number in another form": (
        {"registration_number": "18123456"},
        {},
        "registration_number",
        "tolerated",
        "number_form",
    ),
    "only one number": ({"application_number": ""}, {}, "application_number", "tolerated", "filled_in"),
    "a number that the record does not have": (
        {},
        {"application_number": ""},
        "application_number",
        "needs_paper",
        "not_in_record",
    ),
    "another office": ({"office": "DE"}, {}, "office", "contradiction", "other_office"),
    "the office by its other code": ({"office": "EU"}, {}, "office", "equal", ""),
    "another kind": ({"kind": "design"}, {}, "kind", "contradiction", "other_kind"),
    "fewer classes": ({"classes": nice("30")}, {}, "classes.nice", "tolerated", "fewer_classes"),
    "more classes": ({"classes": nice("30", "43", "9")}, {}, "classes.nice", "contradiction", "more_classes"),
    "a class with a zero": ({"classes": nice("030", "43")}, {}, "classes.nice", "equal", ""),
    "no classes": ({"classes": ()}, {}, "classes.nice", "tolerated", "filled_in"),
    "a class that the record ended": (
        {},
        {"classes": (*nice("30"), Class(scheme="nice", code="43", until=date(2025, 1, 1)))},
        "classes.nice",
        "contradiction",
        "more_classes",
    ),
    "a right that has ended": ({}, {"status": "ended"}, "status", "contradiction", "dead"),
    "a right that is pending": ({}, {"status": "pending"}, "status", "contradiction", "status_pending"),
    "a status that nobody knows": ({}, {"status": "unknown"}, "status", "needs_paper", "status_unknown"),
    "a claim that says no status": ({"status": "unknown"}, {}, "status", "tolerated", "filled_in"),
    "a claim that was pending": ({"status": "pending"}, {}, "status", "tolerated", "status_newer"),
    "renewed since": ({"expiry_date": date(2020, 1, 2)}, {}, "expiry_date", "tolerated", "office_later"),
    "a later end than the record's": (
        {"expiry_date": date(2040, 1, 2)},
        {},
        "expiry_date",
        "contradiction",
        "other_date",
    ),
    "another day of registration": (
        {"registration_date": date(2020, 6, 5)},
        {},
        "registration_date",
        "contradiction",
        "other_date",
    ),
    "no day given": ({"registration_date": None}, {}, "registration_date", "tolerated", "filled_in"),
    "a territory more": (
        {"designations": (Designation(territory="EU"), Designation(territory="CH"))},
        {},
        "territories",
        "contradiction",
        "more_territories",
    ),
    "a refused designation counts as none": (
        {"designations": (Designation(territory="JP"),), "office": "WO"},
        {"designations": (Designation(territory="JP", status="ended"), Designation(territory="KR")), "office": "WO"},
        "territories",
        "contradiction",
        "more_territories",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_field(case):
    ours, theirs, field, verdict, rule = CASES[case]
    told = compare(replace(FOUND, **ours), replace(FOUND, **theirs))
    assert [(each.verdict, each.rule) for each in told if each.field == field] == [(verdict, rule)], told


def to_japan(status="registered", **more):
    return {
        "office": "WO",
        "registration_date": date(2020, 5, 6),
        "designations": (Designation(territory="JP", status=status, via="madrid", **more),),
    }


IN_2021, IN_2022 = date(2021, 1, 1), date(2022, 1, 1)
# what the claim says of its designation, what the office says; the field, the verdict; the answer for Japan on a day
TO_JAPAN = {
    "granted by both": (to_japan(), to_japan(), "", "", "yes"),
    "granted, the office says nothing": (to_japan(), to_japan("unknown"), "status", "tolerated", "unknown"),
    "granted, the office still examines": (to_japan(), to_japan("pending"), "status", "tolerated", "no"),
    "not said, granted": (to_japan("unknown"), to_japan(), "status", "tolerated", "yes"),
    "designated later than claimed": (
        to_japan(since=date(2020, 5, 6)),
        to_japan(since=IN_2022),
        "since",
        "contradiction",
        "",
    ),
    "before there was a registration": (to_japan(since=date(1999, 1, 1)), to_japan(), "since", "contradiction", ""),
    "designated later, not said": (to_japan(), to_japan(since=IN_2022), "since", "tolerated", "no"),
    "over, not said": (to_japan(), to_japan(until=IN_2021), "until", "tolerated", "no"),
    "over earlier than claimed": (to_japan(until=IN_2022), to_japan(until=IN_2021), "until", "contradiction", ""),
    "for fewer classes, not said": (to_japan(), to_japan(classes=("43",)), "classes", "tolerated", "no"),
    "for other classes": (to_japan(classes=("30",)), to_japan(classes=("43",)), "classes", "contradiction", ""),
    "claimed for less": (to_japan(classes=("30",), since=IN_2021), to_japan(), "", "", "yes"),
}


@pytest.mark.parametrize("case", TO_JAPAN)
def test_no_claim_makes_a_designation_more_than_the_office_says(case):
    ours, theirs, name, verdict, value = TO_JAPAN[case]
    claim, found = replace(FOUND, **ours), replace(FOUND, **theirs)
    told = [each for each in compare(claim, found) if each.field.startswith("designations.")]
    assert [(each.field, each.verdict) for each in told] == ([(f"designations.JP.{name}", verdict)] if name else [])
    if value:
        known = confirmed(claim, told)
        assert covers(known, territory="JP", cls="30", on=date(2021, 6, 1)).value == value


def test_who_leaves_the_goods_out_claims_no_whole_class():
    claim = replace(FOUND, classes=nice("30", "43"))
    found = replace(FOUND, classes=(Class(scheme="nice", code="30", goods=(Text(text="Tea"),)), *nice("43")))
    told = compare(claim, found)
    assert [(each.found, each.verdict) for each in told if each.field == "classes.nice.goods"] == [("30", "tolerated")]
    known = confirmed(claim, told)
    assert covers(claim, territory="DE", cls="cn_subclass:3002", on=date(2021, 6, 1)).value == "yes"
    answers = {cls: covers(known, territory="DE", cls=cls, on=date(2021, 6, 1)).value for cls in ("30", "43")}
    assert answers == {"30": "yes", "43": "yes"}
    assert covers(known, territory="DE", cls="cn_subclass:3002", on=date(2021, 6, 1)).value == "unknown"
    assert not [each for each in compare(found, found) if each.field.endswith(".goods")]


DAYS = {
    "came later, not said": ({}, {"since": IN_2022}, "since", "tolerated", "no"),
    "came later than claimed": ({"since": IN_2021}, {"since": IN_2022}, "since", "contradiction", ""),
    "claimed for less": ({"since": IN_2022}, {"since": IN_2021}, "", "", "no"),
    "ends earlier than claimed": ({"until": IN_2022}, {"until": IN_2021}, "until", "contradiction", ""),
    "ends when it was said": ({"until": IN_2021}, {"until": IN_2021}, "", "", "no"),
}


@pytest.mark.parametrize("case", DAYS)
def test_no_claim_makes_a_class_count_longer_than_the_office_says(case):
    ours, theirs, name, verdict, value = DAYS[case]
    both = nice("43")
    claim = replace(FOUND, classes=(Class(scheme="nice", code="30", **ours), *both))
    found = replace(FOUND, classes=(Class(scheme="nice", code="030", **theirs), *both))
    told = [each for each in compare(claim, found) if each.field.startswith("classes.nice.30.")]
    assert [(each.field, each.verdict) for each in told] == ([(f"classes.nice.30.{name}", verdict)] if name else [])
    if value:
        assert level_of(compare(claim, found), "office_record") == 2
        assert covers(confirmed(claim, told), territory="DE", cls="30", on=date(2021, 6, 1)).value == value


def test_a_class_that_ended_at_the_office_is_not_claimed_for_good():
    found = replace(FOUND, classes=(Class(scheme="nice", code="30", until=IN_2021), *nice("43")))
    assert level_of(compare(replace(FOUND, classes=nice("30", "43")), found), "office_record") == 0


def test_who_leaves_all_classes_out_claims_them_as_the_office_has_them():
    tea = Class(scheme="nice", code="30", goods=(Text(text="Tea"),), since=IN_2022)
    claim, found = replace(FOUND, classes=()), replace(FOUND, classes=(tea, *nice("43")))
    known = confirmed(claim, compare(claim, found))
    asked = (("30", date(2021, 6, 1)), ("30", IN_2022), ("cn_subclass:3002", IN_2022), ("43", IN_2022))
    answers = [covers(known, territory="DE", cls=cls, on=on).value for cls, on in asked]
    assert answers == ["no", "yes", "unknown", "yes"]


@pytest.mark.parametrize(
    ("theirs", "value"),
    [({}, "yes"), ({"until": IN_2021}, "no"), ({"since": IN_2022}, "no"), ({"status": "pending"}, "no")],
)
def test_who_leaves_the_territory_out_claims_it_as_the_office_has_it(theirs, value):
    said = {"territory": "EU", "status": "registered", **theirs}
    claim, found = replace(FOUND, designations=()), replace(FOUND, designations=(Designation(**said),))
    known = confirmed(claim, compare(claim, found))
    assert covers(known, territory="DE", cls="30", on=date(2021, 6, 1)).value == value


def test_a_day_of_which_the_office_says_nothing_needs_a_paper():
    found = replace(FOUND, **{**to_japan(), "registration_date": None})
    claim = replace(found, **to_japan(since=date(2020, 5, 6)))
    told = [each for each in compare(claim, found) if each.field == "designations.JP.since"]
    assert [(each.verdict, each.rule) for each in told] == [("needs_paper", "not_in_record")]


def test_what_the_words_mean_is_not_the_sign():
    found = replace(FOUND, mark=Mark(verbal="红灯笼", transliteration="HONG DENG LONG", translation="RED LANTERN"))
    said = {each: replace(FOUND, mark=Mark(verbal=each)) for each in ("Hong Deng Long", "RED LANTERN")}
    verdicts = [next(one.verdict for one in compare(each, found) if one.field == "verbal") for each in said.values()]
    assert verdicts == ["tolerated", "contradiction"]


def test_a_regional_record_speaks_for_its_own_designation():
    claim = replace(FOUND, designations=(Designation(territory="EU", status="registered"),))
    found = replace(FOUND, designations=(Designation(territory="EU"),))
    assert not [each for each in compare(claim, found) if each.field.startswith("designations.")]


ASSIGNED = Interest(id="A", party=Party(name="Neue GmbH"), role="assignee", recorded_at_office=True)


def test_an_assignment_explains_an_owner_whom_the_office_does_not_know_yet():
    claim = replace(FOUND, **owned("Neue GmbH"))
    assert _owner(compare(claim, FOUND, chain=(ASSIGNED,))) == ("tolerated", "assignment")
    assert _owner(compare(claim, FOUND, chain=(replace(ASSIGNED, recorded_at_office=False),))) == (
        "needs_paper",
        "assignment",
    )
    assert _owner(compare(claim, FOUND, chain=(replace(ASSIGNED, ended_on=date(2020, 1, 1)),))) == (
        "contradiction",
        "other_owner",
    )


def test_a_licence_explains_no_owner():
    claim = replace(FOUND, **owned("Neue GmbH"))
    assert _owner(compare(claim, FOUND, chain=(replace(ASSIGNED, role="licensee"),))) == (
        "contradiction",
        "other_owner",
    )


def _owner(told):
    return next((each.verdict, each.rule) for each in told if each.field == "owners")


def test_a_co_owner_who_was_not_named_needs_a_paper():
    told = compare(FOUND, replace(FOUND, owners=(*FOUND.owners, Party(name="Anna Adam"))))
    assert [(each.verdict, each.rule) for each in told if each.field == "owners"] == [
        ("equal", ""),
        ("needs_paper", "co_owner_not_named"),
    ]


def test_numbers_given_crosswise_are_compared_where_the_office_gives_one():
    claim = replace(FOUND, application_number="018123456", registration_number="")
    record = replace(FOUND, application_number="", registration_number="18123456")
    assert level_of(compare(claim, record), "office_record") == 2


def test_a_claim_without_any_number_reaches_no_level_by_itself():
    claim = replace(FOUND, application_number="", registration_number="")
    assert level_of(compare(claim, FOUND), "office_record") == 1


def test_what_a_claim_left_out_is_known_after_the_comparison():
    claim = replace(
        FOUND, status="unknown", registration_date=None, expiry_date=None, classes=(), application_number=""
    )
    known = confirmed(claim, compare(claim, FOUND))
    assert known == FOUND


def test_what_a_claim_says_narrower_stays_so():
    claim = replace(FOUND, classes=nice("30"))
    assert confirmed(claim, compare(claim, FOUND)) == claim


def test_a_renewal_that_the_office_knows_of_counts():
    claim = replace(FOUND, expiry_date=date(2020, 1, 2))
    assert confirmed(claim, compare(claim, FOUND)).expiry_date == FOUND.expiry_date


@given(st.sampled_from(sorted(CASES)))
def test_nothing_that_contradicts_is_taken_over(case):
    ours, theirs, *_ = CASES[case]
    claim, record = replace(FOUND, **ours), replace(FOUND, **theirs)
    for each in compare(claim, confirmed(claim, compare(claim, record))):
        if each.field in ("verbal", "owners", "kind", "office"):
            assert each.verdict in ("equal", "tolerated", "needs_paper")


LEVELS = {"papers": 1, "office_record": 2, "control": 3, "signed": 4}


@pytest.mark.parametrize("method", LEVELS)
def test_a_method_reaches_its_level_only_without_open_questions(method):
    assert level_of(compare(FOUND, FOUND), method) == LEVELS[method]
    assert level_of(compare(FOUND, replace(FOUND, status="unknown")), method) == 1
    assert level_of(compare(FOUND, replace(FOUND, status="ended")), method) == 0


@given(st.text(min_size=1, max_size=12), st.text(min_size=1, max_size=12))
def test_words_that_differ_are_never_equal_and_everything_equals_itself(one, other):
    told = compare(replace(FOUND, **words(one)), replace(FOUND, **words(other)))
    verdict = next(each.verdict for each in told if each.field == "verbal")
    assert (verdict == "equal") == (one == other)


@given(st.text(min_size=1, max_size=15))
def test_a_name_compared_with_itself_in_capitals_never_contradicts(name):
    told = compare(replace(FOUND, **owned(name)), replace(FOUND, **owned(name)))
    assert all(each.verdict == "equal" for each in told if each.field == "owners")


def test_every_rule_is_worded_in_both_languages():
    assert {f"rules.difference_{rule}" for rule in RULES} == {
        code for code in catalogue() if code.startswith("rules.difference_")
    }


def test_every_case_s_rule_is_one_of_the_rules():
    assert {rule for *_, rule in CASES.values()} - {""} <= set(RULES)
    assert set(RULES) - {rule for *_, rule in CASES.values()} == {
        "assignment",
        "co_owner_not_named",
        "fewer_territories",
    }
