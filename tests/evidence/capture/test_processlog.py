"""The process log of a capture: chained, written as it goes, checked strictly."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chopmark.base import jcs
from chopmark.base.errors import Invalid
from chopmark.evidence.capture.processlog import ProcessLog, check, tidy

AT = datetime(2026, 11, 22, 9, 30, 0, 123_000, UTC)


@pytest.fixture
def written(tmp_path):
    log = ProcessLog(tmp_path / "process.jsonl", lambda: AT)
    log.add("worker", "navigate", url="https://shop.example/")
    log.add("browser", "page.shown", title="茶叶罐\ud800", height=3.7, sub={"a": [1, None]})
    log.add("operator", "click", x=1, y=2)
    head = log.close()
    return (tmp_path / "process.jsonl").read_bytes(), head


def test_a_whole_log_has_the_head_that_was_said(written):
    data, head = written
    assert check(data) == (head, 3)


def test_a_line_says_who_did_what_when_by_two_clocks(written):
    line = json.loads(written[0].splitlines()[0])
    assert line["at"] == "2026-11-22T09:30:00.123Z"
    assert (line["actor"], line["action"], line["facts"]) == ("worker", "navigate", {"url": "https://shop.example/"})
    assert line["monotonic_ns"] > 0


def test_nothing_follows_after_the_end(tmp_path):
    log = ProcessLog(tmp_path / "log", lambda: AT)
    log.add("a", "b")
    head = log.close()
    log.add("too", "late")
    assert check((tmp_path / "log").read_bytes()) == (head, 1)


def test_every_changed_byte_is_found(written):
    data, head = written
    for position in range(0, len(data), 7):
        changed = bytearray(data)
        changed[position] ^= 1
        with contextlib.suppress(Invalid):
            assert check(bytes(changed))[0] != head


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines[1:],
        lambda lines: [lines[0], lines[2]],
        lambda lines: [lines[1], lines[0], lines[2]],
        lambda lines: [*lines, lines[-1]],
        lambda lines: [lines[0] + b" ", *lines[1:]],
        lambda lines: [*lines[:-1], b"[]"],
    ],
    ids=["first gone", "middle gone", "swapped", "twice", "not canonical", "no entry"],
)
def test_lines_that_do_not_follow_are_named(written, change):
    data = b"\n".join(change(written[0].splitlines())) + b"\n"
    with pytest.raises(Invalid, match=r"capture\.log_broken"):
        check(data)


def test_a_torn_last_line_is_not_passed_over(written):
    with pytest.raises(Invalid, match="line=3"):
        check(written[0][:-20])


@settings(max_examples=50)
@given(st.recursive(st.one_of(st.text(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)), st.lists))
def test_whatever_a_page_says_can_be_written(value):
    assert jcs.decode(jcs.encode(tidy(value))) == tidy(value)
