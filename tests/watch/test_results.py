"""Rows of a scan: one form as bytes, two levels of trees, proofs that hold for one row alone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world import naive, scans

from chopmark.base.errors import Invalid
from chopmark.watch.results import Part, Proof, Result, Total, check, leaf, plain, prove, root_of_leaves, salt_of

SECRET = b"s" * 32


def rows(count: int, *, part: int = 0) -> list[bytes]:
    judge = scans.open_bench("").judge
    found = []
    for listing in scans.listings(count * 10, first=part * 10_000):
        found += [Result.of(listing, each) for each in judge(listing)]
    assert len(found) == count
    return [leaf(each, salt=salt_of(SECRET, part, at)) for at, each in enumerate(found)]


def part_of(found: list[bytes], index: int) -> Part:
    return Part(
        index=index,
        source="stock.parquet",
        start=0,
        listings=len(found) * 10,
        refused=0,
        results=len(found),
        hits=1,
        root=root_of_leaves(found),
        marks="m",
        rules="r",
    )


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=9), st.data())
def test_each_row_is_proven_and_no_other(sizes: list[int], data: st.DataObject) -> None:
    every = [rows(size, part=at) for at, size in enumerate(sizes)]
    lines = [part_of(found, at).line() for at, found in enumerate(every)]
    total = Total.of([Part.parse(each) for each in lines], plan=b"p" * 32, marks="m", rules="r")
    index = data.draw(st.integers(0, len(sizes) - 1))
    row = data.draw(st.integers(0, sizes[index] - 1))
    proof = Proof.parse(prove(every[index], row, lines, index).encode())
    said, part = check(proof, total)
    assert said == json.loads(every[index][row])
    assert part == part_of(every[index], index)
    forged = [
        replace(proof, row=proof.row.replace(b'"score":', b'"score":1')),
        replace(proof, index=proof.index + 1),
        replace(proof, path=(*proof.path, b"\0" * 32)),
        replace(proof, part_path=(*proof.part_path, b"\0" * 32)),
        replace(proof, part=replace(part, hits=part.hits + 1).line()),
        replace(proof, part=replace(part, index=part.index + 1).line()),
    ]
    for other in forged:
        with pytest.raises(Invalid):
            check(other, total)
    with pytest.raises(Invalid, match=r"watch\.proof_wrong"):
        check(proof, replace(total, root=bytes(32)))


def test_roots_are_those_of_the_plain_tree() -> None:
    for size in (0, 1, 2, 3, 7, 8, 9):
        entries = [b"%d" % at for at in range(size)]
        assert root_of_leaves(entries) == naive.mth(entries)


def test_a_row_that_is_no_result_proves_nothing() -> None:
    found = [b'{"form":"other"}']
    part = part_of(found, 0)
    total = Total.of([part], plan=b"p" * 32, marks="m", rules="r")
    with pytest.raises(Invalid, match=r"watch\.proof_wrong"):
        check(prove(found, 0, [part.line()], 0), total)


def test_neighbours_cannot_be_guessed() -> None:
    one, other = (leaf_with(salt_of(SECRET, 0, at)) for at in (0, 1))
    assert one != other
    assert leaf_with(salt_of(SECRET, 0, 0)) == one
    assert salt_of(SECRET, 1, 0) != salt_of(SECRET, 0, 1) != salt_of(b"t" * 32, 0, 1)


def leaf_with(salt: bytes) -> bytes:
    listing = scans.listings(1)[0]
    return leaf(Result.of(listing, scans.open_bench("").judge(listing)[0]), salt=salt)


@given(st.floats(allow_nan=False))
def test_fractions_are_text_that_reads_back(value: float) -> None:
    assert float(plain({"a": [value]})["a"][0]) == value


@pytest.mark.parametrize(
    ("old", "new"),
    {
        "another form": (b"part-v1", b"part-v2"),
        "a number in quotes": (b'"hits":1', b'"hits":"1"'),
        "less than nothing": (b'"hits":1', b'"hits":-1'),
        "a number that is true": (b'"hits":1', b'"hits":true'),
        "a root in capitals": (b'"root":"', b'"root":"A'),
        "a space": (b'"hits":1', b'"hits": 1'),
        "a name more": (b'{"form"', b'{"also":1,"form"'),
        "nothing": (b'{"form"', b'["form"'),
    }.values(),
)
def test_a_line_that_does_not_print_back_is_refused(old: bytes, new: bytes) -> None:
    line = part_of([b"row"], 3).line()
    assert Part.parse(line) == part_of([b"row"], 3)
    assert old in line
    with pytest.raises(Invalid):
        Part.parse(line.replace(old, new))


@given(st.binary(max_size=80))
@settings(deadline=None)
def test_other_bytes_are_no_proof(data: bytes) -> None:
    with pytest.raises(Invalid):
        Proof.parse(data)


def test_a_proof_that_does_not_print_back_is_refused() -> None:
    found = rows(3)
    good = prove(found, 1, [part_of(found, 0).line()], 0)
    assert Proof.parse(good.encode()) == good
    for bad in (
        good.encode().replace(b'"index":1', b'"index":true'),
        good.encode() + b" ",
        replace(good, path=(b"\0" * 32,) * 64).encode(),
        b'"' + b"x" * (1 << 20) + b'"',
    ):
        with pytest.raises(Invalid):
            Proof.parse(bad)


def test_a_total_adds_up_and_names_what_it_was_made_with() -> None:
    parts = [part_of(rows(2, part=at), at) for at in range(3)]
    total = Total.of(parts, plan=b"p" * 32, marks="m", rules="r")
    assert (total.partitions, total.listings, total.results, total.hits) == (3, 60, 6, 3)
    assert json.loads(total.content()) == {
        "form": "chopmark-watch-scan-v1",
        "plan": "70" * 32,
        "partitions": 3,
        "listings": 60,
        "refused": 0,
        "results": 6,
        "hits": 3,
        "marks": "m",
        "rules": "r",
        "root": total.root.hex(),
    }
    assert Total.parse(total.content()) == total
    for old, new in (
        (b'"hits":3', b'"hits":-3'),
        (b'"hits":3', b'"hits":"3"'),
        (b'"root":"', b'"root":"00'),
        (b"{", b"["),
    ):
        with pytest.raises(Invalid):
            Total.parse(total.content().replace(old, new))
