"""Plain names: how many of the names that stand in a title mean their mark, and which share of brands is kept.

60,000 real names are marks. A hit is right when its name is the brand of the goods, as the shop says. Titles are of
five shops, with the brand moved to a place by chance. Half of the titles, by their digest, is trusted: distinctiveness
is learned from it, and the rights cover the classes of what it offers. The other half is measured.

The card (`watch.text.meaning`) is fitted on half of the brands, by their digest, in two of the shops (Walmart, Buy),
and on pairs with Amazon for the brand field; figures are of the other half of the brands, in these shops and in others.
`brand field elsewhere`: the brand field is the one that another shop has for the same goods, since a shop's own says
what is asked. `untaught`: nothing was learned, distinctiveness is by the dictionary alone. Last come
Chinese titles.

Run: ./run bench watch_meaning [--json] [--write]      (--write writes src/chopmark/watch/text/data/meaning.toml)
Titles and names are reference data (CHOPMARK_DATA).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "tests" / "watch"))

import shops  # noqa: E402 (the path is set only now)

from chopmark.watch.found import TextHit  # noqa: E402 (the same)
from chopmark.watch.marks import Mark, MarkSet, mark_set  # noqa: E402 (the same)
from chopmark.watch.text import learn, meaning  # noqa: E402 (the same)
from chopmark.watch.text.canon import words  # noqa: E402 (the same)
from chopmark.watch.text.context import classes_of  # noqa: E402 (the same)
from chopmark.watch.text.matcher import TextMatcher  # noqa: E402 (the same)

NAMES = 60_000
FIT_SHOPS = frozenset({"walmart", "buy"})
PAIRED = frozenset({"walmart", "amazon"})
RECALLS = (0.90, 0.95, 0.98, 0.99)
PULL = 1.0
HAN = re.compile(r"[\u4e00-\u9fff]{2,6}")
HEAD = """# The card of `meaning`: thousandths of log-odds. Written by benchmarks/watch_meaning.py --write; it says how.
# Fitted by logistic regression on {hits} hits in {titles} titles of half of the brands of two catalogues (products of
# Walmart and Buy in the research sets Walmart-Amazon and Abt-Buy); none of their text is kept here.
"""
Line = dict[str, object]


@dataclass(frozen=True, slots=True)
class Row:
    """A hit: which title, what of the card holds, whether it is right, how surely it was said to mean its mark."""

    title: int
    terms: tuple[str, ...]
    right: bool


def main() -> None:
    """Print a table, or one JSON object a line."""
    for line in measure(write="--write" in sys.argv[1:]):
        if "--json" in sys.argv[1:]:
            print(json.dumps(line, ensure_ascii=False), flush=True)
        else:
            print("{name:60} {value:>8} {unit}".format(**line), flush=True)


def measure(*, write: bool) -> Iterator[Line]:
    """All figures."""
    root = Path(os.environ.get("CHOPMARK_DATA", REPOSITORY.parent / "shared" / "data"))
    plain = shops.offers(root)
    trusted = [each for each in plain if shops.is_trusted(each)]
    tested = [each for each in plain if not shops.is_trusted(each)]
    matcher, taught, untaught = _marks(root, plain, trusted)
    moved = [shops.shuffled(each) for each in tested]
    hits = _found(matcher, [each.text for each in moved])
    if write:
        yield from _fit(moved, hits, taught)
    base, weights = meaning.card()

    def lines(name: str, marks: MarkSet, chosen: Callable[[shops.Offer], bool], field: str = "") -> Iterator[Line]:
        rows = list(_rows(moved, hits, marks, chosen, field=field))
        yield from _curve(name, rows, [base + sum(weights[each] for each in row.terms) for row in rows])

    def new(each: shops.Offer) -> bool:
        return not _is_fitted(each.brand)

    every = list(_rows(moved, hits, taught, new))
    yield _line("all hits, before anything", sum(row.right for row in every) / len(every), "precision")
    yield from lines("two shops of the fit, other brands", taught, lambda each: new(each) and each.shop in FIT_SHOPS)
    yield from lines("other shops, other brands", taught, lambda each: new(each) and each.shop not in FIT_SHOPS)
    for shop in ("walmart", "buy", "amazon", "flipkart", "software"):
        yield from lines(f"  {shop}", taught, lambda each, shop=shop: new(each) and each.shop == shop)  # type: ignore[misc]  # mypy does not type defaults of lambdas
    yield from lines("untaught, all shops", untaught, new)
    pairs = _has_pair(new)
    yield from lines("pairs, title and class alone", taught, pairs)
    yield from lines("pairs, brand field elsewhere", taught, pairs, "elsewhere")
    yield from lines("pairs, brand field elsewhere, untaught", untaught, pairs, "elsewhere")
    yield from lines("all, the shop's own brand field (says what is asked)", taught, new, "own")
    hits = _found(matcher, [each.text for each in tested])
    moved = tested
    yield from lines("titles as they are, all shops", taught, new)
    yield from _chinese(root)


def _chinese(root: Path) -> Iterator[Line]:
    """Titles of Taobao in which people labelled the brands; marks are these and all Chinese names of the lists.

    No class and no brand field is known of them, and no weight of the card was fitted on any.
    """
    offers = [shops.Offer("taobao", text, " ".join(brands), "") for text, brands in shops.chinese(root) if brands]
    han = [name for name, _ in shops.brands(root) if HAN.fullmatch(name)]
    labelled = [brand for _, brands in shops.chinese(root) for brand in brands]
    names = {words(each): each for each in (*han, *labelled) if words(each)}
    bare = mark_set(
        Mark(id=0, right=f"{at:08}", number=f"R-2026-{at:06}", organisation=str(at), text=name)
        for at, name in enumerate(names.values())
    )
    matcher = TextMatcher(bare, fast=True)
    said = learn.distinctiveness(matcher, [(each.text, each.brand) for each in offers if shops.is_trusted(each)])
    taught = mark_set(replace(each, distinctiveness=said[each.id]) for each in bare.marks)
    untaught = mark_set(
        replace(each, distinctiveness=learn.prior(each.text, matcher.vocabulary)) for each in bare.marks
    )
    tested = [each for each in offers if not shops.is_trusted(each)]
    hits = _found(matcher, [each.text for each in tested])
    base, weights = meaning.card()
    for how, marks in (("taught", taught), ("untaught", untaught)):
        rows = list(_rows(tested, hits, marks, lambda _: True))
        points = [base + sum(weights[each] for each in row.terms) for row in rows]
        yield _line(f"Chinese, {how}: all hits", sum(row.right for row in rows) / len(rows), "precision")
        yield from _curve(f"Chinese, {how}", rows, points)


def _has_pair(chosen: Callable[[shops.Offer], bool]) -> Callable[[shops.Offer], bool]:
    return lambda each: chosen(each) and bool(each.elsewhere)


def _is_fitted(brand: str) -> bool:
    return hashlib.sha256(words(brand).encode()).digest()[0] % 2 == 0


def _marks(
    root: Path, plain: Sequence[shops.Offer], trusted: Sequence[shops.Offer]
) -> tuple[TextMatcher, MarkSet, MarkSet]:
    """A matcher of all names, and the same marks with distinctiveness learned and not."""
    classes: dict[str, set[str]] = defaultdict(set)
    for name, about in shops.brands(root):
        classes[words(name)].update(classes_of(about))
    for each in trusted:
        classes[words(each.brand)].update(classes_of(each.category))
    real = [name for name, _ in shops.brands(root)]
    chosen = [*(each.brand for each in plain), *shops.sample(7, real, NAMES)]
    names = {words(name): name for name in reversed(chosen) if words(name)}
    bare = mark_set(
        Mark(
            id=0,
            right=f"{at:08}",
            number=f"R-2026-{at:06}",
            organisation=str(at),
            text=name,
            classes=tuple(sorted(classes[plain_name])),
        )
        for at, (plain_name, name) in enumerate(names.items())
    )
    matcher = TextMatcher(bare, fast=True)
    said = learn.distinctiveness(matcher, [(each.text, each.brand) for each in trusted])
    taught = mark_set(replace(each, distinctiveness=said[each.id]) for each in bare.marks)
    untaught = mark_set(
        replace(each, distinctiveness=learn.prior(each.text, matcher.vocabulary)) for each in bare.marks
    )
    return matcher, taught, untaught


def _found(matcher: TextMatcher, texts: Sequence[str]) -> list[list[TextHit]]:
    found: list[list[TextHit]] = [[] for _ in texts]
    for row, hit in matcher.hits(matcher.find_many(texts)):
        found[row].append(hit)
    return found


def _rows(
    offers: Sequence[shops.Offer],
    hits: Sequence[Sequence[TextHit]],
    marks: MarkSet,
    chosen: Callable[[shops.Offer], bool],
    *,
    field: str = "",
) -> Iterator[Row]:
    for at, (offer, found) in enumerate(zip(offers, hits, strict=True)):
        if chosen(offer):
            brand = {"": "", "own": offer.brand, "elsewhere": offer.elsewhere}[field]
            classes = classes_of(offer.category)
            around = meaning.surroundings(found, marks.marks, title=offer.text, brand=brand, classes=classes)
            for hit, each in zip(found, around, strict=True):
                name, whose = words(hit.term), words(offer.brand)
                right = name == whose if each.is_part else learn.is_of(name, whose)
                yield Row(at, meaning.terms(hit, each), right)


def _fit(offers: Sequence[shops.Offer], hits: Sequence[Sequence[TextHit]], marks: MarkSet) -> Iterator[Line]:
    """Logistic regression over the terms, and the data file."""
    rows = [
        *_rows(offers, hits, marks, lambda each: _is_fitted(each.brand) and each.shop in FIT_SHOPS),
        *_rows(
            offers,
            hits,
            marks,
            lambda each: _is_fitted(each.brand) and each.shop in PAIRED and bool(each.elsewhere),
            field="elsewhere",
        ),
    ]
    matrix = np.array([[1, *(name in row.terms for name in meaning.TERMS)] for row in rows], dtype=np.float64)
    wanted = np.array([row.right for row in rows], dtype=np.float64)

    def loss(weights: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[float, object]:
        odds = matrix @ weights
        value = np.logaddexp(0, odds).sum() - wanted @ odds + PULL / 2 * (weights @ weights)
        return float(value), matrix.T @ (1 / (1 + np.exp(-odds)) - wanted) + PULL * weights

    lowering = {name for _, name in meaning.BANDS}  # who is less distinctive is not surer for it
    limits = [(None, None), *((None, 0.0 if name in lowering else None) for name in meaning.TERMS)]
    found = minimize(loss, np.zeros(matrix.shape[1]), jac=True, method="L-BFGS-B", bounds=limits)
    base, *weights = (round(1000 * float(each)) for each in found.x)
    place = Path(meaning.__file__).parent / "data" / "meaning.toml"
    head = HEAD.format(hits=len(rows), titles=len({row.title for row in rows}))
    lines = "".join(f'"{name}" = {given}\n' for name, given in zip(meaning.TERMS, weights, strict=True))
    place.write_text(f"{head}\nbase = {base}\n\n[terms]\n{lines}", "utf-8")
    meaning.card.cache_clear()
    yield _line("hits that the card was fitted on", len(rows), "hits")


def _curve(name: str, rows: Sequence[Row], points: Sequence[int]) -> Iterator[Line]:
    """Precision at some recalls: of titles, those one of whose right hits is kept."""
    best: dict[int, int] = {}
    for row, given in zip(rows, points, strict=True):
        best[row.title] = max(best.get(row.title, -(10**9)), given) if row.right else best.get(row.title, -(10**9))
    order = sorted(best.values())
    said = []
    for recall in RECALLS:
        least = order[min(int((1 - recall) * len(order)), len(order) - 1)]
        kept = [row.right for row, given in zip(rows, points, strict=True) if given >= least]
        said.append((recall, sum(kept) / len(kept), meaning.share(least)))
    shown = f"{name} ({len(best)} titles)"
    for recall, precision, least in said:
        yield _line(f"{shown}: recall {recall:.2f}", precision, f"precision (meant >= {least})")
    kept = [row for row, given in zip(rows, points, strict=True) if meaning.share(given) >= meaning.LEAST]
    recall = len({row.title for row in kept if row.right}) / len(best)
    precision = sum(row.right for row in kept) / max(1, len(kept))
    yield _line(f"{shown}: meant >= {meaning.LEAST}", precision, f"precision at recall {recall:.3f}")


def _line(name: str, value: float, unit: str) -> Line:
    return {"name": name, "value": round(value, 3), "unit": unit, "peer": "", "peer_value": None, "ratio": None}


if __name__ == "__main__":
    main()
