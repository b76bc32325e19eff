"""Titles and marks of the shared data, for tests and benchmarks of `watch.text`: what is true of each is known.

A half of the titles, by their digest, is trusted (distinctiveness is learned from it); the other half
is what is measured.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from chopmark.watch.marks import Mark, MarkSet, mark_set
from chopmark.watch.text.canon import words
from chopmark.watch.text.context import is_brand


@dataclass(frozen=True, slots=True)
class Title:
    """A title, the brand whose goods it offers, and the shop's category."""

    text: str
    brand: str
    category: str


@cache
def titles(root: Path) -> tuple[Title, ...]:
    """Of Walmart, Flipkart and Buy: those that have a brand, and name it in the title."""
    found: list[Title] = []
    with (root / "products-walmart/data/walmart_products.csv").open(encoding="utf-8", newline="") as file:
        found += [Title(row["title"], row["brand"], row["category"]) for row in csv.DictReader(file)]
    with (root / "products-walmart/data/Buy.csv").open(encoding="latin-1", newline="") as file:
        found += [Title(row["name"], row["manufacturer"], "electronics") for row in csv.DictReader(file)]
    with (root / "products-flipkart1k/products.json").open(encoding="utf-8") as file:
        found += [Title(row["name"], row["brand"], row["category"]) for row in json.load(file)]
    unique = {each.text: each for each in found if each.brand and is_in(each.brand, each.text)}
    return tuple(unique.values())


@dataclass(frozen=True, slots=True)
class Offer:
    """A title, its brand and category in one shop, and the brand that another shop says of the same goods.

    Attributes:
        shop: walmart, buy, flipkart, amazon or software. elsewhere: empty where no other shop has it.
    """

    shop: str
    text: str
    brand: str
    category: str
    elsewhere: str = ""


@cache
def offers(root: Path) -> tuple[Offer, ...]:
    """Of five shops, those whose brand is known and stands in the title; each title once a shop."""
    magellan = root / "products-magellan/data/er_magellan/Structured"
    found: list[Offer] = []
    for left, right, same in _pairs(magellan / "Walmart-Amazon"):
        found.append(_offer("walmart", left, right["brand"] if same else ""))
        found.append(_offer("amazon", right, left["brand"] if same else ""))
    found += [
        Offer("software", side["title"], side["manufacturer"], "computer software")
        for left, right, _ in _pairs(magellan / "Amazon-Google")
        for side in (left, right)
    ]
    with (root / "products-walmart/data/walmart_products.csv").open(encoding="utf-8", newline="") as file:
        found += [Offer("walmart", row["title"], row["brand"], row["category"]) for row in csv.DictReader(file)]
    with (root / "products-walmart/data/Buy.csv").open(encoding="latin-1", newline="") as file:
        found += [Offer("buy", row["name"], row["manufacturer"], "electronics") for row in csv.DictReader(file)]
    with (root / "products-flipkart1k/products.json").open(encoding="utf-8") as file:
        found += [Offer("flipkart", row["name"], row["brand"], row["category"]) for row in json.load(file)]
    once: dict[tuple[str, str], Offer] = {}
    for each in found:
        if is_brand(each.brand) and is_in(each.brand, each.text):
            key = each.shop, " ".join(sorted(words(each.text).split()))
            if key not in once or (each.elsewhere and not once[key].elsewhere):
                once[key] = each
    return tuple(once.values())


def _offer(shop: str, said: Mapping[str, str], elsewhere: str) -> Offer:
    return Offer(shop, said["title"], said["brand"], said["category"], elsewhere)


def _pairs(folder: Path) -> Iterator[tuple[Mapping[str, str], Mapping[str, str], bool]]:
    """Of the two shops each pair of records, and whether people said that they are the same goods."""
    for name in ("train.txt", "test.txt"):
        for line in (folder / name).read_text("utf-8").splitlines():
            left, right, same = line.split("\t")
            yield _record(left), _record(right), same == "1"


