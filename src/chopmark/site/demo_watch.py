"""The demo's marketplace: registered, with rules in force, a licensed seller, goods, pictures and a stock to scan.

The demo's organisation runs it, so that one account sees both sides; a platform has marketplaces of others. Goods are
those of `demo_goods`; the shop itself is `demo_market`, which `chopmark serve` keeps alive. Everything is done by the
actions that pages and commands call, and what is there already stays.

Nothing of this is needed to run a platform, and no other code calls it but `chopmark demo`.
"""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from chopmark.base import clock
from chopmark.people.actions import create_api_key, open_account
from chopmark.people.actor import Actor
from chopmark.rights.actions.bring_in import bring_in_office
from chopmark.rights.actions.common import Operator
from chopmark.rights.actions.interest import NewInterest, license  # noqa: A004 (the glossary's word)
from chopmark.site import demo_goods, demo_media
from chopmark.site.demo_market import FOLDER, NAME, TITLE, Market, Settings
from chopmark.site.members import free_ports
from chopmark.watch.actions.marketplace import NewMarketplace, name_seller, register_marketplace
from chopmark.watch.actions.markset import describe_mark, make_mark_set
from chopmark.watch.actions.rules import adopt_default_rules
from chopmark.watch.actions.scan import NewScan, start_scan, stock_of
from chopmark.watch.queries.marketplaces import marketplaces_of, measure_key_of
from chopmark.watch.queries.scans import scans_of

