"""The script that packs the words that ship: what it keeps, and that the program reads what it wrote."""

from __future__ import annotations

import importlib.util
import lzma
from importlib.resources import files
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from chopmark.watch.text import vocabulary


def _script(name: str):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).resolve().parents[2] / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


text_words, text_pairs = _script("text_words"), _script("text_pairs")


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


def test_words_of_two_ideographs_are_kept_without_names_and_rare_ones():
    lines = [
        "日历 99 n",
        "日曆 99 n",
        "日立 900 nz",
        "王五 900 nr",
        "日晷 19 n",
        "今 900 t",
        "B超 900 n",
        "运动鞋 900 n",
    ]
    assert text_pairs.kept(lines) == {"日历"}


def test_the_pairs_that_ship_are_what_the_script_makes_of_them():
    shipped = files("chopmark.watch.text").joinpath("data", "pairs.txt.xz").read_bytes()
    assert lzma.decompress(text_pairs.packed(vocabulary.pairs())) == lzma.decompress(shipped)
    assert {"日历", "今日", "礼物"} <= vocabulary.pairs()
    assert "日礼" not in vocabulary.pairs()
