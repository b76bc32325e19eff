"""What words around a mark say, as the judge asks for it: `text.context` behind the judge's `Reading`. Pure."""

from __future__ import annotations

from dataclasses import replace

from chopmark.watch.listing import MAX_CONTACTS, Listing
from chopmark.watch.marks import Mark
from chopmark.watch.text import context

classes_of = context.classes_of


class Words:
    """`judge.Reading` over the shipped words."""

    def replica_words(self, text: str) -> int:
        """How many words offer replicas: each sure one; hints, which genuine goods bear too, count by twos."""
        kinds = [each.kind for each in context.replica_words(text)]
        return kinds.count("sure") + kinds.count("hint") // 2

    def hidden(self, text: str) -> bool:
        """Whether it has invisible or reversed characters."""
        return context.hidden(text)

    def other_brand(self, brand: str, mark: Mark) -> bool:
        """Whether the brand field names another brand."""
        return context.other_brand(brand, (mark.text, *mark.aliases))


def with_contacts(listing: Listing) -> Listing:
    """The listing with the contacts that stand in its texts beside those that came with it."""
    found = context.contacts(f"{listing.title}\n{listing.description}")
    return replace(listing, contact=tuple(sorted({*listing.contact, *found}))[:MAX_CONTACTS]) if found else listing