def _record(text: str) -> Mapping[str, str]:
    """Of `COL title VAL … COL brand VAL …`."""
    parts = (each.partition(" VAL ") for each in re.split(r"(?:^|\s)COL ", text) if " VAL" in each)
    return defaultdict(str, ((name.strip(), value.strip()) for name, _, value in parts))


def shuffled(offer: Offer) -> Offer:
    """The same with the brand at another place of the title, by chance: catalogues put it first, others need not."""
    pattern = rf"(?<!\w){re.escape(offer.brand)}(?!\w)"
    found = re.search(pattern, offer.text, re.IGNORECASE)
    if found is None:
        return offer
    rest = (offer.text[: found.start()] + " " + offer.text[found.end() :]).split()
    at = random.Random(offer.text).randint(0, len(rest))  # noqa: S311 (the same place in each run)
    return replace(offer, text=" ".join([*rest[:at], found.group(), *rest[at:]]))


def is_in(name: str, text: str) -> bool:
    """Whether a name stands in a text, as words."""
    return bool(words(name)) and f" {words(name)} " in f" {words(text)} "


def is_trusted(title: Title | Offer) -> bool:
    """Whether it is of the half that is learned from."""
    return hashlib.sha256(title.text.encode()).digest()[0] % 2 == 0


@cache
def brands(root: Path) -> tuple[tuple[str, str], ...]:
    """79,000 real names with what they are about."""
    with gzip.open(root / "brands-amazon/list-of-brands.json.gz") as file:
        found: dict[str, str] = {name: about for name, about, _ in json.load(file)}
    with gzip.open(root / "brands-nsi/nsi.min.json.gz") as file:
        for path, about in json.load(file)["nsi"].items():
            for each in about["items"]:
                found.setdefault(each["displayName"], path)
    return tuple((name, about) for name, about in found.items() if 1 < len(name.strip()) <= 100)


def marks_of(names: Sequence[str], *, near: bool = False, ordinary: frozenset[str] = frozenset()) -> MarkSet:
    """A set of these names, each once, in whatever case."""
    once = {words(name): name for name in reversed(names) if words(name)}
    return mark_set(
        Mark(
            id=0,
            right=f"{at:08}",
            number=f"R-2026-{at:06}",
            organisation="o",
            text=name,
            near=near,
            distinctiveness=250 if words(name) in ordinary else 1000,
        )
        for at, name in enumerate(once.values())
    )


def sample(seed: int, names: Sequence[str], count: int) -> list[str]:
    """Names by chance, the same in each run."""
    return random.Random(seed).sample(names, min(count, len(names)))  # noqa: S311 (the same names in each run)


def invented(seed: random.Random, count: int) -> list[str]:
    """Names that nobody has, to fill a set up."""
    parts = (
        "ka",
        "lo",
        "mi",
        "ra",
        "ten",
        "vor",
        "xi",
        "pel",
        "dun",
        "sha",
        "ty",
        "bo",
        "gre",
        "nu",
        "fil",
        "zan",
        "qua",
    )
    return [
        "".join(seed.choices(parts, k=seed.randint(2, 4))) + seed.choice(["", " tech", " home"]) for _ in range(count)
    ]


@cache
def chinese(root: Path) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Titles of Taobao with the brands in them, as people labelled them."""
    found: list[tuple[str, tuple[str, ...]]] = []
    for name in ("dev", "train"):
        text = (root / f"zh-taobao-ner/data/ecommerce/{name}.txt").read_text("utf-8")
        for block in re.split(r"\n\s*\n", text):
            pairs = [line.rsplit(" ", 1) for line in block.split("\n") if " " in line]
            letters = "".join(each[0] for each in pairs)
            labels = "".join(("B" if tag == "B-HPPX" else "I" if tag == "I-HPPX" else "O") for _, tag in pairs)
            if letters and len(letters) == len(labels):
                found.append((letters, tuple(letters[at.start() : at.end()] for at in re.finditer("BI*", labels))))
    return tuple(found)
