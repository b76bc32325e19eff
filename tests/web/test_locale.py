"""Chinese: every fragment merges, every text of every page is in one, and no translation loses a value."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import polib
import pytest

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "src" / "chopmark" / "web"
COMPILER = runpy.run_path(str(ROOT / "scripts" / "compile_locale.py"))
FRAGMENTS = sorted((WEB / "locale" / "parts").glob("*.po"))
CATALOGUE = COMPILER["merged"](FRAGMENTS)

IN_TEMPLATES = re.compile(r"""\{%\s*(?:translate|trans)\s+(?:"([^"]+)"|'([^']+)')(?:\s+context\s+["'](\w+)["'])?""")
CONTEXT = re.compile(r"""\bcontext\s+["'](\w+)["']""")
BLOCKS = re.compile(r"\{%\s*blocktrans(?:late)?\b([^%]*)%\}(.*?)\{%\s*endblocktrans", re.DOTALL)
IN_CODE = re.compile(r"""(?:\bgettext_lazy|\bgettext|\b_)\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)""")
IN_CONTEXT = re.compile(r"""\bpgettext(?:_lazy)?\(\s*"(\w+)",\s*((?:"(?:[^"\\]|\\.)*"\s*)+)""")
COUNTED = re.compile(r"""\bngettext(?:_lazy)?\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+),""")
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
NAMED = re.compile(r"%\((\w+)\)s")


Text = tuple[str, str | None]
"""What is shown, and the context that tells it from the same words with another meaning."""


def _texts() -> tuple[dict[Text, str], dict[Text, str]]:
    """Each text that a page or a form shows, and where; then those that have a plural.

    In a template Django looks a per cent sign up as two of them.
    """
    found: dict[Text, str] = {}
    counted: dict[Text, str] = {}
    for path in sorted((WEB / "templates").rglob("*.html")):
        template = path.read_text("utf-8")
        for match in IN_TEMPLATES.finditer(template):
            found[(match[1] or match[2]).replace("%", "%%"), match[3]] = path.name
        for match in BLOCKS.finditer(template):
            text = " ".join(match[2].split()) if "trimmed" in match[1] else match[2]
            context = CONTEXT.search(match[1])
            parts = re.split(r"\{%\s*plural\s*%\}", text)
            for part in parts:
                plain = re.sub(r"\{\{\s*(\w+)\s*\}\}", r"%(\1)s", part.replace("%", "%%"))
                (counted if len(parts) > 1 else found)[plain.strip(), context[1] if context else None] = path.name
    for path in sorted([*WEB.rglob("*.py"), *(ROOT / "src" / "chopmark" / "people").rglob("*.py")]):
        code = path.read_text("utf-8")
        for match in IN_CODE.finditer(code):
            found["".join(LITERAL.findall(match[1])), None] = path.name
        for match in IN_CONTEXT.finditer(code):
            found["".join(LITERAL.findall(match[2])), match[1]] = path.name
        for match in COUNTED.finditer(code):
            counted["".join(LITERAL.findall(match[1])), None] = path.name
    return found, counted


def test_every_text_is_translated():
    found, counted = _texts()
    known = {(entry.msgid, entry.msgctxt) for entry in CATALOGUE}
    assert {text: where for text, where in found.items() if text[0] and text not in known} == {}
    known |= {(entry.msgid_plural, entry.msgctxt) for entry in CATALOGUE}  # only what counts looks these up
    assert {text: where for text, where in counted.items() if text not in known} == {}


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=lambda path: path.name)
def test_a_fragment_has_each_text_once_and_keeps_its_values(fragment):
    entries = polib.pofile(str(fragment), encoding="utf-8")
    assert len({(entry.msgid, entry.msgctxt) for entry in entries}) == len(entries)
    for entry in entries:
        for translated in [entry.msgstr, *entry.msgstr_plural.values()]:
            if translated:
                assert set(NAMED.findall(translated)) <= set(NAMED.findall(entry.msgid + entry.msgid_plural)), (
                    entry.msgid
                )
                assert set(NAMED.findall(entry.msgid)) <= set(NAMED.findall(translated)), entry.msgid


def test_two_fragments_that_disagree_are_refused(tmp_path):
    for name, chinese in (("a", "甲"), ("b", "乙")):
        (tmp_path / f"{name}.po").write_text(f'msgid "Same"\nmsgstr "{chinese}"\n', "utf-8")
    with pytest.raises(COMPILER["Clash"]):
        COMPILER["merged"](sorted(tmp_path.glob("*.po")))
