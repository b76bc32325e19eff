"""Ordinary words: what a disguise of a mark is not.

    shipped()      65,000 English words and the trade's own words
    pairs()        40,000 Chinese words of two ideographs

A word that stands here is never taken for a disguise of a mark. So it must come from a dictionary or from people who
read it; never from what is scanned, where who repeats "addidas" often enough would make it ordinary.

`data/words.txt.xz` is made from SCOWL (its notice is in `data/words.licence`) by `scripts/text_words.py`: words in
lower case only, no names. `data/trade.txt` is our own. `data/pairs.txt.xz` is made from the dictionary of jieba (its
notice is in `data/pairs.licence`) by `scripts/text_pairs.py`, without names.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

MIN_LENGTH = 2


@cache
def shipped() -> frozenset[str]:
    """The words that come with the program."""
    data = files(__package__).joinpath("data")
    coded = lzma.decompress(data.joinpath("words.txt.xz").read_bytes()).decode()
    return frozenset(_uncoded(coded)) | trade()


@cache
def trade() -> frozenset[str]:
    """Words of shops alone."""
    text = files(__package__).joinpath("data", "trade.txt").read_text("utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return frozenset(word for line in lines for word in line.split() if len(word) >= MIN_LENGTH)


@cache
def pairs() -> frozenset[str]:
    """Everyday Chinese words of two ideographs, simplified."""
    lines = lzma.decompress(files(__package__).joinpath("data", "pairs.txt.xz").read_bytes()).decode().split("\n")
    return frozenset(line[0] + second for line in lines for second in line[1:])


def _uncoded(coded: str) -> Iterable[str]:
    """Front coding: a letter says how many letters of the word before are kept."""
    word = ""
    for line in coded.split("\n"):
        word = word[: ord(line[0]) - ord("a")] + line[1:]
        yield word
