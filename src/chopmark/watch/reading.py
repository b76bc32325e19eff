"""What words around a mark say, as the judge asks for it: `text.context` behind the judge's `Reading`. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from chopmark.base.errors import Invalid
from chopmark.watch.listing import MAX_CONTACTS, Listing, clean
from chopmark.watch.marks import Mark
from chopmark.watch.text import context

classes_of = context.classes_of


class Words:
    """`judge.Reading` over the shipped words."""

    def replica_words(self, text: str) -> int:
        """How many different words offer replicas: each sure one; hints, which genuine goods bear too, count by twos.

        A word that is said again counts no more: descriptions repeat titles.
        """
        kinds = [kind for _, kind in {(each.word, each.kind) for each in context.replica_words(text)}]
        return kinds.count("sure") + kinds.count("hint") // 2

    def hidden(self, text: str) -> bool:
        """Whether it has invisible or reversed characters."""
        return context.hidden(text)

    def other_brand(self, brand: str, mark: Mark) -> bool:
        """Whether the brand field names another brand; nobody can tell of a mark that is a picture alone."""
        names = [each for each in (mark.text, *mark.aliases) if each]
        return bool(names) and context.other_brand(brand, names)


def cleaned(raws: Iterable[Mapping[str, Any]], marketplace: str) -> Iterator[Listing]:
    """Rows of a marketplace's file as listings; those without identity, or of another marketplace, are left out."""
    for raw in raws:
        if raw.get("marketplace") not in (None, "", marketplace):  # whatever it is: a set asks for what can be hashed
            continue
        try:
            yield with_contacts(clean(raw, marketplace=marketplace, classes_of=classes_of))
        except Invalid:
            continue


def with_contacts(listing: Listing) -> Listing:
    """The listing with the contacts that stand in its texts beside those that came with it."""
    found = context.contacts(f"{listing.title}\n{listing.description}")
    return replace(listing, contact=tuple(sorted({*listing.contact, *found}))[:MAX_CONTACTS]) if found else listing
