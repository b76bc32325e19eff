"""A listing: what a marketplace says of one offer, cleaned and bounded, and its one schema.

Everything comes from outside and is kept as far as it can be: what is too long is cut, what cannot be read is left
out, and each such thing is a flag of the listing, so that a rule can see it. Only what has no identity (no item, no
seller, a version that is no number) is refused. Nothing here reads a file, a table or a clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

Flag = Literal[
    "title_cut",
    "title_empty",
    "description_cut",
    "broken_encoding",
    "bidi",
    "zero_width_flood",
    "control_characters",
    "too_many_pictures",
    "picture_address_refused",
    "price_missing",
    "price_negative",
    "price_unreadable",
    "currency_unknown",
    "gtin_wrong",
    "territory_unknown",
    "category_unknown",
    "url_refused",
    "time_unreadable",
    "stock_unreadable",
]

MAX_ID: Final = 200  # characters of item, seller, marketplace
MAX_TITLE: Final = 1_000  # characters that are matched; what follows is cut and flagged
MAX_DESCRIPTION: Final = 20_000
MAX_PICTURES: Final = 50
MAX_TERRITORIES: Final = 300
MAX_BATCH: Final = 1_000  # listings of one HTTP push


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture of a listing.

    Attributes:
        url: where it is, empty when it came as bytes.
        sha256: of its bytes, empty until somebody has read them.
    """

    url: str = ""
    sha256: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One version of one offer.

    Attributes:
        marketplace: short name of the source, as registered (`demo`).
        item: the marketplace's own number of the offer; with `version` it is unique in the marketplace.
        version: counts the marketplace's edits; a higher one replaces a lower one.
        seller: the marketplace's own number of the seller.
        price: in the smallest unit of the currency (cents, fen); None when not said or not readable.
        currency: ISO 4217.
        category: the marketplace's own path, `Shoes > Running`.
        classes: Nice classes that the category stands for, by `text/data/classes.toml` or given.
        territories: where it is offered, ST.3 countries; empty when not said.
        gtin: 8 to 14 digits with a right check digit, else empty (and flagged).
        contact: phone numbers, messenger names and outside addresses found in text or given, normalised.
        listed_at, changed_at: aware UTC, None when not said.
        flags: what was wrong with it, sorted.
    """

    marketplace: str
    item: str
    version: int
    seller: str
    title: str
    description: str = ""
    brand: str = ""
    price: int | None = None
    currency: str = ""
    category: str = ""
    classes: tuple[str, ...] = ()
    territories: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    gtin: str = ""
    stock: int | None = None
    url: str = ""
    contact: tuple[str, ...] = ()
    listed_at: datetime | None = None
    changed_at: datetime | None = None
    flags: tuple[Flag, ...] = ()

    @property
    def key(self) -> tuple[str, str, int]:
        """Unique everywhere."""
        return self.marketplace, self.item, self.version


Row = Mapping[str, object]
Rows = Sequence[Row]
