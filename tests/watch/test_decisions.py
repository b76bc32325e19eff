"""Records of decisions, their sheets and proofs, as bytes alone: one changed byte leads nowhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world.naive import split

from chopmark.base.errors import Invalid, PlatformError
from chopmark.ledger import tree
from chopmark.watch import life
from chopmark.watch.decisions import (
    DECISIONS,
    MAX_FINDINGS,
    Asked,
    Proof,
    Record,
    Sheet,
    check,
    findings,
    prove,
)
from chopmark.watch.results import levels_of

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
TELLS: set[str] = {"found", "watch", "leave"}
"""Steps of a hit's life that decide nothing: what a listing shows, and what nobody is asked about."""


def record(place: int = 1, *, nonce: bytes = bytes(16), **more) -> bytes:
    said = {
        "number": "H-2026-000001",
        "marketplace": "demo",
        "item": "1",
        "version": 1,
        "listing": "ab" * 32,
        "right": "r",
        "right_number": "R-2026-000001",
        "marks": "cd" * 32,
        "rules": (("named", "ef" * 32),),
        "found": findings({"texts": [], "pictures": []}),
        "outcome": "review",
        "score": 500,
        "keys": ("text",),
        "step": "confirm",
        "before": "open",
        "after": "confirmed",
        "why": "counterfeit",
        "measure": "",
        "in_force": "",
        "source": "review",
        "who": "marketplace",
        "at": NOON,
        **more,
    }
    return Record(place=place, **said).encode(nonce)


def sheet_of(records: list[bytes]) -> tuple[Sheet, list[Sequence[bytes]]]:
    leaves = tree.leaf_hashes(records)
    return Sheet.of("DS-2026-000001", leaves, first=NOON, last=NOON + timedelta(minutes=9)), levels_of(leaves)


def climb(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root by the recursive definition of RFC 6962 2.1, without a line of the product's."""
    if size == 1:
        assert not path
        return leaf
    k = split(size)
    low, high = (
        (climb(leaf, index, k, path[:-1]), path[-1])
        if index < k
        else (path[-1], climb(leaf, index - k, size - k, path[:-1]))
    )
    return hashlib.sha256(b"\x01" + low + high).digest()


def test_every_step_of_a_hit_s_life_decides_or_is_said_not_to():
    events = set(life.Event.__args__)
    assert events - DECISIONS == TELLS
    assert DECISIONS - events == set(Asked.__args__)


@given(st.integers(1, 40), st.data())
def test_each_record_of_a_sheet_is_proven_by_hashes_alone(size, data):
    records = [record(place) for place in range(1, size + 1)]
    sheet, levels = sheet_of(records)
    which = data.draw(st.integers(0, size - 1))
    proof = Proof.parse(prove(records[which], levels, sheet.number).encode())
    assert check(proof, Sheet.parse(sheet.content()))["place"] == which + 1
    leaf = hashlib.sha256(b"\x00" + records[which]).digest()
    assert climb(leaf, which, size, list(proof.path)).hex() == json.loads(sheet.content())["root"]


@given(st.data())
def test_one_changed_byte_of_proof_or_sheet_leads_nowhere(data):
    records = [record(place) for place in range(1, 6)]
    sheet, levels = sheet_of(records)
    papers = [prove(records[2], levels, sheet.number).encode(), sheet.content()]
    which = data.draw(st.integers(0, 1))
    spoiled = bytearray(papers[which])
    spoiled[data.draw(st.integers(0, len(spoiled) - 1))] ^= data.draw(st.integers(1, 255))
    papers[which] = bytes(spoiled)
    own = (b'"count":', b'"first":', b'"last":')  # no hash of the tree has them: the sheet's deposit alone binds them
    if which == 1 and _differs_in(sheet.content(), papers[1], own):
        return
    with pytest.raises(PlatformError):
        check(Proof.parse(papers[0]), Sheet.parse(papers[1]))


def _differs_in(one: bytes, other: bytes, names: tuple[bytes, ...]) -> bool:
    """Whether the first difference lies in the value of one of these names."""
    at = next(place for place, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)
    return any((start := one.index(name)) + len(name) <= at <= one.index(b",", start) for name in names)


def test_a_proof_of_another_sheet_is_none_of_this_one():
    records = [record(place) for place in (1, 2)]
    sheet, levels = sheet_of(records)
    proof = prove(records[0], levels, "DS-2026-000002")
    with pytest.raises(Invalid, match=r"watch\.decision_proof_wrong"):
        check(proof, sheet)


def test_what_is_no_record_is_proven_by_no_sheet():
    row = b'{"form":"chopmark-watch-result-v1"}'
    sheet, levels = sheet_of([row])
    with pytest.raises(Invalid, match=r"watch\.decision_proof_wrong"):
        check(prove(row, levels, sheet.number), sheet)


def test_a_record_that_the_sheet_was_not_made_of_gets_no_proof():
    _, levels = sheet_of([record(1), record(2)])
    with pytest.raises(Invalid, match=r"watch\.decision_altered"):
        prove(record(1, why="genuine"), levels, "DS-2026-000001")


@pytest.mark.parametrize("data", [b"{}", b"[]", b"7", b'{"form":"chopmark-watch-decisions-v1"}'])
def test_what_is_neither_proof_nor_sheet_is_refused(data):
    with pytest.raises(Invalid, match=r"watch\.sheet_malformed"):
        Sheet.parse(data)
    with pytest.raises(Invalid, match=r"watch\.decision_proof_malformed"):
        Proof.parse(data)


def test_a_proof_without_end_is_not_read():
    with pytest.raises(Invalid, match=r"watch\.decision_proof_malformed"):
        Proof.parse(b" " * (1 << 21))


def test_two_records_of_one_decision_differ_by_their_nonces():
    assert record(nonce=bytes(16)) != record(nonce=b"\x01" * 16)


def test_many_findings_are_counted_and_all_of_them_bound():
    text = {"mark": 1, "term": "Lantern", "view": "exact", "field": "title", "start": 0, "end": 7, "score": 1000}
    found = {"texts": [text] * (MAX_FINDINGS + 5), "pictures": []}
    told = findings(found)
    assert (len(told["texts"]), told["more"]) == (MAX_FINDINGS, 5)
    assert told["texts"][0] == {name: text[name] for name in ("mark", "term", "view", "field", "start", "end")}
    assert told["sha-256"] != findings({**found, "texts": [text] * (MAX_FINDINGS + 6)})["sha-256"]
