"""Offices' words as six states."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chopmark.rights.statuses import listed, normalise

KNOWN = {
    "700": ("US", "registered"),
    "800": ("US", "registered"),
    "630": ("US", "pending"),
    "602": ("US", "ended"),
    "900": ("US", "expired"),
    "622": ("US", "deleted"),
    "000": ("US", "unknown"),
    "REGISTERED": ("EM", "registered"),
    "APPLICATION_PUBLISHED": ("EM", "pending"),
    "SURRENDERED": ("EM", "ended"),
    "APPEALED": ("EM", "unknown"),
    "REMOVED_FROM_REGISTER": ("EM", "deleted"),
    "已注册": ("CN", "registered"),
    "等待实质审查": ("CN", "pending"),
    "商标无效": ("CN", "ended"),
    "商标异议完成": ("CN", "unknown"),
    "Registration cancelled": ("IN", "ended"),
    "Application filed": ("JP", "pending"),
    "Filing date accorded": ("SG", "pending"),
    "Registration expired": ("CA", "expired"),
    "In force": ("WO", "registered"),
}


@pytest.mark.parametrize("raw", KNOWN)
def test_a_listed_word_has_its_state(raw):
    office, status = KNOWN[raw]
    assert normalise(office, "trademark", raw) == status


def test_all_codes_of_the_american_table_are_listed():
    assert len(listed("US", "trademark")) == 169


def test_a_code_of_one_office_means_nothing_at_another():
    assert normalise("JP", "trademark", "700") == "unknown"


def test_a_mark_s_word_is_no_patent_s():
    assert normalise("CN", "patent", "商标已注册") == "unknown"
    assert normalise("CN", "utility_model", "届满") == "expired"


def test_case_and_spaces_do_not_matter():
    assert normalise("EM", "trademark", "  application   Published ") == "pending"


@given(st.sampled_from(["US", "EM", "CN", "WO", "ZZ"]), st.text(max_size=20))
def test_what_is_not_listed_is_unknown(office, raw):
    words = {**listed("general", "any"), **listed(office, "any"), **listed(office, "trademark")}
    if raw.strip().casefold() not in words:
        assert normalise(office, "trademark", raw + "?") == "unknown"
