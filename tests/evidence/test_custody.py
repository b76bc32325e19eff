from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chopmark.base.errors import Invalid
from chopmark.evidence import custody
from chopmark.evidence.custody import Exhibit, Who

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
MEI = Who(kind="person", id="12")
WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
FACTS = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True),
    st.one_of(WORDS, st.integers(-(2**53) + 1, 2**53 - 1), st.lists(WORDS, max_size=3)),
    max_size=4,
)


def logged(facts):
    entries = []
    for place, each in enumerate(facts):
        before = entries[-1] if entries else None
        item = "E-001" if place % 2 else ""
        at = AT + timedelta(seconds=place)
        entries.append(custody.follow(before, at=at, who=MEI, action="item.added", item=item, facts=each))
    return entries, custody.write(each.line() for each in entries)


def naive_is_whole(data):
    """The same question asked plainly: does every line name the digest of the one before?"""
    before = "00" * 32
    for line in data.splitlines():
        if json.loads(line)["prev"] != before:
            return False
        before = sha256(line).hexdigest()
    return True


@settings(max_examples=60, deadline=None)
@given(st.lists(FACTS, max_size=5))
def test_what_is_written_is_read_again(facts):
    entries, data = logged(facts)
    assert custody.read(data) == tuple(entries)
    assert naive_is_whole(data)
    assert custody.head(data) == (entries[-1].hash if entries else bytes(32))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_byte_changed_is_found_or_changes_the_head(data):
    _, log = logged([{"n": 1}, {"n": 2}, {"n": 3}])
    place = data.draw(st.integers(0, len(log) - 1))
    changed = log[:place] + bytes([log[place] ^ data.draw(st.integers(1, 255))]) + log[place + 1 :]
    try:
        custody.read(changed)
    except Invalid:
        return
    assert custody.head(changed) != custody.head(log)


@pytest.mark.parametrize(
    "change",
    {
        "a line left out": lambda lines: [lines[0], lines[2]],
        "two lines swapped": lambda lines: [lines[1], lines[0], lines[2]],
        "a line put in twice": lambda lines: [lines[0], lines[0], lines[1]],
        "the first line gone": lambda lines: lines[1:],
        "a space in a line": lambda lines: [lines[0].replace(b":", b": ", 1), *lines[1:]],
    }.values(),
)
def test_a_log_that_was_touched_is_refused(change):
    entries, _ = logged([{"n": 1}, {"n": 2}, {"n": 3}])
    with pytest.raises(Invalid):
        custody.read(custody.write(change([each.line() for each in entries])))


def test_a_clock_that_goes_back_does_not_take_the_log_back():
    [first], _ = logged([{}])
    second = custody.follow(first, at=AT - timedelta(days=1), who=MEI, action="matter.closed", item="", facts={})
    assert second.at == first.at


def test_case_jsonld_names_exhibits_with_their_digests_and_who_did_what():
    entries, _ = logged([{"n": 1}, {"n": 2}])
    files = (("evidence/001-invoice/invoice.pdf", 5, "ab" * 32, "application/pdf"),)
    exhibit = Exhibit(number="E-001", title="Invoice", files=files)
    matter = UUID("0d7c9b4e-43a2-4e54-9a1c-0f8a4f6c7e21")
    made = custody.case_jsonld(matter, "M-2026-000001", [exhibit], entries)
    assert made == custody.case_jsonld(matter, "M-2026-000001", [exhibit], entries)
    graph = json.loads(made)["@graph"]
    ids = [each["@id"] for each in graph]
    assert len(set(ids)) == len(ids)
    assert all(UUID(each[-36:]) for each in ids)
    named = {each["@type"] for each in graph}
    assert {"investigation:InvestigativeAction", "investigation:ProvenanceRecord", "observable:File"} <= named
    assert "ab" * 32 in made.decode()
    objects = [each["@id"] for each in graph[-1]["core:object"]]
    assert set(objects) == set(ids[:-1])
