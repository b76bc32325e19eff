"""The names of a mark set in the forms in which each view looks for them, made once for all listings.

    terms = Terms(marks, ordinary)
    terms.patterns          "耐 克", "nike", "new balance": words parted by one blank; what the automaton looks for
    terms.owners[i]         the marks that the pattern i stands for, with the name as it was registered
    terms.joined            "newbalance" -> patterns: for names that are written together, or apart

A name belongs to its mark; two marks may have the same name, and a hit is then one of both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Final

from chopmark.rights.similarity.scripts import is_han
from chopmark.watch.found import View
from chopmark.watch.marks import Mark, MarkSet
from chopmark.watch.text.canon import words
from chopmark.watch.text.chinese import readings

LEAST: Final = 2
"""Letters of a Latin name, or ideographs of a Chinese one, that a title is searched for; shorter ones need the brand
field."""
LEAST_JOINED: Final = 4
LEAST_PINYIN: Final = 4
LEAST_HEARD: Final = 3
"""Ideographs of a name that is looked for by sound; of two only where a mark is on the watch-list: of two, a third of
all titles has some that sound so."""
MAX_READINGS: Final = 8
MAX_HAN: Final = 6


@dataclass(frozen=True, slots=True)
class Owner:
    """A name: the mark's position in the set, and the name as registered."""

    mark: int
    term: str


class Terms:
    """See the module.

    Attributes:
        marks: the set.
        patterns, owners, views: three lists of the same length; the view is `canonical` for a name itself.
        joined: names of Latin letters without their blanks -> positions.
        short: names too short for titles -> positions.
        unmatched: positions of marks without any name that can be looked for (signs alone).
    """

    def __init__(self, marks: MarkSet, ordinary: frozenset[str], *, fast: bool) -> None:
        self.marks = marks
        self.patterns: list[str] = []
        self.owners: list[list[Owner]] = []
        self.views: list[View] = []
        self.joined: dict[str, list[int]] = {}
        self.short: dict[str, int] = {}
        self._known: dict[tuple[str, View], int] = {}
        for mark in marks.marks:
            for name in dict.fromkeys((mark.text, *mark.aliases)):
                self._add(mark, name)
        if not fast:
            self._add_readings(ordinary)
            self._join()
        found = {owner.mark for owners in self.owners for owner in owners}
        self.unmatched = tuple(mark.id for mark in marks.marks if mark.id not in found)

    @property
    def heard(self) -> dict[str, int]:
        """The Chinese names that are looked for by sound -> positions."""
        return {
            form: at
            for at, form in enumerate(self.patterns)
            if self.views[at] == "canonical" and self._is_heard(form.split(" "), self.owners[at])
        }

    def is_name(self, form: str) -> bool:
        """Whether plain words are a mark's name as it is."""
        return (form, "canonical") in self._known

    def _is_heard(self, letters: Sequence[str], owners: Sequence[Owner]) -> bool:
        watched = any(self.marks.marks[each.mark].near for each in owners)
        least = LEAST if watched else LEAST_HEARD
        return len(letters) >= least and all(len(each) == 1 and is_han(each) for each in letters)

    def _add(self, mark: Mark, name: str) -> None:
        for form in _forms(name):
            if form:
                self._put(form, "canonical", Owner(mark.id, name))

    def _put(self, form: str, view: View, owner: Owner) -> None:
        at = self._known.get((form, view))
        if at is None:
            at = self._known[form, view] = len(self.patterns)
            self.patterns.append(form)
            self.owners.append([])
            self.views.append(view)
            if _is_short(form):
                self.short[form] = at
        if all(each.mark != owner.mark for each in self.owners[at]):
            self.owners[at].append(owner)

    def _add_readings(self, ordinary: frozenset[str]) -> None:
        for form, owners in list(zip(self.patterns, self.owners, strict=True)):
            for spelled, view in _spelled(form, ordinary):
                if (spelled, "canonical") not in self._known:
                    for owner in owners:
                        self._put(spelled, view, owner)

    def _join(self) -> None:
        for at, form in enumerate(self.patterns):
            together = form.replace(" ", "").replace("&", "")
            if len(together) >= LEAST_JOINED and together.isascii() and self.views[at] != "half_pinyin":
                self.joined.setdefault(together, []).append(at)


def _is_short(form: str) -> bool:
    letters = form.replace(" ", "")
    return len(letters) < LEAST or (letters.isdigit() and letters.isascii() and len(letters) < 4)


def _forms(name: str) -> list[str]:
    """A name in plain form; one of Greek or Cyrillic in each case, whose letters look different."""
    variants = [name] if name.isascii() else [name, name.upper(), name.lower(), name.title()]
    forms = [words(each) for each in variants]
    if "&" in forms[0]:
        apart = " ".join(forms[0].replace("&", " & ").split())
        forms += [apart, apart.replace(" & ", "&"), apart.replace("&", "and")]
    return list(dict.fromkeys(forms))


def _spelled(form: str, ordinary: frozenset[str]) -> Iterator[tuple[str, View]]:
    """A Chinese name as it sounds in Latin letters: whole, syllable by syllable, and in part."""
    letters = form.split(" ")
    if not 2 <= len(letters) <= MAX_HAN or not all(len(each) == 1 and is_han(each) for each in letters):
        return
    for sounds in islice(product(*(readings(each) for each in letters)), MAX_READINGS):
        if not all(sounds):
            continue
        together = "".join(sounds)
        if len(together) >= LEAST_PINYIN and together not in ordinary:
            yield together, "pinyin"
            if not all(each in ordinary for each in sounds):
                yield " ".join(sounds), "pinyin"
        yield from _halves(letters, sounds)


def _halves(letters: list[str], sounds: tuple[str, ...]) -> Iterator[tuple[str, View]]:
    """耐ke, nai克: an ideograph and a syllable at least; no syllable that is one letter."""
    for chosen in product((False, True), repeat=len(letters)):
        if not any(chosen) or all(chosen):
            continue
        spelled: list[str] = []
        for letter, sound, latin in zip(letters, sounds, chosen, strict=True):
            if latin and spelled and spelled[-1].isascii():
                spelled[-1] += sound
            else:
                spelled.append(sound if latin else letter)
        if all(len(each) > 1 for each in spelled if each.isascii()):
            yield " ".join(spelled), "half_pinyin"
