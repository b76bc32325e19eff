"""What stands around a mark: words of descriptive use, words that offer replicas, contacts, what is hidden, the class.

    is_descriptive(words, first)     "case for iPhone", "compatible with", 适用于: the mark says what the goods fit
    replica_words(text)              高仿, A货, "mirror quality", "1:1"
    other_brand(brand, hits, marks)  the brand field names somebody else
    classes_of(category)             Nice classes of a marketplace's category
    contacts(text)                   telephone numbers, messenger names and addresses outside
    hidden(text)                     invisible and reversed characters

The words are data: `data/slang.toml`, `data/classes.toml`. None of these is a finding by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

BEFORE: Final = (
    *(
        "for",
        "fits",
        "fit for",
        "suits",
        "replaces",
        "replacement for",
        "compatible with",
        "compatible for",
        "works with",
    ),
    *(
        "use with",
        "pour",
        "compatible avec",
        "fur",
        "passend fur",
        "kompatibel mit",
        "para",
        "compatible con",
        "per",
        "voor",
    ),
    *("适 用", "适 用 于", "适 配", "兼 容", "通 用 于", "适 合", "用 于"),
)
"""Plain words right before a mark which say that the goods are for what it names."""
AFTER: Final = ("compatible", "kompatibel", "适 用", "通 用", "专 用", "可 用")
"""The same right after it."""
_BEFORE: Final = tuple(tuple(each.split(" ")) for each in BEFORE)


def is_descriptive(row: Sequence[str], first: int) -> bool:
    """Whether the plain words before the word `first` say that the goods are for what is named there."""
    return any(first >= len(each) and tuple(row[first - len(each) : first]) == each for each in _BEFORE)
