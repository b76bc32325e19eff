"""What links a seller with others, and what a seller cannot honestly have.

    sellers = linked(uses, confirmed)          uses: (seller, 'picture' or 'contact', value)
    sellers.features("demo:s1")                {'shared_pictures': 2, 'shared_contact': 1, 'group_confirmed': 4}
    impossible_stock(stock, granted), gtin_other(gtin, right, catalogue)

Who hides behind many shops still uses one messenger and the same photographs (Cheung, She et al., ACM TOMM 2019). A
contact links two sellers; pictures do when they share at least two. What too many share links nobody: a maker's
photograph, a marketplace's hotline. A group that grew too large is no group. The same GTIN is the same product, so it
links nobody either.

Photographs and numbers are easily planted to blacken somebody: links support a suspicion and never decide alone (see
`twokeys`), and `group_confirmed` counts what people confirmed, never what rules flagged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from chopmark.watch.features import Value
from chopmark.watch.listing import gtin_is_right

if TYPE_CHECKING:
    import numpy as np

Kind = Literal["picture", "contact"]

MOST_PICTURE: Final = 20  # sellers of one picture, before it links nobody
MOST_CONTACT: Final = 50  # sellers of one contact, the same
LEAST_PICTURES: Final = 2  # that two sellers share, before these link them
MOST_GROUP: Final = 500  # sellers of one group, before it is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """One seller among others.

    Attributes:
        shared_pictures, shared_contact: other sellers with at least one picture, or contact, of this one.
        group: smallest name of the sellers that are linked with it, over any number of steps; itself when alone.
        group_confirmed: hits of the others of the group that people confirmed.
    """

    shared_pictures: int
    shared_contact: int
    group: str
    group_confirmed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sellers:
    """All sellers that share anything with anybody."""

    linked: Mapping[str, Linked]

    def features(self, seller: str) -> dict[str, Value]:
        """The three features of a seller; nought for one that shares nothing."""
        found = self.linked.get(seller)
        if found is None:
            return {"shared_pictures": 0, "shared_contact": 0, "group_confirmed": 0}
        return {
            "shared_pictures": found.shared_pictures,
            "shared_contact": found.shared_contact,
            "group_confirmed": found.group_confirmed,
        }


def linked(uses: Iterable[tuple[str, Kind, str]], confirmed: Mapping[str, int]) -> Sellers:
    """Who is linked with whom.

    Args:
        uses: seller (with its marketplace, `demo:s1`), kind, and the picture's digest or the contact, normalised.
        confirmed: hits of each seller that people confirmed.
    """
    import numpy as np  # noqa: PLC0415 (only who draws the graph needs it)
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415 (as above)

    users: dict[Kind, dict[str, set[str]]] = {"picture": defaultdict(set), "contact": defaultdict(set)}
    for seller, kind, value in uses:
        users[kind][value].add(seller)
    pictures = _linking(users["picture"].values(), MOST_PICTURE)
    contacts = _linking(users["contact"].values(), MOST_CONTACT)
    names = sorted({seller for group in (*pictures, *contacts) for seller in group})
    if not names:
        return Sellers(linked={})
    place = {name: at for at, name in enumerate(names)}
    together, reached = _together(pictures, place), _together(contacts, place)
    edges = (together >= LEAST_PICTURES) + (reached > 0)
    _, labels = connected_components(edges, directed=False)
    hits = np.array([confirmed.get(name, 0) for name in names])
    sizes, sums = np.bincount(labels), np.bincount(labels, weights=hits)
    first: dict[int, str] = {}
    for name, label in zip(names, labels, strict=True):
        first.setdefault(int(label), name)
    photographs, numbers = _others(together), _others(reached)
    return Sellers(
        linked={
            name: Linked(
                shared_pictures=int(photographs[at]),
                shared_contact=int(numbers[at]),
                group=first[int(label)] if sizes[label] <= MOST_GROUP else name,
                group_confirmed=int(sums[label] - hits[at]) if sizes[label] <= MOST_GROUP else 0,
            )
            for at, (name, label) in enumerate(zip(names, labels, strict=True))
        }
    )


def _linking(groups: Iterable[set[str]], most: int) -> list[set[str]]:
    return [each for each in groups if 2 <= len(each) <= most]


def _together(groups: Collection[set[str]], place: Mapping[str, int]) -> Any:  # noqa: ANN401 (a sparse matrix)
    """How many of the groups each two sellers share; nothing on the diagonal."""
    import numpy as np  # noqa: PLC0415 (as above)
    from scipy.sparse import csr_array  # noqa: PLC0415 (as above)

    rows = [place[seller] for group in groups for seller in group]
    columns = np.repeat(np.arange(len(groups)), np.array([len(group) for group in groups], dtype=np.int64))
    ones = np.ones(len(rows), dtype=np.int32)
    uses = csr_array((ones, (rows, columns)), shape=(len(place), max(1, len(groups))))
    shared = (uses @ uses.T).tocoo()
    apart = shared.row != shared.col
    return csr_array((shared.data[apart], (shared.row[apart], shared.col[apart])), shape=shared.shape)


def _others(shared: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401 (a sparse matrix)
    import numpy as np  # noqa: PLC0415 (as above)

    counts: np.ndarray[Any, Any] = np.diff(shared.indptr)
    return counts


def impossible_stock(stock: int | None, granted: int | None) -> bool:
    """More pieces than were ever granted to this seller; no where either is not known.

    Args:
        stock: of all its listings under the right together. granted: by all its licences, ended ones too.
    """
    return stock is not None and granted is not None and stock > granted


def gtin_other(gtin: str, right: str, catalogue: Mapping[str, Collection[str]]) -> bool:
    """The GTIN is known, and as a product of other rights only.

    Args:
        gtin: 8, 12, 13 or 14 digits; a wrong one says nothing here (it is a flag of the listing).
        catalogue: rights by GTIN of 14 digits (GS1: shorter ones are filled with zeros in front).
    """
    if not gtin_is_right(gtin):
        return False
    rights = catalogue.get(gtin.zfill(14))
    return rights is not None and right not in rights
