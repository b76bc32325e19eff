"""The script that packs the words that ship: what it keeps, and that the program reads what it wrote."""

from __future__ import annotations

import importlib.util
import lzma
from importlib.resources import files
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from chopmark.watch.text import vocabulary

_PATH = Path(__file__).resolve().parents[2] / "scripts" / "text_words.py"
_SPEC = importlib.util.spec_from_file_location("text_words", _PATH)
assert _SPEC is not None
assert _SPEC.loader is not None
text_words = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(text_words)


def _read(packed: bytes) -> list[str]:
    return list(vocabulary._uncoded(lzma.decompress(packed).decode()))


def test_words_of_small_latin_letters_are_kept_once_and_in_order():
    lines = ["zoo", "Apple", "zoo", "it's", "é", "a", "ab", "x2", "", "naïve", "abacus"]
    assert text_words.kept(lines) == ["ab", "abacus", "zoo"]


@settings(max_examples=15, deadline=None)
@given(st.sets(st.text("abc", min_size=2, max_size=40), min_size=1, max_size=20))
def test_what_was_packed_is_read_again(words):
    assert _read(text_words.packed(text_words.kept(words))) == sorted(words)


def test_the_words_that_ship_are_what_the_script_makes_of_them():
    shipped = files("chopmark.watch.text").joinpath("data", "words.txt.xz").read_bytes()
    words = _read(shipped)
    assert text_words.kept(words) == words
    assert lzma.decompress(text_words.packed(words)) == lzma.decompress(shipped)
