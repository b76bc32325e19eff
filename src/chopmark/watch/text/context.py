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

from chopmark.watch.text.canon import Token

_BEFORE = frozenset({"for", "fits", "fit", "with", "like", "replaces", "replacing", "pour", "fur", "para", "per", "voor"})


def is_descriptive(found: Sequence[Token], first: int, text: str) -> bool:
    """Whether the words before the word `first` say that the goods are for what is named."""
    return first > 0 and found[first - 1].text in _BEFORE
