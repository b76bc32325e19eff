"""Rules: what is read and what is refused, one meaning in rows and in tables, versions, examples, history, alarms."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chopmark.base.errors import Invalid, PlatformError, Refused
from chopmark.base.wording import say
from chopmark.watch.deciding import deciding
from chopmark.watch.features import FEATURES, ROW, Value, row
from chopmark.watch.judge import Decided
from chopmark.watch.rules.alarm import Day, alarm
from chopmark.watch.rules.backtest import backtest, backtest_trials, sample
from chopmark.watch.rules.language import MAX_DEPTH, as_test, evaluate, parse, to_duckdb
from chopmark.watch.rules.rule import (
    MAX_RULES,
    Example,
    Rule,
    RuleSet,
    Scope,
    default,
    encode_rule,
    encode_rules,
    in_state,
    must_be_ready,
    parse_rule,
    parse_rules,
    read_toml,
    rule_set,
    wrong_examples,
)
from chopmark.watch.rules.run import connection
from chopmark.watch.score import default_card

DAY = date(2026, 11, 22)
ARROW = {"text": pa.string(), "integer": pa.int64(), "real": pa.float64(), "boolean": pa.bool_()}
SCHEMA = pa.schema([pa.field(name, ARROW[each.kind]) for name, each in FEATURES.items()])

# ---------------------------------------------------------------- what is read

READ = {
    "keywords in any case, spaces anywhere": ("disguised\n and\tNot  licensed", "disguised AND NOT licensed"),
    "the literal goes to the right": ("0.5 > price_ratio", "price_ratio < 0.5"),
    "another sign for unequal": ("view != 'near'", "view <> 'near'"),
    "a whole number beside a fraction": ("price_ratio < 1", "price_ratio < 1.0"),
    "minus nought": ("price_ratio > -0.0 OR price = -0", "price_ratio > 0.0 OR price = 0"),
    "lists are sorted, each once": ("view IN ('b', 'a', 'b')", "view IN ('a', 'b')"),
    "NOT before a list": ("NOT (view IN ('a'))", "view NOT IN ('a')"),
    "NOT before IS NULL": ("NOT price IS NULL", "price IS NOT NULL"),
    "NOT twice": ("NOT NOT disguised", "disguised"),
    "AND binds closer": ("disguised OR licensed AND well_known", "disguised OR (licensed AND well_known)"),
    "needless parentheses": ("((disguised) AND ((licensed)))", "disguised AND licensed"),
    "a quote in a text": ("category = 'men''s'", "category = 'men''s'"),
    "the feature whose name SQL has taken": ("right = 'R-2026-000001'", "right = 'R-2026-000001'"),
    "texts in texts": ("contains(category, '鞋')", "contains(category, '鞋')"),
    "two features": ("seller_confirmed > seller_dismissed", "seller_confirmed > seller_dismissed"),
    "what stands for NULL": ("coalesce(class_fits, false)", "coalesce(class_fits, FALSE)"),
    "chains": ("disguised AND licensed AND well_known", "disguised AND licensed AND well_known"),
}


@pytest.mark.parametrize(("text", "canonical"), READ.values(), ids=READ)
def test_a_condition_is_read_and_printed_in_one_form(text, canonical):
    condition = parse(text)
    assert condition.text == canonical
    assert parse(canonical) == condition
    assert len(condition.version) == 64


REFUSED = {
    "nothing": ("", "watch.rule_not_allowed", 1),
    "white space": (" \n", "watch.rule_not_allowed", 1),
    "an unknown feature": ("disguised AND seller_name = 'x'", "watch.rule_word", 15),
    "a feature in capitals": ("Disguised", "watch.rule_word", 1),
    "a quoted name": ("\"right\" = 'x'", "watch.rule_symbol", 1),
    "a sub-select": ("price IN (SELECT 1)", "watch.rule_word", 11),
    "a table function": ("read_csv('/etc/passwd') = 1", "watch.rule_word", 1),
    "a function that is also a feature": ("right(view, 1) = 'x'", "watch.rule_word", 1),
    "a pattern": ("view LIKE '%a%'", "watch.rule_word", 6),
    "a regular expression": ("regexp_matches(category, '(a+)+$')", "watch.rule_word", 1),
    "an operator for patterns": ("view ~ '(a+)+$'", "watch.rule_symbol", 6),
    "a cast": ("CAST(price AS INT) = 1", "watch.rule_word", 1),
    "a short cast": ("price::INT = 1", "watch.rule_symbol", 6),
    "a comment at the end": ("disguised -- and licensed", "watch.rule_symbol", 11),
    "a comment between": ("disguised /* x */ AND licensed", "watch.rule_symbol", 11),
    "a comment that hides a condition": ("/* licensed AND */ disguised", "watch.rule_symbol", 1),
    "two statements": ("disguised; DROP TABLE listings", "watch.rule_symbol", 10),
    "a parameter": ("price = $1", "watch.rule_symbol", 9),
    "a text with escapes": (r"view = E'\x41'", "watch.rule_symbol", 8),
    "a text in dollars": ("view = $$x$$", "watch.rule_symbol", 8),
    "a text without an end": ("view = 'x", "watch.rule_text", 8),
    "texts one after the other": ("view = 'a' 'b'", "watch.rule_not_allowed", 1),
    "joined texts": ("view || 'x' = 'ax'", "watch.rule_symbol", 6),
    "a sum": ("price + 1 = 2", "watch.rule_symbol", 7),
    "the negative of a feature": ("-price = 1", "watch.rule_not_allowed", 2),
    "an exponent": ("price < 1e9", "watch.rule_number", 9),
    "a number with lines below": ("price < 1_000", "watch.rule_number", 9),
    "a number in other digits": ("price < ４", "watch.rule_symbol", 9),
    "a huge number": ("price < 99999999999999999999", "watch.rule_number", 9),
    "a fraction that two engines round apart": ("price_ratio < 0.12345678901234567", "watch.rule_number", 15),
    "a fraction without a nought": ("price_ratio < .5", "watch.rule_symbol", 15),
    "a fraction beside a whole number": ("price < 0.5", "watch.rule_kinds", 1),
    "a text beside a number": ("price = '1'", "watch.rule_kinds", 1),
    "a truth beside a number": ("disguised = 1", "watch.rule_kinds", 1),
    "texts in order": ("view < 'm'", "watch.rule_kinds", 1),
    "truths in order": ("disguised > licensed", "watch.rule_kinds", 1),
    "features of two kinds": ("price > price_ratio", "watch.rule_kinds", 1),
    "a number as a condition": ("price AND disguised", "watch.rule_kinds", 1),
    "a list of fractions": ("price_ratio IN (0.5)", "watch.rule_kinds", 1),
    "an empty list": ("view IN ()", "watch.rule_not_allowed", 1),
    "NULL in a list": ("price IN (1, NULL)", "watch.rule_not_allowed", 1),
    "beside NULL": ("price = NULL", "watch.rule_not_allowed", 1),
    "IS TRUE": ("disguised IS TRUE", "watch.rule_not_allowed", 1),
    "always true": ("TRUE", "watch.rule_constant", 1),
    "always true, in a corner": ("disguised OR 1 = 1", "watch.rule_constant", 1),
    "always true, by a list": ("disguised OR 1 IN (1)", "watch.rule_not_allowed", 1),
    "an alias": ("disguised AS licensed", "watch.rule_word", 11),
    "words without an operator": ("disguised licensed", "watch.rule_not_allowed", 1),
    "a field of a feature": ("category.x = 1", "watch.rule_symbol", 9),
    "an element of a feature": ("category[1] = 'a'", "watch.rule_symbol", 9),
    "an invisible character": ("view = 'a\u200bb'", "watch.rule_character", 10),
    "a character that turns the line": ("view = 'a\u202eb'", "watch.rule_character", 10),
    "NUL": ("view = 'a\x00b'", "watch.rule_character", 10),
    "half a character": ("view = '\ud800'", "watch.rule_character", 9),
    "an empty part": ("contains(category, '')", "watch.rule_not_allowed", 10),
    "an unclosed parenthesis": ("(disguised", "watch.rule_not_allowed", 10),
    "CASE": ("CASE WHEN disguised THEN TRUE END", "watch.rule_word", 1),
    "too deep": ("(" * (MAX_DEPTH + 1) + "disguised" + ")" * (MAX_DEPTH + 1), "watch.rule_too_deep", MAX_DEPTH + 1),
    "ten thousand parentheses": ("(" * 1_900 + "disguised" + ")" * 1_900, "watch.rule_too_long", 601),
    "NOTs without end": ("NOT " * 400 + "disguised", "watch.rule_too_deep", 4 * MAX_DEPTH + 1),
    "too many words": (" OR ".join(["licensed"] * 302), "watch.rule_too_long", 3601),
    "too long": ("disguised OR " * 400 + "disguised", "watch.rule_too_long", 4000),
    "a megabyte": ("x" * 1_000_000, "watch.rule_too_long", 4000),
}


@pytest.mark.parametrize(("text", "code", "position"), REFUSED.values(), ids=REFUSED)
def test_anything_else_is_refused_with_its_place(text, code, position):
    with pytest.raises(Invalid) as caught:
        parse(text)
    assert (caught.value.code, caught.value.facts["position"]) == (code, position)
    assert say(caught.value.code, caught.value.facts, "zh")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.text(max_size=60) | st.text(alphabet="()'\"-/*;,.<>=!0123456789 ANDORTINULdisguseprc_\\$:[]", max_size=60))
def test_no_text_makes_the_reader_fail_otherwise(text):
    try:
        condition = parse(text)
    except Invalid as error:
        fits = error.code.startswith("watch.rule_") and 1 <= error.facts["position"] <= max(1, len(text))
    else:
        fits = parse(condition.text).text == condition.text
    assert fits


# ---------------------------------------------------------------- one meaning

TEXTS = st.text(alphabet="abAB é鞋%_\\'\"{}$", max_size=4)
WHOLE = st.integers(-5, 5) | st.integers(-(2**53) + 1, 2**53 - 1)
HALVES = st.integers(-40, 40).map(lambda number: number / 8)
BY_KIND = {"text": TEXTS, "integer": WHOLE, "real": HALVES, "boolean": st.booleans()}
NAMES = {kind: [name for name, each in FEATURES.items() if each.kind == kind] for kind in BY_KIND}


def _any_row(seed: int) -> dict[str, Value]:
    """Drawn here and not by Hypothesis: fifty columns each time would take it most of the test."""
    chance = random.Random(seed)  # noqa: S311 (the same row every time)
    draws: dict[str, Callable[[], Value]] = {
        "text": lambda: "".join(chance.choices("abAB é鞋%_\\'\"{}$", k=chance.randint(0, 3))),
        "integer": lambda: chance.choice([chance.randint(-5, 5), chance.randint(-(2**53) + 1, 2**53 - 1)]),
        "real": lambda: chance.randint(-40, 40) / 8,
        "boolean": lambda: chance.random() < 0.5,
    }
    return {name: draws[each.kind]() if chance.random() < 0.7 else None for name, each in FEATURES.items()}


ROWS = st.integers(0, 1_000_000).map(_any_row)


def _literal(value: Value) -> str:
    match value:
        case bool():
            return str(value).upper()
        case str():
            return "'" + value.replace("'", "''") + "'"
        case _:
            return str(value)


@st.composite
def _operand(draw, kind: str) -> str:
    name = draw(st.sampled_from(NAMES[kind]))
    return name if draw(st.integers(0, 3)) else f"coalesce({name}, {_literal(draw(BY_KIND[kind]))})"


@st.composite
def _leaf(draw) -> str:
    kind = draw(st.sampled_from(["text", "integer", "real", "boolean"]))
    left = draw(_operand(kind))
    values = BY_KIND[kind]
    ways = ["=", "<>", "null", *(["<", "<=", ">", ">=", "between"] if kind in {"integer", "real"} else [])]
    ways += {"text": ["in", "test"], "integer": ["in"], "boolean": ["bare"]}.get(kind, [])
    way = draw(st.sampled_from(ways))
    no = draw(st.sampled_from(["", "NOT "]))
    if way == "null":
        return f"{draw(st.sampled_from(NAMES[kind]))} IS {no}NULL"
    if way == "bare":
        return left
    if way == "in":
        listed = draw(st.lists(values, min_size=1, max_size=3))
        return f"{left} {no}IN ({', '.join(map(_literal, listed))})"
    if way == "between":
        return f"{left} {no}BETWEEN {_literal(draw(values))} AND {_literal(draw(values))}"
    if way == "test":
        part = _literal(draw(TEXTS.filter(bool)))
        test = draw(st.sampled_from(["contains", "starts_with", "ends_with"]))
        return f"{test}({draw(st.sampled_from(NAMES['text']))}, {part})"
    right = draw(_operand(kind) | values.map(_literal))
    return f"{left} {way} {right}"


CONDITIONS = st.recursive(
    _leaf(),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: "(" + " AND ".join(parts) + ")"),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: "(" + " OR ".join(parts) + ")"),
        inner.map(lambda part: f"NOT ({part})"),
    ),
    max_leaves=6,
)


def _arrow(rows: list[dict[str, Value]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=SCHEMA)


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(CONDITIONS, min_size=8, max_size=8), st.lists(ROWS, min_size=6, max_size=6))
def test_rows_and_tables_agree_on_any_condition_and_any_row(texts, rows):
    conditions = [parse(text) for text in texts]
    table = _arrow(rows)
    naive = [[evaluate(each, given) for each in conditions] for given in rows]
    assert [[as_test(each)(given) for each in conditions] for given in rows] == [
        [value is True for value in line] for line in naive
    ]
    columns = ", ".join(f"{to_duckdb(each)} AS c{at}" for at, each in enumerate(conditions))
    with duckdb.connect() as database:
        by_duckdb = [list(line) for line in database.from_arrow(table).project(columns).fetchall()]
    assert naive == by_duckdb


@settings(max_examples=60, deadline=None, derandomize=True)
@given(CONDITIONS, ROWS)
def test_the_canonical_text_means_the_same_as_what_was_written(text, given_row):
    condition = parse(text)
    assert evaluate(parse(condition.text), given_row) == evaluate(condition, given_row)
    assert as_test(condition)(given_row) is (evaluate(condition, given_row) is True)
    assert set(condition.columns) <= set(FEATURES)


UNKNOWN = {
    "unknown AND false is false": ("class_fits AND disguised", {}, False),
    "unknown AND true is unknown": ("class_fits AND disguised", {"disguised": True}, None),
    "unknown OR true is true": ("class_fits OR disguised", {"disguised": True}, True),
    "not unknown is unknown": ("NOT class_fits", {}, None),
    "unknown is in no list": ("price IN (1)", {}, None),
    "unknown is outside no list": ("price NOT IN (1)", {}, None),
    "between, with one end enough": ("price NOT BETWEEN 1 AND 2", {"price": 9}, True),
    "unknown can be asked for": ("price IS NULL", {}, True),
    "a missing price is not cheap": ("price_ratio < 0.4", {}, None),
}


@pytest.mark.parametrize(("text", "values", "wanted"), UNKNOWN.values(), ids=UNKNOWN)
def test_logic_has_three_values(text, values, wanted):
    assert evaluate(parse(text), row(values)) is wanted


# ---------------------------------------------------------------- rules


def _example(says: str, **values: Value) -> Example:
    return Example(says=says, values=values)


def _rule(name: str = "cheap", condition: str = "price_ratio < 0.5", **more: Any) -> Rule:
    usual: dict[str, Any] = {
        "zh": "便宜",
        "en": "cheap",
        "reason": "counterfeit",
        "action": "review",
        "positive": tuple(_example(f"{each}", price_ratio=each / 10) for each in (1, 2, 3)),
        "negative": (_example("dear", price_ratio=0.75), _example("usual", price_ratio=1.0), _example("no price")),
    }
    return Rule(id=name, condition=parse(condition), **{**usual, **more})


def test_the_rules_that_ship_are_enough_and_come_out_as_their_examples_say():
    rules = default()
    assert len(rules.rules) >= 12
    for each in rules.rules:
        must_be_ready(each)
        assert each.state == "draft"
        assert (each.zh, each.en) != ("", "")
        for example in (*each.positive, *each.negative):
            assert example.says.isascii() or "高仿" in example.says or "复刻" in example.says
            assert any("\u4e00" <= letter <= "\u9fff" for letter in example.zh), example


def test_each_rule_that_ships_is_tried_by_the_other_engine_too():
    for each in default().rules:
        examples = [row(example.values) for example in (*each.positive, *each.negative)]
        with connection() as database:
            found = database.from_arrow(_arrow(examples)).project(to_duckdb(each.effective)).fetchall()
        wanted = [True] * len(each.positive) + [False] * len(each.negative)
        assert [line[0] is True for line in found] == wanted, each.id


def test_no_rule_that_ships_flags_a_listing_in_which_nothing_was_found():
    rules = rule_set(in_state(each, "live") for each in default().rules)
    assert _decided(rules, ROW).fired == ()


def test_a_rule_and_a_set_print_back_what_was_read():
    rules = default()
    assert parse_rules(encode_rules(rules)) == rules
    assert parse_rules(encode_rules(rules)).version == rules.version
    for each in rules.rules:
        assert parse_rule(encode_rule(each)) == each


def test_the_state_is_no_part_of_the_version_and_everything_else_is():
    rule = _rule()
    assert in_state(rule, "live").version == rule.version
    changes: list[dict[str, Any]] = [
        {"id": "other"},
        {"en": "other"},
        {"zh": "其他"},
        {"reason": "design"},
        {"action": "hold"},
        {"condition": parse("price_ratio < 0.6")},
        {"scope": Scope(marketplaces=("demo",))},
        {"flags_a_day": 7},
        {"needed": 900},
        {"expires": DAY},
        {"positive": rule.positive[:2]},
        {"negative": rule.negative[:2]},
    ]
    assert len({rule.version, *(replace(rule, **change).version for change in changes)}) == len(changes) + 1
    assert rule_set([rule]).version != rule_set([in_state(rule, "live")]).version


def _changed(data: bytes, before: bytes, after: bytes) -> bytes:
    assert before in data
    return data.replace(before, after, 1)


GOOD = encode_rule(_rule(scope=Scope(marketplaces=("demo",), rights=("R-2026-000001",)), expires=DAY))
BAD = {
    "no JSON": b"rule",
    "white space": GOOD + b" ",
    "no object": b"[]",
    "a field more": _changed(GOOD, b'{"action"', b'{"a":1,"action"'),
    "another action": _changed(GOOD, b'"review"', b'"delete"'),
    "another reason": _changed(GOOD, b'"counterfeit"', b'"dislike"'),
    "a condition that is not canonical": _changed(GOOD, b"price_ratio < 0.5", b"price_ratio  < 0.5"),
    "a hostile condition": _changed(GOOD, b"price_ratio < 0.5", b"price_ratio < 0.5 -- x"),
    "a day that is none": _changed(GOOD, b"2026-11-22", b"2026-13-22"),
    "a name with a line end": _changed(GOOD, b'"en":"cheap"', b'"en":"che\\nap"'),
    "an id in capitals": _changed(GOOD, b'"id":"cheap"', b'"id":"Cheap"'),
    "a budget of nought": _changed(GOOD, b'"flags_a_day":10000', b'"flags_a_day":0'),
    "a truth as a number": _changed(GOOD, b'"needed":990', b'"needed":true'),
    "a scope with a quote": _changed(GOOD, b'"demo"', b'"de\'mo"'),
    "an example of an unknown feature": _changed(GOOD, b'"price_ratio":"0.1"', b'"price_rati":"0.1"'),
    "an example of the wrong kind": _changed(GOOD, b'"price_ratio":"0.1"', b'"price":"0.1"'),
    "a fraction written otherwise": _changed(GOOD, b'"price_ratio":"0.1"', b'"price_ratio":"0.10"'),
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_a_rule_that_does_not_print_back_is_refused(data):
    assert parse_rule(GOOD).version
    with pytest.raises(Invalid):
        parse_rule(data)


def test_a_set_that_does_not_print_back_is_refused():
    data = encode_rules(rule_set([_rule("a1"), _rule("b1")]))
    first, second, _ = data.split(b"\n")
    for bad in (data[:-1], second + b"\n" + first + b"\n", first + b"\n" + first + b"\n", data + b"\n", b"{}\n"):
        with pytest.raises(Invalid):
            parse_rules(bad)
    with pytest.raises(Invalid, match="twice"):
        rule_set([_rule(), _rule()])


REST = 'zh = "便"\nen = "x"\ncondition = "disguised"\naction = "watch"\nreason = "design"'
TOML = {
    "no TOML": "[",
    "a rule that is no table": "cheap = 1",
    "a rule without a name": '[cheap]\nen = "x"\ncondition = "disguised"\naction = "watch"\nreason = "design"',
    "a scope that is no table": f"[cheap]\nscope = 1\n{REST}",
    "examples that are no list": f"[cheap]\npositive = 1\n{REST}",
    "an example that is no table": f"[cheap]\npositive = [1]\n{REST}",
    "an example in three languages": f'[cheap]\n{REST}\n[[cheap.positive]]\nsays = "x"\nzh = "x"\nen = "x"',
    "an example that says nothing": f"[cheap]\n{REST}\n[[cheap.positive]]\ndisguised = true",
    "an example half said": f'[cheap]\n{REST}\n[[cheap.positive]]\nzh = "x"',
    "an example with no number": f'[cheap]\n{REST}\n[[cheap.positive]]\nsays = "x"\nprice_ratio = nan',
    "an example with too long a number": f'[cheap]\n{REST}\n[[cheap.positive]]\nsays = "x"\nprice = {2**53}',
    "a scope too long to be asked": f"[cheap]\nscope.rights = {[f'R-{at:090}' for at in range(60)]}\n{REST}",
    "a scope with what nobody sees": f'[cheap]\nscope.rights = ["R\u200b"]\n{REST}',
    "an unknown state": f'[cheap]\nstate = "on"\n{REST}',
    "a condition that cannot be read": f"[cheap]\n{REST.replace('disguised', 'x')}",
}


@pytest.mark.parametrize("text", TOML.values(), ids=TOML)
def test_what_people_write_wrong_is_refused_with_the_rule(text):
    with pytest.raises(Invalid) as caught:
        read_toml(text)
    assert "cheap" in str(caught.value) or caught.value.code == "watch.rules_toml"


def test_a_rule_needs_examples_that_hold_before_it_is_tried():
    with pytest.raises(Refused, match="examples_few"):
        must_be_ready(_rule(positive=()))
    wrong = _rule(condition="price_ratio < 0.25")
    assert wrong_examples(wrong) == (_example("3", price_ratio=0.3),)
    with pytest.raises(Refused) as caught:
        must_be_ready(wrong)
    assert caught.value.facts["examples"] == ["3"]


def test_an_example_that_fails_is_named_in_the_reader_s_language():
    wrong = _rule(positive=tuple(Example(says=f"cheap {n}", zh=f"便宜 {n}", values={}) for n in range(3)))
    with pytest.raises(Refused) as caught:
        must_be_ready(wrong)
    sentences = {language: say(caught.value.code, caught.value.facts, language) for language in ("en", "zh")}
    assert "cheap 0, cheap 1, cheap 2" in sentences["en"]
    assert "便宜 0, 便宜 1, 便宜 2" in sentences["zh"]
    assert "cheap 0" not in sentences["zh"]


def test_an_example_in_one_language_keeps_the_bytes_and_the_digest_that_it_has():
    """Rules written before examples had two languages stand on the ledger under these digests."""
    old = _rule(positive=(_example("a", price_ratio=0.1),), negative=())
    assert b'"positive":[{"says":"a","values":{"price_ratio":"0.1"}}]' in encode_rule(old)
    assert old.version == "ae3d6dcee9358a4db0d9d931f7c2bb2dfb3875fa04a61536cdca26a4f0b26221"
    both = replace(old, positive=(Example(says="a", zh="甲", values={"price_ratio": 0.1}),))
    assert b'"positive":[{"en":"a","values":{"price_ratio":"0.1"},"zh":"\xe7\x94\xb2"}]' in encode_rule(both)
    for each in (old, both):
        assert parse_rule(encode_rule(each)) == each
    assert [both.positive[0].words(language) for language in ("zh", "en")] == ["甲", "a"]
    assert old.positive[0].words("zh") == "a"


def test_scope_expiry_and_state_decide_where_a_rule_counts():
    here = row({"price_ratio": 0.1, "marketplace": "demo", "right": "R-2026-000001"})
    live = in_state(_rule(scope=Scope(marketplaces=("demo", "shop"), rights=("R-2026-000001",))), "live")
    assert live.effective.text == (
        "marketplace IN ('demo', 'shop') AND right IN ('R-2026-000001') AND price_ratio < 0.5"
    )
    for rule, values, wanted in (
        (live, here, True),
        (live, {**here, "marketplace": "other"}, False),
        (live, {**here, "right": "R-2026-000002"}, False),
        (replace(live, expires=DAY), here, False),
        (replace(live, expires=date(2026, 11, 23)), here, True),
        (in_state(live, "draft"), here, False),
        (in_state(live, "stopped"), here, False),
    ):
        assert bool(_decided(rule_set([rule]), values).fired) is wanted
    shadow = _decided(rule_set([in_state(live, "shadow")]), here)
    assert (shadow.fired, shadow.shadow) == ((), (("cheap", live.version, True),))


# ---------------------------------------------------------------- tables and history


def _decided(rules: RuleSet, given: dict[str, Value]) -> Decided:
    """As feed and scans ask."""
    return deciding(rules, on=DAY, card=default_card(), bounds={})(given)


def _random_rows(count: int, seed: int) -> list[dict[str, Value]]:
    chance = random.Random(seed)  # noqa: S311 (the same rows every time)
    views = ["exact", "near", "folded", "letters", ""]
    return [
        row(
            {
                "marketplace": chance.choice(["demo", "shop"]),
                "view": chance.choice(views),
                "text_score": chance.choice([0, 700, 900, 1000]),
                "disguised": chance.random() < 0.3,
                "licensed": chance.random() < 0.1,
                "class_fits": chance.choice([True, False, None]),
                "price_ratio": chance.choice([None, 0.2, 0.39, 1.1]),
                "price_deviation": chance.choice([None, -4.0, 0.5]),
                "peers": chance.choice([0, 25]),
                "replica_words": chance.choice([0, 0, 1]),
                "seller_days": chance.choice([None, 3, 300]),
                "picture_stage": chance.choice(["", "same", "features"]),
                "inliers": chance.choice([0, 30]),
            }
        )
        for _ in range(count)
    ]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[dict[str, Value]]]:
    folder = tmp_path_factory.mktemp("results")
    rows = _random_rows(600, 4)
    for part in range(3):
        pq.write_table(_arrow(rows[200 * part : 200 * part + 200]), folder / f"part-{part}.parquet")
    return str(folder / "*.parquet"), rows


def _mixed() -> RuleSet:
    return rule_set(in_state(each, ("live", "shadow", "draft")[at % 3]) for at, each in enumerate(default().rules))


def test_live_rules_and_those_in_their_shadow_are_asked_and_no_others():
    rules = _mixed()
    rows = _random_rows(120, 5)
    for given_row in rows:
        decided = _decided(rules, given_row)
        for said, state in ((decided.asked, "live"), (decided.shadow, "shadow")):
            listed = [each for each in rules.rules if each.state == state]
            assert said == tuple(
                (each.id, each.version, evaluate(each.effective, given_row) is True) for each in listed
            )
    assert {yes for each in rows for _, _, yes in _decided(rules, each).asked} == {True, False}


def test_a_version_in_its_shadow_is_asked_beside_the_one_in_force_and_flags_nothing():
    live, trial = in_state(_rule(), "live"), in_state(_rule(condition="price_ratio < 0.9"), "shadow")
    rules = rule_set([trial, live, in_state(_rule("other"), "shadow")])
    assert (rules.rules[0], rules.get("cheap"), rules.trials) == (live, live, (trial,))
    assert [each.id for each in rules.standing] == ["cheap", "other"]
    decided = _decided(rules, row({"price_ratio": 0.7}))
    assert (decided.fired, decided.asked) == ((), (("cheap", live.version, False),))
    assert decided.shadow[0] == ("cheap", trial.version, True)
    assert parse_rules(encode_rules(rules)) == rules


@pytest.mark.parametrize(
    "states", [("live", "live"), ("shadow", "shadow"), ("draft", "shadow"), ("stopped", "shadow"), ("live", "draft")]
)
def test_no_other_two_versions_of_a_rule_run_beside_each_other(states):
    one, other = (in_state(_rule(flags_a_day=at), state) for at, state in enumerate(states, 1))
    with pytest.raises(Invalid, match=r"watch\.rules_twice"):
        rule_set([one, other])
    with pytest.raises(Invalid, match=r"watch\.rules_twice"):  # its own text is no other version
        rule_set([in_state(one, "live"), in_state(one, "shadow")])
    with pytest.raises(Invalid, match=r"watch\.rules_twice"):
        rule_set([in_state(one, "live"), in_state(other, "shadow"), in_state(_rule(flags_a_day=9), "shadow")])


def test_each_of_as_many_rules_as_there_may_be_has_room_for_a_trial():
    rules = [_rule(f"r{at}") for at in range(MAX_RULES)]
    trials = [in_state(_rule(f"r{at}", flags_a_day=7), "shadow") for at in range(MAX_RULES)]
    full = rule_set([*(in_state(each, "live") for each in rules), *trials])
    assert len(parse_rules(encode_rules(full)).rules) == 2 * MAX_RULES
    with pytest.raises(Invalid, match=r"watch\.rules_too_many"):
        rule_set([*full.rules, _rule("one-more")])


def test_no_rules_flag_nothing():
    decided = _decided(rule_set([]), dict(ROW))
    assert (decided.measure, decided.fired, decided.asked, decided.shadow) == ("none", (), (), ())


def test_a_back_test_compares_a_trial_with_the_version_in_force_beside_it(history):
    files, rows = history
    live = in_state(_rule(condition="licensed OR price_ratio < 0.5"), "live")
    trial, other = in_state(_rule(condition="NOT licensed"), "shadow"), in_state(_rule("other", "disguised"), "live")
    flagged = {each.version: [evaluate(each.effective, said) is True for said in rows] for each in (live, trial, other)}
    [told] = backtest_trials(files, rule_set([trial, live, other, in_state(_rule("third"), "shadow")]))
    was, now, else_ = (flagged[each.version] for each in (live, trial, other))
    assert (told.rule, told.version, told.flagged) == ("cheap", trial.version, sum(now))
    assert told.added == sum(new and not old for new, old in zip(now, was, strict=True)) > 0
    assert told.removed == sum(old and not new for new, old in zip(now, was, strict=True)) > 0
    assert told.alone == sum(new and not also for new, also in zip(now, else_, strict=True))
    assert backtest_trials(files, rule_set([live, other])) == ()


def test_a_back_test_counts_what_the_rules_say_row_by_row(history):
    files, rows = history
    rules = default().rules
    hits = {rule.id: [evaluate(rule.effective, each) is True for each in rows] for rule in rules}
    total = [sum(hits[rule.id][at] for rule in rules) for at in range(len(rows))]
    for counted in backtest(files, rules):
        mine = hits[counted.rule]
        assert counted.rows == len(rows)
        assert counted.flagged == counted.added == sum(mine)
        assert counted.licensed == sum(hit and bool(each["licensed"]) for hit, each in zip(mine, rows, strict=True))
        assert counted.alone == sum(hit and total[at] == 1 for at, hit in enumerate(mine))
        assert counted.removed == 0


def test_a_changed_rule_shows_what_it_adds_and_what_it_loses(history):
    files, rows = history
    before, after = _rule(condition="price_ratio < 0.3"), _rule(condition="price_ratio < 0.4 AND NOT licensed")
    [counted] = backtest(files, [after], before={"cheap": before})
    old, new = ({at for at, each in enumerate(rows) if evaluate(rule.effective, each)} for rule in (before, after))
    assert (counted.added, counted.removed) == (len(new - old), len(old - new))
    assert counted.added > 0
    assert counted.removed > 0
    assert counted.difference == f"+{len(new - old):,} -{len(old - new):,}"
    assert replace(counted, added=1204, removed=35).difference == "+1,204 -35"
    drawn = sample(files, after, before=before, limit=5)
    assert len(drawn) == 5
    assert all(evaluate(after.effective, each) and not evaluate(before.effective, each) for each in drawn)


def test_files_that_are_not_there_or_lack_a_feature_are_refused(tmp_path: Path):
    pq.write_table(pa.table({"licensed": [True]}), tmp_path / "narrow.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and nothing more")
    for name in ("nothing-*.parquet", "narrow.parquet", "broken.parquet"):
        with pytest.raises(Invalid, match="backtest_unreadable"):
            backtest(str(tmp_path / name), [_rule()])
        with pytest.raises(Invalid, match="backtest_unreadable"):
            sample(str(tmp_path / name), _rule())


def test_a_path_is_never_taken_for_sql(tmp_path: Path):
    with pytest.raises(Invalid, match="backtest_unreadable"):
        backtest("x') ; COPY (SELECT 1) TO '" + str(tmp_path / "out.csv"), [_rule()])
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- alarms

USUAL = [Day(seen=10_000, flagged=100 + each) for each in range(10)]
ALARMS = {
    "as always": (Day(seen=10_000, flagged=105), USUAL, None),
    "a little more": (Day(seen=10_000, flagged=180), USUAL, None),
    "four times as much": (Day(seen=10_000, flagged=430), USUAL, "jump"),
    "four times as much of little is chance": (Day(seen=300, flagged=12), USUAL, None),
    "more than its budget": (Day(seen=1_000_000, flagged=10_001), USUAL, "budget"),
    "everything": (Day(seen=1_000, flagged=1_000), [], "everything"),
    "more than three tenths of many": (Day(seen=2_000, flagged=601), [], "everything"),
    "more than eight tenths of few": (Day(seen=1_000, flagged=801), [], "everything"),
    "two in three of few": (Day(seen=1_000, flagged=667), [], None),
    "everything of nearly nothing": (Day(seen=30, flagged=30), [], None),
    "nothing any more": (Day(seen=10_000, flagged=0), USUAL, "silent"),
    "nothing yet": (Day(seen=0, flagged=0), USUAL, None),
    "a new rule has no history": (Day(seen=10_000, flagged=430), USUAL[:6], None),
    "days without candidates are no history": (
        Day(seen=10_000, flagged=430),
        [*USUAL[:6], Day(seen=0, flagged=0)],
        None,
    ),
    "the first flags of a silent rule": (Day(seen=10_000, flagged=3), [Day(seen=10_000, flagged=0)] * 9, None),
}


@pytest.mark.parametrize(("today", "past", "kind"), ALARMS.values(), ids=ALARMS)
def test_an_alarm_says_when_a_rule_must_stop(today, past, kind):
    found = alarm(_rule(), today, past)
    assert (found.kind if found else None) == kind
    if found:
        assert found.stops is (kind != "silent")
        assert say(found.code, found.facts, "en")
        assert say(found.code, found.facts, "zh")


def test_a_rule_that_would_flag_everything_is_stopped_by_its_alarm(history):
    files, _ = history
    for action in ("watch", "review", "hold", "takedown"):
        rule = _rule(condition="distinctiveness >= 0", action=action)
        [counted] = backtest(files, [rule])
        found = alarm(rule, Day(seen=counted.rows, flagged=counted.flagged))
        assert found is not None
        assert (found.kind, found.stops) == ("everything", True)


def test_every_error_of_a_rule_is_one_of_the_three_kinds():
    with pytest.raises(PlatformError):
        parse("x")
