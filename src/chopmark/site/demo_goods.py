"""What the demo's shop sells: everyday goods, fakes in many disguises, a licensed seller, a copied photograph.

Every brand, seller and number is made up. The same seed makes the same goods; nothing here reads a file or a clock.
What is a fake is known here and nowhere else: the shop does not tell the platform.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

Truth = Literal["plain", "fake", "licensed", "copy", "unfiled", "resold"]

MARK: Final = "Blue Wave"
UNFILED: Final = "Lantern Tide"
"""A mark that nobody has filed when the demo begins; three of the shop's oldest goods bear it."""
LICENSED: Final = "seide-meer"
COPIER: Final = "shop-2291"
COPY: Final = "harbour-scarf.jpg"
"""The harbour photograph, cut, mirrored, smaller, with words over it."""
FAKERS: Final = ("shop-4410", "shop-4411", "night-market-7", "cheap-silk-88")
SCARVES: Final = "Clothing > Scarves"

_KINDS: Final = (
    # what it is, its category, usual price in cents, picture
    ("silk scarf · 真丝围巾", SCARVES, 5900, "scarf"),
    ("wool scarf · 羊毛围巾", SCARVES, 4200, "scarf"),
    ("canvas bag · 帆布包", "Bags > Handbags", 3900, "bag"),
    ("linen pillow cover · 亚麻枕套", "Home textiles > Bed linen", 2400, "cover"),
    ("stoneware mug · 陶杯", "Kitchen > Mugs", 1300, "mug"),
    ("desk lamp · 台灯", "Lighting > Lamps", 4600, "lamp"),
    ("fountain pen · 钢笔", "Stationery > Pens", 2800, "pen"),
)
_BRANDS: Final = ("Pinewood Row", "Marlow & Finch", "Greyfield", "Osterly", "松间", "云上小筑", "Tolle Hand", "Varnby")
_COLOURS: Final = ("red", "green", "grey", "cream", "navy", "mustard", "black", "teal")
_PLAIN_SELLERS: Final = tuple(f"shop-{number}" for number in range(1001, 1041))
_DISGUISES: Final = (
    "B1ue Wave {what}",
    "Вluе Wаvе {what}",  # Cyrillic letters
    "B.l.u.e W.a.v.e {what}",
    "Blue\u200b W\u200bave {what}",
    "Ｂｌｕｅ Ｗａｖｅ {what}",
    "Blu3 W@ve {what}",
    "Blue Wave {what} 高仿 1:1",
    "Blue Wave {what} replica AAA quality",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Good:
    """One offer of the shop.

    Attributes:
        price: in cents. picture: name of a file of the shop. truth: what it really is.
    """

    item: str
    seller: str
    title: str
    brand: str
    category: str
    price: int
    picture: str
    territory: str
    stock: int
    sold: int
    truth: Truth = "plain"

    def listing(self, site: str, at: datetime) -> dict[str, Any]:
        """As it is pushed, in the words of the programming interface.

        Args:
            site: the shop's address, without a slash at its end.
            at: since when it is offered.
        """
        return {
            "item": self.item,
            "version": 1,
            "seller": self.seller,
            "title": self.title,
            "brand": self.brand,
            "category": self.category,
            "price_minor": self.price,
            "currency": "EUR",
            "territories": [self.territory],
            "pictures": [f"{site}/pictures/{self.picture}"],
            "stock": self.stock,
            "url": f"{site}/item/{self.item}",
            "listed_at": at.isoformat(),
        }


def opening(seed: int = 1) -> tuple[Good, ...]:
    """What the shop has when it opens: sixty goods, among them old fakes of a mark that is not filed yet."""
    chance = random.Random(seed)  # noqa: S311 (goods of a demonstration)
    goods = [_plain(chance, 100_000 + number) for number in range(48)]
    special = [
        *(_fake(chance, 100_100 + number, number) for number in range(4)),
        _licensed(chance, 100_200),
        _licensed(chance, 100_201),
        replace(
            _plain(chance, 100_300),
            seller=COPIER,
            title="Harbour scarf, printed silk · 港湾图案丝巾",
            brand="",
            category=SCARVES,
            price=4990,
            picture=COPY,
            truth="copy",
        ),
        replace(
            _plain(chance, 100_400),
            seller="second-hand-lena",
            title=f"Clip for {MARK} scarf · 适用于 {MARK} 丝巾的扣环",
            brand="Greyfield",
            category=SCARVES,
        ),
        *(
            replace(_plain(chance, 100_500 + number), seller=seller, title=title, category=category, truth="unfiled")
            for number, (seller, title, category) in enumerate(
                (
                    ("shop-4410", f"{UNFILED} evening bag · 晚宴包", "Bags > Handbags"),
                    ("night-market-7", "L4ntern T1de evening bag", "Bags > Handbags"),
                    ("cheap-silk-88", f"{UNFILED} silk scarf replica AAA", SCARVES),
                )
            )
        ),
    ]
    for good in special:
        goods.insert(chance.randrange(len(goods) + 1), good)
    return tuple(goods)


def live(number: int, seed: int = 1) -> Good:
    """The number-th good (from 0) that comes in while the shop is open: every sixth a fake, every tenth licensed."""
    chance = random.Random(f"{seed} {number}")  # noqa: S311 (as above)
    if number % 6 == 2:
        return _fake(chance, 200_000 + number, number // 6)
    if number % 10 == 5:
        return _licensed(chance, 200_000 + number)
    return _plain(chance, 200_000 + number)


def stock(count: int, seed: int = 2) -> Iterator[Good]:
    """A stock for a scan: mostly plain goods, the mark's own goods by forty resellers, a fake in a hundred."""
    chance = random.Random(seed)  # noqa: S311 (as above)
    for number in range(count):
        item = 500_000 + number
        if number % 100 == 50:
            yield _fake(chance, item, number // 100)
        elif number % 20 == 7:
            yield _resold(chance, item, number // 20)
        else:
            yield _plain(chance, item)


def pictures() -> Mapping[str, str]:
    """Names of the drawn pictures and what they show."""
    return {f"{shape}-{colour}.jpg": shape for *_, shape in _KINDS for colour in _COLOURS}


def colour_of(picture: str) -> str:
    """The colour in a picture's name."""
    return picture.removesuffix(".jpg").partition("-")[2]


def _plain(chance: random.Random, number: int) -> Good:
    what, category, price, shape = chance.choice(_KINDS)
    colour, brand = chance.choice(_COLOURS), chance.choice(_BRANDS)
    return Good(
        item=str(number),
        seller=chance.choice(_PLAIN_SELLERS),
        title=f"{brand} {colour} {what}",
        brand=brand,
        category=category,
        price=round(price * chance.uniform(0.8, 1.25)),
        picture=f"{shape}-{colour}.jpg",
        territory=chance.choice(("DE", "FR")),
        stock=chance.randrange(1, 200),
        sold=chance.randrange(0, 40),
    )


def _fake(chance: random.Random, number: int, turn: int) -> Good:
    what, category, price, shape = _KINDS[turn % 2]
    return replace(
        _plain(chance, number),
        seller=FAKERS[turn % len(FAKERS)],
        title=_DISGUISES[turn % len(_DISGUISES)].format(what=what),
        brand="",
        category=category,
        price=round(price * chance.uniform(0.12, 0.25)),
        picture=f"{shape}-{chance.choice(_COLOURS)}.jpg",
        sold=0,
        truth="fake",
    )


def _licensed(chance: random.Random, number: int) -> Good:
    return replace(
        _plain(chance, number),
        seller=LICENSED,
        title=f"{MARK} silk scarf, season's colours · {MARK} 真丝围巾",
        brand=MARK,
        category=SCARVES,
        price=5900,
        truth="licensed",
    )


def _resold(chance: random.Random, number: int, turn: int) -> Good:
    return replace(
        _plain(chance, number),
        seller=_PLAIN_SELLERS[turn % len(_PLAIN_SELLERS)],
        title=f"{MARK} silk scarf, new with receipt · {MARK} 真丝围巾",
        brand=MARK,
        category=SCARVES,
        price=round(5900 * chance.uniform(0.85, 1.1)),
        truth="resold",
    )
