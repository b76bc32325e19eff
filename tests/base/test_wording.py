"""Every code that is raised has its sentence, in both languages, and the sentences fit the facts."""

from __future__ import annotations

import ast
import string
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from world.data import REPOSITORY

from chopmark.base import wording

KINDS = {"Refused", "Invalid", "Unavailable"}


def raised() -> Iterator[tuple[str, set[str] | None, str]]:
    """Code, names of the facts (None when they are not written out) and place of every error made in the source."""
    for file in sorted((REPOSITORY / "src" / "chopmark").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS and node.args:
                code = node.args[0]
                if isinstance(code, ast.Constant) and isinstance(code.value, str):
                    names = [keyword.arg for keyword in node.keywords]
                    facts = None if None in names else {name for name in names if name}
                    yield code.value, facts, f"{Path(file).relative_to(REPOSITORY)}:{node.lineno}"


def fields(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


def test_every_code_that_is_raised_is_worded():
    missing = defaultdict(list)
    for code, _, place in raised():
        if code not in wording.catalogue():
            missing[code].append(place)
    assert not missing


def test_every_sentence_finds_its_facts():
    wrong = []
    for code, facts, place in raised():
        for language in ("en", "zh"):
            if facts is not None and code in wording.catalogue():
                lacking = fields(wording.catalogue()[code][language]) - facts
                wrong += [f"{place} {code} {language}: {name}" for name in sorted(lacking)]
    assert not wrong


@pytest.mark.parametrize("code", sorted(wording.catalogue()))
def test_a_code_has_both_languages_and_the_same_facts(code):
    sentences = wording.catalogue()[code]
    assert set(sentences) == {"en", "zh"}
    assert all(sentence.strip() == sentence and sentence for sentence in sentences.values())
    assert fields(sentences["en"]) == fields(sentences["zh"])
    assert any(character > "\u2e80" for character in sentences["zh"])


def test_a_sentence_is_said_with_its_facts():
    assert (
        wording.say("ledger.index_outside", {"index": 3, "size": 2}, "en") == "Entry 3 is not in the log of 2 entries."
    )
    assert "3" in wording.say("ledger.index_outside", {"index": 3, "size": 2}, "zh")


def test_what_a_stranger_wrote_does_not_steer_the_readers_terminal():
    said = wording.say("verify.log_unknown", {"origin": "a\x1b[31m\x9b2J\u202elog"}, "en")
    assert said == "The log a\ufffd[31m\ufffd2J\ufffdlog did not sign with any key of your trust policy."
