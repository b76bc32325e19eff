"""Make `src/chopmark/web/locale/zh_Hans/LC_MESSAGES/django.mo` from the fragments in `locale/parts/*.po`.

Each part of the house keeps its own fragment. A text may stand in two of them only with the same translation.
Runs in `./run setup` and before the tests; does nothing when the result is newer than every fragment.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import polib

LOCALE = Path(__file__).resolve().parent.parent / "src" / "chopmark" / "web" / "locale"
TARGET = LOCALE / "zh_Hans" / "LC_MESSAGES" / "django.mo"
PLURALS = "nplurals=1; plural=0;"


class Clash(Exception):
    """Two fragments disagree, or one leaves a text untranslated."""


def merged(fragments: list[Path]) -> polib.POFile:
    """All fragments in one catalogue.

    Raises:
        Clash: a text is translated in two ways, or not at all.
    """
    catalogue = polib.POFile()
    catalogue.metadata = {"Content-Type": "text/plain; charset=UTF-8", "Language": "zh_Hans", "Plural-Forms": PLURALS}
    known: dict[tuple[str, str | None], tuple[str, polib.POEntry]] = {}
    for fragment in fragments:
        for entry in polib.pofile(str(fragment), encoding="utf-8"):
            if not entry.msgstr and not any(entry.msgstr_plural.values()):
                raise Clash(f"{fragment.name}: not translated: {entry.msgid!r}")
            key = (entry.msgid, entry.msgctxt)
            if key not in known:
                known[key] = (fragment.name, entry)
                catalogue.append(entry)
                continue
            first_name, first = known[key]
            if (first.msgstr, first.msgstr_plural) != (entry.msgstr, entry.msgstr_plural):
                raise Clash(f"{first_name} and {fragment.name} translate {entry.msgid!r} differently")
    return catalogue


def compile_all() -> Path:
    """The compiled catalogue, made anew when a fragment is newer."""
    fragments = sorted((LOCALE / "parts").glob("*.po"))
    newest = max((fragment.stat().st_mtime_ns for fragment in fragments), default=0)
    if TARGET.exists() and TARGET.stat().st_mtime_ns >= newest:
        return TARGET
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    compiled = merged(fragments).to_binary()
    # Written beside and renamed: a server may be reading the old one.
    with tempfile.NamedTemporaryFile(dir=TARGET.parent, delete=False) as beside:
        beside.write(compiled)
    Path(beside.name).chmod(0o644)
    os.replace(beside.name, TARGET)  # noqa: PTH105 (the same as Path.replace, said plainly)
    return TARGET


if __name__ == "__main__":
    try:
        print(compile_all().relative_to(Path.cwd()) if compile_all().is_relative_to(Path.cwd()) else compile_all())
    except Clash as clash:
        sys.exit(str(clash))