SELLER_EMAIL: Final = "seller@chopmark.example"
SELLER_NAME: Final = "Seide & Meer GmbH"
STOCK: Final = 2_000  # goods of the stock that is scanned
OPENED: Final = timedelta(days=40)  # before the demo was made
UNFILED_NUMBER: Final = "099000031"
"""Of a mark in the register that nobody has filed here; EUIPO is far from it."""
_DRAWN: Final[Mapping[str, str]] = {
    "red": "#b3402f",
    "green": "#4d7c59",
    "grey": "#868c93",
    "cream": "#e6dcc4",
    "navy": "#24344f",
    "mustard": "#c99a2e",
    "black": "#2b2a2c",
    "teal": "#2f7f86",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoWatch:
    """What was made.

    Attributes:
        site: the shop's address, once `chopmark serve` runs.
        scan: number of the scan that waits for it, or was done.
    """

    site: str
    scan: str

    def told(self) -> dict[str, Any]:
        """For programs."""
        return {"marketplace": NAME, "shop": self.site, "scan": self.scan}


def finished(place: Path, by: Actor) -> DemoWatch | None:
    """What there is, once there is all of it."""
    settings = Settings.read(place / FOLDER)
    scans = [each.number for each in scans_of(by) if each.marketplace == NAME]
    if settings is None or not scans:
        return None
    return DemoWatch(site=settings.site, scan=scans[-1])


def make_watch(place: Path, right: str, by: Actor) -> DemoWatch:
    """The marketplace with all that belongs to it; publish afterwards.

    Args:
        right: number of the demo's verified mark.

    Raises:
        Refused: `site.no_free_ports`; what the actions raise.
    """
    if (there := finished(place, by)) is not None:
        return there
    at = clock.now()
    folder = place / FOLDER
    (folder / "pictures").mkdir(mode=0o700, parents=True, exist_ok=True)
    settings = Settings.read(folder) or _settled(folder, by, at)
    _registered(folder.parent, at)
    _seller(folder.parent, right, by, at)
    describe_mark(right, by=by, at=at, aliases=("青浪",), distinctiveness=700, near=True)
    adopt_default_rules(by=by, at=at, live=True)
    make_mark_set(at=at)
    _stock(settings)
    scan = start_scan(NewScan(marketplace=NAME), by=by, at=at)
    return DemoWatch(site=settings.site, scan=scan.number)


# ---- its parts -------------------------------------------------------------------------------------------------------


def _settled(folder: Path, by: Actor, at: datetime) -> Settings:
    """The marketplace with its keys; goods and pictures first, `market.json` last."""
    [port] = free_ports(1)
    draft = Settings(port=port, key="", secret="")
    _pictures(folder / "pictures")
    (folder / "items.jsonl").unlink(missing_ok=True)
    market = Market(folder, draft)
    goods = demo_goods.opening()
    opened = at.replace(microsecond=0) - OPENED
    for number, good in enumerate(goods):
        market.add(good, opened + number * (OPENED / len(goods)))
    new = NewMarketplace(
        name=NAME,
        title=TITLE,
        target=f"{draft.site}/measures",
        channels=(NAME,),
        automatic=True,
        two_persons=False,  # the demo has one account
    )
    if not any(each.name == NAME for each in marketplaces_of(by)):
        register_marketplace(new, by=by, at=at)
    else:  # of a run that was cut off: its port may be another's by now
        from chopmark.watch.actions.marketplace import change_marketplace  # noqa: PLC0415 (seldom)

        change_marketplace(new, by=by)
    key = create_api_key("Harbour Market (demo)", ("listings:write",), by=by, at=at)
    settings = replace(draft, key=key.text, secret=measure_key_of(by, NAME))
    settings.write(folder)
    return settings


def _registered(folder: Path, at: datetime) -> None:
    """An entry in the register for a mark that somebody may file while the shop is watched."""
    import json  # noqa: PLC0415 (only here)

    from chopmark.rights import encoding  # noqa: PLC0415 (the framework is set up)
    from chopmark.rights.record import Class, Designation, Mark, Party, Record, Text  # noqa: PLC0415

    path = folder / "office-EM-later.jsonl"
    if not path.is_file():
        record = Record(
            kind="trademark",
            office="EM",
            application_number=UNFILED_NUMBER,
            registration_number=UNFILED_NUMBER,
            mark=Mark(verbal=demo_goods.UNFILED, feature="word"),
            owners=(Party(name="Blue Wave Studio Ltd.", country="CN"),),
            classes=tuple(
                Class(scheme="nice", code=code, goods=(Text(text=goods, lang="en"),))
                for code, goods in (("18", "Handbags"), ("25", "Scarves"))
            ),
            designations=(Designation(territory="EU", status="registered"),),
            application_date=date(2025, 2, 3),
            registration_date=date(2025, 7, 14),
            expiry_date=date(2035, 2, 3),
            status="registered",
        )
        fetched = at.replace(hour=0, minute=0, second=0, microsecond=0)
        head = {"snapshot": 1, "office": "EM", "fetched_at": clock.to_text(fetched), "records": 1}
        lines = (json.dumps(each, ensure_ascii=False) for each in (head, encoding.encode(record)))
        path.write_text("\n".join(lines) + "\n", "utf-8")
    bring_in_office(path.read_bytes(), path.name, operator=Operator(), at=at)


def _seller(folder: Path, right: str, by: Actor, at: datetime) -> None:
    """A seller whom the marketplace knows by its organisation, and who may sell: named first, licensed then."""
    note = folder / "seller.txt"
    seller = open_account(
        SELLER_EMAIL, _password(note), name="Seller 卖家", organisation=SELLER_NAME, at=at
    ).actor.organisation_id
    others = folder / "others.txt"
    known = others.read_text("ascii").split() if others.is_file() else []
    if str(seller) not in known:
        others.write_text("".join(f"{each}\n" for each in (*known, seller)), "ascii")
    name_seller(
        NAME,
        demo_goods.LICENSED,
        by=by,
        at=at,
        name=SELLER_NAME,
        organisation=seller,
        joined_at=at - timedelta(days=900),
    )
    from chopmark.rights.queries.registry import right_of  # noqa: PLC0415 (the framework is set up)
    from chopmark.rights.record import Party  # noqa: PLC0415

    if any(each.organisation == str(seller) for each in right_of(by, right, at=at).right.interests):
        return
    new = NewInterest(
        party=Party(name=SELLER_NAME, country="DE"),
        role="authorised_seller",
        organisation=seller,
        territories=("DE", "FR"),
        classes=("25",),
        since=at.date(),
        until=date(at.year + 3, 1, 1),
    )
    license(right, new, by=by, at=at)


def _password(note: Path) -> str:
    """The seller's, noted as the demo account's is."""
    if note.is_file():
        return note.read_text("utf-8").splitlines()[1].removeprefix("password: ")
    password = secrets.token_urlsafe(12)
    descriptor = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"e-mail: {SELLER_EMAIL}\npassword: {password}\n")
    return password


