"""How much two words have in common: how they look, how they sound, whether one contains the other. Three scores apart.

    score(keys("addidas"), keys("adidas")) -> Score(look=1.0, sound=1.0, contains=1.0, total=1.0)

From 0 to 1 each. They sort candidates and say why; they are no probability, and similar is not infringing: a person
decides. `scores` does for many what `score` does for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from chopmark.rights.similarity.keys import Keys
from chopmark.rights.similarity.scripts import has_han

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats: TypeAlias = npt.NDArray[np.float32]

ALERT = 0.80
"""Total from which two words are worth showing to a person (reference measurements in docs/search.md)."""

SOUND_WEIGHT, CONTAINS_WEIGHT = 0.97, 0.95
_TIE = 0.03  # of the total: look, sound and the very same words, so that of equal ones the nearer comes first
_ANAGRAM = 0.95
_FULL_WORD, _FULL_EDGE, _FULL_INSIDE, _FULL_HAN = 4, 6, 7, 2  # letters from which a contained word counts in full
_LEAST_WORD, _LEAST_QUERY = 3, 4


@dataclass(frozen=True, slots=True)
class Score:
    """What two words have in common, from 0 to 1.

    Attributes:
        look: of their letters as they are seen, in order; for Chinese in any order.
        sound: of their sound.
        contains: one stands in the other, and makes up much of it.
        total: the best of the three, each by its weight.
    """

    look: float
    sound: float
    contains: float
    total: float


def score(query: Keys, found: Keys) -> Score:
    """The scores of one pair; `query` is what is asked about."""
    look, sound, contains, total = (float(each[0]) for each in scores(query, [found]))
    return Score(look=look, sound=sound, contains=contains, total=total)


def scores(query: Keys, found: Sequence[Keys]) -> tuple[Floats, Floats, Floats, Floats]:
    """Look, sound, contains and total of each."""
    import numpy as np  # noqa: PLC0415 (loaded when words are compared)

    look = _alike(query.skeleton, [each.skeleton for each in found])
    sound = _alike(query.phonetic, [each.phonetic for each in found])
    if has_han(query.skeleton):
        from rapidfuzz import process  # noqa: PLC0415 (the same)
        from rapidfuzz.distance import OSA  # noqa: PLC0415

        ordered = ["".join(sorted(each.skeleton)) for each in found]
        anagram = process.cdist(["".join(sorted(query.skeleton))], ordered, scorer=OSA.normalized_similarity)[0]
        look = np.maximum(look, anagram.astype(np.float32) * np.float32(_ANAGRAM))
    contains = np.fromiter((_contains(query, each) for each in found), np.float32, len(found))
    best = np.maximum(np.maximum(look, sound * np.float32(SOUND_WEIGHT)), contains * np.float32(CONTAINS_WEIGHT))
    same = np.fromiter((each.norm == query.norm for each in found), np.float32, len(found))
    total = best * np.float32(1 - _TIE) + (look + sound + same) * np.float32(_TIE / 3)
    return look, sound, contains, total


def _alike(query: str, found: Sequence[str]) -> Floats:
    """Edits that are needed, and common letters near each other with weight on the beginning; 0 for an empty one."""
    import numpy as np  # noqa: PLC0415 (as above)
    from rapidfuzz import process  # noqa: PLC0415
    from rapidfuzz.distance import OSA, JaroWinkler  # noqa: PLC0415

    if not query:
        return np.zeros(len(found), np.float32)
    edits = process.cdist([query], found, scorer=OSA.normalized_similarity, dtype=np.float32)[0]
    near = process.cdist([query], found, scorer=JaroWinkler.normalized_similarity, dtype=np.float32)[0]
    made: Floats = np.maximum(edits, (edits + near) / 2)
    return made


def _contains(query: Keys, found: Keys) -> float:
    """Whether the one looks or sounds like a part of the other."""
    seen = _part(query.skeleton, found.skeleton, whole_word=f" {found.norm} " in f" {query.norm} ")
    heard = _part(query.phonetic, found.phonetic, whole_word=False)
    return max(seen, 0.95 * heard)


def _part(query: str, found: str, *, whole_word: bool) -> float:
    if found and found in query:
        full = _FULL_HAN if has_han(found) else _FULL_WORD if whole_word else _FULL_INSIDE
        if full == _FULL_INSIDE and (query.startswith(found) or query.endswith(found)):
            full = _FULL_EDGE
        if len(found) < _LEAST_WORD and full != _FULL_HAN and found != query:
            return 0.0
        return min(1.0, len(found) / full) * 0.85 + 0.15 * len(found) / len(query)
    if query and query in found and (len(query) >= _LEAST_QUERY or has_han(query)):
        return 0.6 + 0.35 * len(query) / len(found)
    return 0.0
