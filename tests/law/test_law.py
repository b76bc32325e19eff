from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from chopmark import law
from chopmark.base.errors import Invalid, Refused
from chopmark.evidence.matters import KINDS

YUAN = 100
# The same rule as lawyers' tables write it: a share of the whole sum, less or plus a constant (basis points, yuan).
TABLE = (
    (10_000, 0, 50),
    (100_000, 250, -200),
    (200_000, 200, 300),
    (500_000, 150, 1_300),
    (1_000_000, 100, 3_800),
    (2_000_000, 90, 4_800),
    (5_000_000, 80, 6_800),
    (10_000_000, 70, 11_800),
    (20_000_000, 60, 21_800),
    (10**12, 50, 41_800),
)


def naive(yuan):
    points, plus = next((points, plus) for top, points, plus in TABLE if yuan <= top)
    return -(-yuan * points // 100) + plus * YUAN


@given(st.integers(min_value=1, max_value=10**11))
def test_the_fee_is_what_the_lawyers_table_says(yuan):
    assert law.fee("hangzhou", "trademark_infringement", yuan * YUAN).least_fen == naive(yuan)


@pytest.mark.parametrize(
    ("cause", "rule", "span"),
    [("copyright_network", "intellectual", (50_000, 100_000)), ("online_purchase", "other", (5_000, 10_000))],
)
def test_without_a_sum_the_fee_is_a_span(cause, rule, span):
    found = law.fee("beijing", cause, None)
    assert (found.rule, found.least_fen, found.most_fen) == (rule, *span)


@pytest.mark.parametrize("amount", [0, -1, 10**15 + 1])
def test_a_sum_that_is_none_has_no_fee(amount):
    with pytest.raises(Invalid, match=r"law\.amount_wrong"):
        law.fee("hangzhou", "trademark_infringement", amount)


def test_what_is_unknown_is_refused():
    for call, code in (
        (lambda: law.court("paris"), "court_unknown"),
        (lambda: law.court("hangzhou").cause("theft"), "cause_unknown"),
        (lambda: law.template("theft"), "template_unknown"),
        (lambda: law.templates()[0].phase("theft"), "phase_unknown"),
    ):
        with pytest.raises(Refused, match=f"law.{code}"):
            call()


@pytest.mark.parametrize("court", law.courts(), ids=lambda court: court.code)
def test_a_profile_says_where_it_is_from_and_what_is_simulated(court):
    assert {source.standing for source in court.sources} >= {"published", "unverified"}
    assert any(required.standing == "simulated" for required in court.required)
    assert court.agency_code.startswith("SIM-")
    assert court.knows_number("D-2026-000123")
    assert not court.knows_number("D-26-1")


@pytest.mark.parametrize("template", law.templates(), ids=lambda template: template.name)
def test_a_template_is_a_schema_with_labels_in_both_languages(template):
    Draft202012Validator.check_schema(dict(template.schema))
    assert set(template.causes) <= {cause.code for cause in law.court("hangzhou").causes}
    assert {kind for phase in template.phases for kind in phase.kinds} <= set(KINDS)
    assert len({phase.code for phase in template.phases}) == len(template.phases)

    def labelled(node):
        assert node["title"]
        assert any(character > "\u2e80" for character in node["x-zh"])
        for each in (*node.get("properties", {}).values(), *([node["items"]] if "items" in node else [])):
            labelled(each)

    labelled(template.schema)


def test_what_a_template_lacks_is_named_with_its_label():
    found = law.template("trademark_counterfeit").unmet({"marks": [{"number": "1", "owner": "x", "classes": [46]}]})
    assert {(each.field, each.rule) for each in found} == {("listings", "required"), ("marks/0/classes/0", "maximum")}
    assert all(each.title.zh and each.title.en for each in found)