def _stock(settings: Settings) -> None:
    """The marketplace's older goods as a file, as its own systems would lay it down for a scan."""
    from pyarrow import parquet  # noqa: PLC0415 (heavy; only who makes the demo)

    from chopmark.watch.engine.schema import table_of  # noqa: PLC0415 (the same)
    from chopmark.watch.listing import clean  # noqa: PLC0415 (the same)
    from chopmark.watch.reading import classes_of  # noqa: PLC0415 (the same)

    folder = stock_of(NAME)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "stock.parquet"
    if path.is_file():
        return
    opened = clock.now().replace(microsecond=0) - OPENED
    said = (good.listing(settings.site, opened) for good in demo_goods.stock(STOCK))
    gone = ("url", "pictures")  # the shop serves the goods of its feed alone, and a scan fetches nothing
    table = table_of(
        clean({name: each[name] for name in each if name not in gone}, marketplace=NAME, classes_of=classes_of)
        for each in said
    )
    draft = path.with_suffix(".new")
    parquet.write_table(table, draft)
    draft.replace(path)


def _pictures(folder: Path) -> None:
    """Drawn from numbers; the copy is that of the demo's search."""
    for name, shape in demo_goods.pictures().items():
        (folder / name).write_bytes(_drawn(shape, demo_goods.colour_of(name)))
    (folder / demo_goods.COPY).write_bytes(demo_media.copied_picture())


def _drawn(shape: str, colour: str) -> bytes:
    """A thing on a pale table, as a JPEG of 480 x 360."""
    from PIL import Image, ImageDraw  # noqa: PLC0415 (only who makes the demo)

    image = Image.new("RGB", (480, 360), "#f1efe9")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 250, 480, 360), fill="#d9d0bf")
    ink = _DRAWN[colour]
    match shape:
        case "scarf":
            draw.polygon([(120, 80), (350, 60), (380, 150), (150, 180)], fill=ink)
            draw.polygon([(180, 170), (250, 160), (270, 320), (200, 330)], fill=ink, outline="#ffffff")
        case "bag":
            draw.arc((170, 60, 310, 220), 180, 360, fill=ink, width=14)
            draw.polygon([(130, 140), (350, 140), (375, 310), (105, 310)], fill=ink)
        case "cover":
            draw.rounded_rectangle((100, 110, 380, 290), 40, fill=ink, outline="#ffffff", width=6)
        case "mug":
            draw.ellipse((300, 150, 380, 250), outline=ink, width=18)
            draw.rounded_rectangle((150, 120, 320, 300), 18, fill=ink)
        case "lamp":
            draw.polygon([(190, 60), (290, 60), (340, 160), (140, 160)], fill=ink)
            draw.rectangle((234, 160, 246, 300), fill="#5d6b74")
            draw.ellipse((180, 285, 300, 320), fill="#5d6b74")
        case _:
            draw.line((110, 270, 360, 110), fill=ink, width=26)
            draw.polygon([(84, 290), (112, 250), (126, 272)], fill="#5d6b74")
    data = io.BytesIO()
    image.save(data, "JPEG", quality=85)
    return data.getvalue()
