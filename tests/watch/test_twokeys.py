"""Two keys: what may be automatic, and everything that must keep it from being so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chopmark.base.wording import catalogue, say
from chopmark.watch.features import FEATURES, Value, row
from chopmark.watch.marks import COMMON
from chopmark.watch.rules.language import parse
from chopmark.watch.rules.rule import Rule
from chopmark.watch.score import Bound, bound
from chopmark.watch.twokeys import DISGUISING, SURE_VIEWS, Needs, Outcome, decide


def _rule(name: str = "rule", action: Any = "takedown", **more: Any) -> Rule:
    usual: dict[str, Any] = {"zh": "规则", "en": "rule", "reason": "counterfeit", "state": "live"}
    return Rule(id=name, action=action, condition=parse("disguised"), **{**usual, **more})


RULE = _rule()
PROVEN = {RULE.version: bound(299, 299, needed=990)}
FULL: dict[str, Value] = row(
    {
        "view": "folded",
        "text_score": 900,
        "disguised": True,
        "picture_stage": "codes",
        "picture_score": 900,
        "class_fits": True,
        "territory_fits": True,
        "price_ratio": 0.2,
        "price_deviation": -5.0,
        "peers": 60,
    }
)


def _decide(changes: dict[str, Value], **more: Any) -> Outcome:
    usual: dict[str, Any] = {"fired": [RULE], "score": 950, "bounds": PROVEN}
    return decide({**FULL, **changes}, **{**usual, **more})


def test_with_everything_in_place_the_measure_is_automatic_and_says_why():
    outcome = _decide({})
    assert (outcome.measure, outcome.automatic, outcome.rule) == ("takedown", True, "rule")
    assert outcome.keys == ("text", "picture", "price")
    assert outcome.codes == ("watch.rule_fired", "watch.key_text", "watch.key_picture", "watch.key_price")
    assert outcome.version == RULE.version


NO_PICTURE: dict[str, Value] = {"picture_stage": "", "picture_score": 0}
NO_PRICE: dict[str, Value] = {"price_ratio": None, "price_deviation": None, "peers": 0}
NO_TEXT: dict[str, Value] = {"view": "", "text_score": 0, "disguised": False}

KEPT: dict[str, tuple[dict[str, Value], str]] = {
    "text alone": ({**NO_PICTURE, **NO_PRICE}, "watch.against_one_key"),
    "picture alone": ({**NO_TEXT, **NO_PRICE}, "watch.against_one_key"),
    "nothing at all": ({**NO_TEXT, **NO_PICTURE, **NO_PRICE}, "watch.against_one_key"),
    "replica words are no second kind beside the disguise": (
        {**NO_PICTURE, **NO_PRICE, "replica_words": 3},
        "watch.against_one_key",
    ),
    "hidden characters are no second kind beside the name": (
        {**NO_PICTURE, **NO_PRICE, "hidden_text": True, "outside_contact": True},
        "watch.against_one_key",
    ),
    "shared pictures are no second kind beside a picture": (
        {**NO_TEXT, **NO_PRICE, "shared_pictures": 9, "shared_contact": 9},
        "watch.against_one_key",
    ),
    "a plain name is no key": ({**NO_PRICE, "view": "exact", "disguised": False}, "watch.against_one_key"),
    "a name glued to a word is no key": ({**NO_PRICE, "view": "glued"}, "watch.against_one_key"),
    "a near miss is no key": ({**NO_PRICE, "view": "near", "replica_words": 2}, "watch.against_one_key"),
    "a weak picture is no key": (
        {**NO_PRICE, "picture_stage": "features", "inliers": 8, "copied_photo": True},
        "watch.against_one_key",
    ),
    "logo and price do not show a wrong": (
        {**NO_TEXT, **NO_PICTURE, "logo_score": 990},
        "watch.against_support_only",
    ),
    "price and past do not show a wrong": (
        {**NO_TEXT, **NO_PICTURE, "seller_confirmed": 9},
        "watch.against_support_only",
    ),
    "a price without peers": ({**NO_PICTURE, "peers": 4}, "watch.against_one_key"),
    "a low price where prices spread": ({**NO_PICTURE, "price_deviation": -1.0}, "watch.against_one_key"),
    "a seller as often wrong as right": (
        {**NO_PICTURE, **NO_PRICE, "seller_confirmed": 3, "seller_dismissed": 1},
        "watch.against_one_key",
    ),
    "descriptive use, whatever else": ({"descriptive": True, "gtin_other": True}, "watch.against_descriptive"),
    "another brand in the brand field": ({"other_brand": True}, "watch.against_other_brand"),
    "a common word": (
        {**NO_PICTURE, "distinctiveness": COMMON - 1, "gtin_other": True, "logo_score": 950},
        "watch.against_common_word",
    ),
    "another class": ({"class_fits": False}, "watch.against_class"),
    "another class, well known or not": ({"class_fits": False, "well_known": True}, "watch.against_class"),
    "a class that is not known": ({"class_fits": None}, "watch.against_class_unknown"),
    "another territory": ({"territory_fits": False}, "watch.against_territory"),
    "a territory that is not known": ({"territory_fits": None}, "watch.against_territory_unknown"),
    "another territory, well known or not": ({"territory_fits": False, "well_known": True}, "watch.against_territory"),
}


@pytest.mark.parametrize(("changes", "code"), KEPT.values(), ids=KEPT)
def test_without_it_a_person_decides(changes, code):
    outcome = _decide(changes)
    assert (outcome.measure, outcome.proposed, outcome.automatic) == ("review", "takedown", False)
    assert code in outcome.codes


ENOUGH: dict[str, tuple[dict[str, Value], tuple[str, ...]]] = {
    "text and price": (NO_PICTURE, ("text", "price")),
    "picture and price": (NO_TEXT, ("picture", "price")),
    "replica words beside the plain name": (
        {**NO_PICTURE, "view": "exact", "disguised": False, "replica_words": 1},
        ("text", "price"),
    ),
    "text and a seller who did it before": ({**NO_PICTURE, **NO_PRICE, "seller_confirmed": 2}, ("text", "seller")),
    "text and linked sellers": ({**NO_PICTURE, **NO_PRICE, "group_confirmed": 3}, ("text", "seller")),
    "text and a logo": ({**NO_PICTURE, **NO_PRICE, "logo_score": 900}, ("text", "picture")),
    "text and another product's GTIN": ({**NO_PICTURE, **NO_PRICE, "gtin_other": True}, ("text", "listing")),
    "part of a picture and price": ({**NO_TEXT, "picture_stage": "features", "inliers": 40}, ("picture", "price")),
    "a common word whose picture was copied": ({"distinctiveness": 5}, ("picture", "price")),
}


@pytest.mark.parametrize(("changes", "keys"), ENOUGH.values(), ids=ENOUGH)
def test_two_kinds_are_enough(changes, keys):
    outcome = _decide(changes)
    assert (outcome.measure, outcome.keys) == ("takedown", keys)


def test_a_licensed_seller_is_left_alone():
    outcome = _decide({"licensed": True})
    assert (outcome.measure, outcome.keys, outcome.rule) == ("none", (), "")
    assert "watch.against_licensed" in outcome.codes


def test_a_licensed_seller_with_impossible_stock_is_looked_at_by_a_person():
    assert _decide({"licensed": True, "impossible_stock": True}).measure == "review"


def test_without_a_rule_nothing_follows_however_high_the_score():
    assert _decide({}, fired=[], score=1000).measure == "none"
    for state in ("draft", "shadow", "stopped"):
        assert _decide({}, fired=[_rule(state=state)]).measure == "none"


def test_a_rule_without_proof_reaches_a_person():
    for bounds in ({}, {RULE.version: bound(298, 298, needed=990)}, {RULE.version: bound(900, 1000, needed=990)}):
        outcome = _decide({}, bounds=bounds)
        assert outcome.measure == "review"
        assert outcome.codes[-1] == "watch.against_bound"


def test_proof_belongs_to_one_version_of_a_rule():
    changed = _rule(en="the same words changed")
    assert _decide({}, fired=[changed]).measure == "review"
    assert _decide({}, fired=[changed], bounds={changed.version: PROVEN[RULE.version]}).measure == "takedown"


def test_the_rule_says_what_it_needs_not_the_bound():
    strict = _rule(needed=999)
    lenient = Bound(labelled=299, confirmed=299, lower=990, needed=900)
    assert _decide({}, fired=[strict], bounds={strict.version: lenient}).measure == "review"


def test_a_milder_rule_with_proof_acts_where_the_harsher_one_has_none():
    hold = _rule("hold", action="hold")
    bounds = {hold.version: PROVEN[RULE.version]}
    outcome = _decide({}, fired=[RULE, hold, _rule("look", action="review")], bounds=bounds)
    assert (outcome.measure, outcome.proposed, outcome.rule) == ("hold", "takedown", "hold")


def test_the_harshest_rule_counts_and_a_mild_one_needs_no_keys():
    look, note = _rule("look", action="review"), _rule("note", action="watch")
    nothing: dict[str, Value] = {**NO_TEXT, **NO_PICTURE, **NO_PRICE}
    assert _decide(nothing, fired=[note, look]).measure == "review"
    assert _decide(nothing, fired=[note]).measure == "watch"
    assert _decide({}, fired=[look]).measure == "review"


def test_a_threshold_of_the_score_is_kept():
    needs = Needs(score=960)
    outcome = _decide({}, score=959, needs=needs)
    assert (outcome.measure, outcome.codes[-1]) == ("review", "watch.against_score")
    assert _decide({}, score=960, needs=needs).measure == "takedown"


# ---------------------------------------------------------------- any row

BY_KIND: dict[str, st.SearchStrategy[Value]] = {
    "text": st.sampled_from(["", "exact", "folded", "letters", "near", "glued", "same", "codes", "features"]),
    "integer": st.sampled_from([0, 1, 2, 3, 5, 19, 20, 60, 299, 300, 799, 800, 900, 1000]),
    "real": st.none() | st.sampled_from([-9.0, -3.0, -1.0, 0.0, 0.2, 0.4, 1.0]),
    "boolean": st.booleans(),
}
READ = [
    *("view", "text_score", "disguised", "replica_words", "descriptive", "other_brand", "distinctiveness"),
    *("picture_stage", "picture_score", "inliers", "logo_score", "copied_photo", "price_ratio", "price_deviation"),
    *("peers", "seller_confirmed", "seller_dismissed", "group_confirmed", "impossible_stock", "gtin_other"),
    *("hidden_text", "shared_pictures", "licensed", "well_known"),
]
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        **{name: BY_KIND[FEATURES[name].kind] for name in READ},
        "class_fits": st.sampled_from([True, False, None]),
        "territory_fits": st.sampled_from([True, False, None]),
    },
)
RULES = st.lists(st.sampled_from(["watch", "review", "hold", "takedown"]), max_size=4).map(
    lambda actions: [_rule(f"rule-{at}", action=action) for at, action in enumerate(actions)]
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(CHANGES, RULES, st.integers(0, 1000), st.data())
def test_nothing_is_automatic_unless_every_condition_holds(changes, rules, score, data):
    given_row = {**FULL, **changes}
    proven = {each.version: bound(299, 299, needed=990) for each in rules if data.draw(st.booleans())}
    needs = Needs(score=data.draw(st.none() | st.just(500)))
    outcome = decide(given_row, rules, score, proven, needs=needs)
    assert decide(given_row, list(reversed(rules)), score, proven, needs=needs) == outcome
    if outcome.automatic:
        assert len(set(outcome.keys)) >= 2
        assert {"text", "picture"} & set(outcome.keys)
        assert not given_row["licensed"]
        assert not given_row["descriptive"]
        assert not given_row["other_brand"]
        assert given_row["class_fits"] is True
        assert given_row["territory_fits"] is True
        assert outcome.version in proven
        assert needs.score is None or score >= needs.score
        assert all(each.role != "against" or each.code == "watch.against_bound" for each in outcome.reasons)
        if "text" in outcome.keys:
            assert given_row["view"] in SURE_VIEWS
            assert given_row["distinctiveness"] >= COMMON
            assert given_row["replica_words"] or given_row["view"] in DISGUISING
    elif outcome.proposed in {"hold", "takedown"}:
        assert any(each.role == "against" for each in outcome.reasons)
        assert outcome.measure in {"review", "none"}
    else:
        assert outcome.measure in {outcome.proposed, "review", "none"}
    assert outcome.proposed == "none" or rules


WORSE: dict[str, Callable[[dict[str, Value]], dict[str, Value]]] = {
    "a licence": lambda _: {"licensed": True},
    "descriptive use": lambda _: {"descriptive": True},
    "another brand": lambda _: {"other_brand": True},
    "no known class": lambda _: {"class_fits": None, "well_known": False},
    "no known territory": lambda _: {"territory_fits": None},
}


@settings(max_examples=50, deadline=None, derandomize=True)
@given(CHANGES, st.sampled_from(sorted(WORSE)))
def test_what_speaks_for_the_seller_never_makes_a_measure_harsher(changes, name):
    before = _decide(changes)
    after = _decide({**changes, **WORSE[name]({})})
    assume(before.automatic)
    assert not after.automatic


def test_every_reason_has_its_sentence_in_both_languages():
    seen = {}
    for changes in (
        {},
        {"licensed": True},
        *(changes for changes, _ in KEPT.values()),
        *(changes for changes, _ in ENOUGH.values()),
    ):
        for bounds, needs in ((PROVEN, Needs()), ({}, Needs(score=999))):
            for reason in _decide(changes, bounds=bounds, needs=needs).reasons:
                seen[reason.code] = reason.facts
    for code, facts in seen.items():
        assert say(code, facts, "en")
        assert say(code, facts, "zh")
        assert "infring" not in catalogue()[code]["en"]
    worded = {code for code in catalogue() if code.startswith(("watch.key_", "watch.against_"))}
    assert worded <= set(seen)
