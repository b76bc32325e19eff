"""What is written about the program is true of the program."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache

import pytest
from world.data import REPOSITORY
from world.patience import HANG

from chopmark.base.wording import catalogue

SOURCE = REPOSITORY / "src" / "chopmark"
DOCS = REPOSITORY / "docs"
PAGES = [REPOSITORY / "README.md", *sorted(path for path in DOCS.rglob("*.md") if path.parent.name != "reference")]
ERRORS = {"Refused", "Invalid", "Unavailable"}
ROOMS = {code.partition(".")[0] for code in catalogue()}


@cache
def _trees() -> tuple[ast.Module, ...]:
    return tuple(ast.parse(path.read_text("utf-8")) for path in SOURCE.rglob("*.py"))


def _raised() -> Iterator[str]:
    """The literal codes of errors made anywhere in the source."""
    for tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS and node.args:
                [code, *_] = node.args
                if isinstance(code, ast.Constant) and isinstance(code.value, str):
                    yield code.value


def _named() -> tuple[set[str], list[re.Pattern[str]]]:
    """Every text in the source, and the form of every text with holes that may be a code."""
    literals: set[str] = set()
    forms: list[re.Pattern[str]] = []
    for tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                literals.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else None for part in node.values]
                if isinstance(parts[0], str) and parts[0].partition(".")[0] in ROOMS and "." in parts[0]:
                    forms.append(re.compile("".join(".+" if part is None else re.escape(part) for part in parts)))
    prefixes = [text for text in literals if text.endswith((".", "_")) and text.partition(".")[0] in ROOMS]
    forms += [re.compile(re.escape(prefix) + ".+") for prefix in prefixes if "." in prefix]
    return literals, forms


def test_every_code_that_is_raised_has_its_sentences():
    assert sorted(set(_raised()) - catalogue().keys()) == []


def test_every_code_that_has_sentences_is_used():
    literals, forms = _named()
    elsewhere = "\n".join(
        path.read_text("utf-8")
        for ending in ("js", "html", "txt")
        for path in SOURCE.rglob(f"*.{ending}")
        if path.name != "verify.html"
    )
    unused = [
        code
        for code in catalogue()
        if code not in literals and code not in elsewhere and not any(form.fullmatch(code) for form in forms)
    ]
    assert unused == []


def test_every_sentence_stands_in_both_languages_with_the_same_facts():
    for code, wording in catalogue().items():
        assert set(wording) == {"en", "zh"}, code
        facts = {language: set(re.findall(r"{(\w+)", sentence)) for language, sentence in wording.items()}
        assert facts["en"] == facts["zh"], code


def test_the_reference_is_what_the_program_says():
    made = subprocess.run(
        [sys.executable, "scripts/reference.py", "--check"],
        cwd=REPOSITORY,
        check=False,
        capture_output=True,
        text=True,
        timeout=HANG,
    )
    assert (made.returncode, made.stderr) == (0, "")


def test_every_setting_variable_in_the_source_is_in_the_reference():
    page = (DOCS / "reference" / "settings.md").read_text("utf-8")
    names = {
        name
        for path in SOURCE.rglob("*.py")
        for name in re.findall(r'(?:environ|environment|os\.environ)[^\n]{0,12}"(CHOPMARK_[A-Z_]+)"', path.read_text())
    }
    told_to_children = {"CHOPMARK_PARENT", "CHOPMARK_THREADS"}  # by the supervisor, never by a person
    assert names - told_to_children == {name for name in names if f"`{name}`" in page}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_what_a_page_links_to_is_there(page):
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    local = [target for target in targets if "://" not in target and not target.startswith("mailto:")]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_the_commands_a_page_shows_exist(page):
    reference = (DOCS / "reference" / "cli.md").read_text("utf-8")
    run = (REPOSITORY / "run").read_text("utf-8")
    for block in re.findall(r"```(?:sh|console|shell)\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
        for line in block.splitlines():
            words = line.removeprefix("$ ").split()
            if words[:1] == ["./run"]:
                assert len(words) == 1 or re.search(rf"^  (start \| )?{re.escape(words[1])}[ )|]", run, re.MULTILINE), (
                    line
                )
                words = words[1:]
            if words[:1] in (["chopmark"], [".venv/bin/chopmark"]):
                _must_be_documented(words, reference, line)


def _must_be_documented(words: list[str], reference: str, line: str) -> None:
    """The command has a section, and the section shows every long option used."""
    names = [word for word in words[1:3] if re.fullmatch(r"[a-z]+(-[a-z]+)*", word)]
    sections = [" ".join(["chopmark", *names[:count]]) for count in (2, 1)]
    for section in sections:
        if (
            found := re.search(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", reference, re.DOTALL | re.MULTILINE)
        ) and (section.count(" ") == 2 or "COMMAND" not in found[1]):
            options = [word.partition("=")[0] for word in words if word.startswith("--")]
            assert [option for option in options if option not in found[1]] == [], line
            return
    raise AssertionError(line)
