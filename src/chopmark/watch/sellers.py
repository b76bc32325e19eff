"""What links a seller with others, and what a seller cannot honestly have.

    sellers = linked(uses, confirmed)          uses: (seller, 'picture' or 'contact', value)
    sellers.features("demo:s1")                {'shared_pictures': 2, 'shared_contact': 1, 'group_confirmed': 4}
    impossible_stock(stock, usual, days)       more pieces than is believable beside others
    gtin_other(gtin, names, said, brands)      the number of another brand's product

Who hides behind many shops still uses one messenger and the same photographs (Cheung, She et al., ACM TOMM 2019). A
contact links two sellers; pictures do when they share at least two. What too many share links nobody: a maker's
photograph, a marketplace's hotline. A group that grew too large is no group. The same GTIN is the same product, so it
links nobody either.

Photographs and numbers are easily planted to blacken somebody: links support a suspicion and never decide alone (see
`twokeys`), and `group_confirmed` counts what people confirmed, never what rules flagged.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final, Literal

from chopmark.watch.features import Value
from chopmark.watch.gs1 import is_traded
from chopmark.watch.listing import gtin_is_right
from chopmark.watch.text.canon import words
from chopmark.watch.text.context import other_brand

if TYPE_CHECKING:
    import numpy as np

Kind = Literal["picture", "contact"]

MOST_PICTURE: Final = 20  # sellers of one picture, before it links nobody
MOST_CONTACT: Final = 50  # sellers of one contact, the same
LEAST_PICTURES: Final = 2  # that two sellers share, before these link them
MOST_GROUP: Final = 500  # sellers of one group, before it is none
LEAST_STOCK: Final = 1_000  # pieces of one listing, below which nothing is impossible
STOCK_SELLERS: Final = 20  # who say their stock, before anything is usual
STOCK_OLD: Final = 1_000  # times the median
STOCK_NEW: Final = 100  # the same for who is new
NEW_DAYS: Final = 90
GTIN_SELLERS: Final = 5  # who name one brand for a GTIN, before it is known


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """How many pieces of a right's goods a seller usually offers in one listing.

    Attributes:
        median: of the sellers, each of whom counts once, with the median of its own listings.
        sellers: how many stand behind it.
    """

    median: int
    sellers: int


def impossible_stock(stock: int | None, usual: Stock | None, days: int | None) -> bool:
    """Far more pieces in one listing than others have of the same right's goods, and than the seller's age allows.

    It is where all of this holds: the listing says its stock, and at least `LEAST_STOCK` pieces; at least
    `STOCK_SELLERS` sellers say theirs of this right; and it is more than `STOCK_OLD` times their median, or more than
    `STOCK_NEW` times for a seller who came less than `NEW_DAYS` days ago. Where others write 9,999 for "enough",
    9,999 is usual. One seller is one voice of the median, however many listings it fills.

    Args:
        stock: pieces of this listing. usual: of the right. days: since the seller came; None counts as long ago.
    """
    if stock is None or stock < LEAST_STOCK or usual is None or usual.sellers < STOCK_SELLERS:
        return False
    times = STOCK_NEW if days is not None and days < NEW_DAYS else STOCK_OLD
    return stock > times * max(1, usual.median)


def stock_of(listings: Iterable[tuple[str, int]]) -> Stock | None:
    """What is usual, of one right's listings as (seller, pieces); None with fewer than `STOCK_SELLERS` sellers."""
    own: dict[str, list[int]] = defaultdict(list)
    for seller, pieces in listings:
        own[seller].append(pieces)
    if len(own) < STOCK_SELLERS:
        return None
    return Stock(median=round(median(median(each) for each in own.values())), sellers=len(own))


def is_known_number(gtin: str) -> bool:
    """Whether it can stand for one product everywhere: the check digit is right, and no shop made it up for itself."""
    return gtin_is_right(gtin) and is_traded(gtin)


def brand_said(brand: str) -> str:
    """A brand field in plain words; empty where it names no brand ("none", 无)."""
    return words(brand) if other_brand(brand, ()) else ""


def brands_of(uses: Iterable[tuple[str, str, str]], group: Mapping[str, str]) -> dict[str, str]:
    """Whose product a GTIN is, by what most of those who sell it say: its 14 digits -> the brand in plain words.

    A group of linked sellers is one voice, and it speaks only where it names one brand for the GTIN. The brand is known
    where at least `GTIN_SELLERS` voices name it, and four of five of all that name any. Nothing is told by the digits
    themselves: a GS1 prefix is its owner's, who makes goods for others too. Numbers that anybody may use for anything
    (`gs1.is_traded`) are nobody's product.

    Args:
        uses: GTIN, brand field, seller. group: of sellers who are linked, the name of their group.
    """
    said: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for gtin, brand, seller in uses:
        if is_known_number(gtin) and (named := brand_said(brand)):
            said[gtin.zfill(14)][group.get(seller, seller)].add(named)
    known: dict[str, str] = {}
    for gtin, voices in said.items():
        votes = Counter(next(iter(named)) for named in voices.values() if len(named) == 1)
        brand, count = votes.most_common(1)[0] if votes else ("", 0)
        if count >= GTIN_SELLERS and 5 * count >= 4 * len(voices):
            known[gtin] = brand
    return known


def gtin_other(gtin: str, names: Collection[str], said: str, brands: Mapping[str, str]) -> bool:
    """The GTIN is known as the product of another brand, which the offer does not name: it is borrowed.

    Who names that brand too offers what fits the mark (a case for a telephone): that is no borrowed number.

    Args:
        gtin: 8, 12, 13 or 14 digits; a wrong one says nothing here (it is a flag of the listing).
        names: of the mark. said: brand field and title of the offer. brands: of `brands_of`.
    """
    brand = brands.get(gtin.zfill(14)) if gtin else None
    if brand is None or not is_known_number(gtin):
        return False
    return f" {brand} " not in f" {words(said)} " and other_brand(brand, names)
