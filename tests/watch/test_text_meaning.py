"""Whether a name means its mark: each sign counts as it should, nothing is learned from repeating, the aim is met."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from watch import shops
from world.data import shared_data

from chopmark.watch import features
from chopmark.watch.found import TextHit
from chopmark.watch.judge import Decided, Judge
from chopmark.watch.listing import clean
from chopmark.watch.marks import COMMON, Mark, mark_set
from chopmark.watch.reading import Words
from chopmark.watch.rules import rule as rules
from chopmark.watch.score import default_card
from chopmark.watch.text import learn
from chopmark.watch.text.canon import words
from chopmark.watch.text.context import classes_of
from chopmark.watch.text.matcher import TextMatcher
from chopmark.watch.text.meaning import BANDS, LEAST, SURE, TERMS, card, points, share, surroundings, terms, weighed

KNOWN = {"Zorby": 990, "Canvas": 200, "Vexil": 900, "Canvas Point": 500, "HPX": 400, "苹果": 200, "Duo 3": 700}
MARKS = mark_set(
    Mark(
        id=0,
        right=name,
        number=name,
        organisation=name,
        text=name,
        classes=("25",),
        distinctiveness=said,
        well_known=name == "Vexil",
    )
    for name, said in KNOWN.items()
)
MATCHER = TextMatcher(MARKS)


def _meant(title: str, brand: str = "", classes: tuple[str, ...] = ()) -> dict[str, int]:
    hits = MATCHER.find(title, brand)
    found = weighed(hits, MARKS.marks, title=title, brand=brand, classes=classes)
    assert [replace(each, meant=1000) for each in found] == list(hits)
    return {each.term: each.meant for each in found if each.field == "title"}


SURER = {
    "a distinctive name than a common one": (("Zorby bag",), "Zorby", ("canvas bag",), "Canvas"),
    "a name in its class than out of it": (("vexil bag", "", ("25",)), "Vexil", ("vexil bag",), "Vexil"),
    "a name of an unknown class than of another": (("zorby bag",), "Zorby", ("zorby bag", "", ("9",)), "Zorby"),
    "a name that the brand field says": (("canvas bag", "Canvas"), "Canvas", ("canvas bag",), "Canvas"),
    "no brand field than another brand": (("canvas bag",), "Canvas", ("canvas bag", "Acme"), "Canvas"),
    "no brand field as one that says none": (("canvas bag",), "Canvas", ("canvas bag", "Acme"), "Canvas"),
    "a common name alone than beside a mark": (("canvas bag",), "Canvas", ("canvas bag Zorby",), "Canvas"),
    "a name than what goods are for": (("zorby bag",), "Zorby", ("bag for zorby",), "Zorby"),
    "capitals than small letters among them": (("Big Canvas bag",), "Canvas", ("Big canvas bag",), "Canvas"),
    "a name than a part of another": (("canvas bag",), "Canvas", ("canvas point bag",), "Canvas"),
    "a long name than three letters": (("Vexil bag",), "Vexil", ("HPX bag",), "HPX"),
}


@pytest.mark.parametrize(("one", "name", "other", "less"), SURER.values(), ids=SURER.keys())
def test_it_is_surer(one, name, other, less):
    assert _meant(*one)[name] > _meant(*other)[less]


def test_a_field_that_says_no_brand_says_nothing():
    assert _meant("canvas bag", "Unbranded") == _meant("canvas bag") == _meant("canvas bag", "无品牌")


def test_a_well_known_mark_is_meant_in_every_class():
    assert _meant("vexil bag", "", ("9",)) == _meant("vexil bag")


def test_names_of_the_same_holder_are_no_rivals():
    ours = mark_set(replace(each, organisation="one") for each in MARKS.marks)
    title = "canvas point bag zorby"
    alone = weighed(MATCHER.find("canvas bag"), ours.marks, title="canvas bag")[0].meant
    assert [each.meant for each in weighed(MATCHER.find(title), ours.marks, title=title) if each.term == "Canvas"] == [
        alone
    ]


def test_nothing_beside_a_sure_mark_lowers_it():
    """Who hides a known mark among other names gains nothing."""
    alone = _meant("Zorby bag")["Zorby"]
    for title in ("Zorby Vexil bag", "Canvas Zorby Vexil HPX bag", "Zorby " + "Vexil " * 50):
        assert _meant(title)["Zorby"] == alone


def test_a_disguise_is_meant():
    [hit] = weighed(MATCHER.find("z0rby bag"), MARKS.marks, title="z0rby bag")
    assert (hit.view, hit.meant) == ("folded", 1000)


def test_each_field_is_weighed_by_its_own_text():
    found = weighed(MATCHER.find("canvas bag", "Canvas", "Big Canvas"), MARKS.marks, title="canvas bag", brand="Canvas")
    assert [each.field for each in found] == ["title", "brand", "description"]


def test_the_card_knows_every_term_and_a_sum_can_be_added_up():
    base, weights = card()
    assert set(weights) == set(TERMS)
    assert all(weights[name] for name in TERMS if name != "unknown")
    title = "Big canvas bag for Zorby"
    hits = MATCHER.find(title)
    for hit, around in zip(hits, surroundings(hits, MARKS.marks, title=title), strict=True):
        holding = terms(hit, around)
        assert points(holding) == base + sum(weights[each] for each in holding)
        assert weighed([hit], MARKS.marks, title=title)[0].meant <= 1000
    assert [share(given) for given in (-(10**9), 0, 10**9)] == [0, 500, 1000]


def test_less_distinctive_is_never_surer():
    base, weights = card()
    by_band = [weights[name] for _, name in BANDS]
    assert by_band == sorted(by_band)
    assert by_band[-1] <= 0 < base


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([*KNOWN, "bag", "for", "canvas", "ZORBY", "z0rby", "的"]), max_size=8),
    st.sampled_from(["", "Acme", "Canvas", "n/a"]),
    st.sampled_from([(), ("25",), ("9",)]),
)
def test_every_hit_stays_in_its_order_with_a_share(row, brand, classes):
    title = " ".join(row)
    hits = MATCHER.find(title, brand)
    found = weighed(hits, {each.id: each for each in MARKS.marks}, title=title, brand=brand, classes=classes)
    assert [replace(each, meant=1000) for each in found] == list(hits)
    assert all(0 <= each.meant <= 1000 for each in found)
    assert all(each.meant == _naive(each, found, title, brand, classes) for each in found)


def _naive(hit: TextHit, hits: tuple[TextHit, ...], title: str, brand: str, classes: tuple[str, ...]) -> int:
    """The same, sign by sign, in another way."""
    if hit.view not in ("exact", "simplified"):
        return 1000
    base, weights = card()
    mark = MARKS.marks[hit.mark]
    said, total = mark.distinctiveness, base
    for low, high, name in zip((0, 60, 150, 300, 600), (60, 150, 300, 600, 950), TERMS[:5], strict=True):
        total += weights[name] * (low <= said < high)
    beside = [
        each
        for each in hits
        if each.field == hit.field and each.mark != hit.mark and each.view in ("exact", "simplified")
    ]
    surest = max(
        (
            KNOWN[each.term]
            for each in beside
            if not each.descriptive
            and not set(range(each.start, each.end)) & set(range(hit.start, hit.end))
            and each.term not in {"HPX", "苹果"}
        ),
        default=0,
    )
    total += weights["rival"] * (said < 600 <= surest) + weights["surer rival"] * (600 <= said < SURE <= surest)
    total += weights["part of another"] * (hit.term == "Canvas" and any(_inside(hit, each) for each in beside))
    total += weights["three letters"] * (hit.term == "HPX") + weights["digit"] * (hit.term == "Duo 3")
    total += weights["several words"] * (hit.term in {"Duo 3", "Canvas Point"})
    total += weights["class fits"] * (classes == ("25",))
    total += weights["class other"] * (classes == ("9",) and hit.term != "Vexil")
    total += weights["descriptive"] * hit.descriptive
    text = title if hit.field == "title" else brand
    small = text[hit.start : hit.end]
    mixed = any(each[:1].isupper() for each in text.split()) and any(
        each[:1].isalpha() and not each[:1].isupper() for each in text.split()
    )
    total += weights["small letters"] * (small == small.lower() != small.upper() and mixed)
    named = hit.term == "Canvas" and brand == "Canvas"
    total += weights["brand field"] * named + weights["brand other"] * (brand in {"Acme", "Canvas"} and not named)
    return share(total)


def _inside(hit: TextHit, other: TextHit) -> bool:
    return set(range(hit.start, hit.end)) < set(range(other.start, other.end))


def _row(title: str, brand: str = "") -> dict[str, dict[str, object]]:
    """What rules see of each right."""
    listing = clean(
        {"item": "1", "seller": "s", "title": title, "brand": brand}, marketplace="demo", classes_of=classes_of
    )
    judge = Judge(MARKS, text=MATCHER, decide=lambda _: Decided(measure="none"), reading=Words())
    return {each.right: dict(each.row) for each in judge(listing)}


def test_rules_and_score_see_what_a_name_means():
    beside, alone = _row("canvas bag Zorby"), _row("canvas bag")
    assert beside["Canvas"]["meant"] == _meant("canvas bag Zorby")["Canvas"] < LEAST
    assert beside["Canvas"]["meant"] < alone["Canvas"]["meant"] < beside["Zorby"]["meant"]
    assert features.ROW["meant"] == 1000
    rows = [{**beside["Zorby"], "meant": meant, "class_fits": True} for meant in (200, 900)]
    unsure, sure = (default_card().scored(features.row(row)).points for row in rows)
    assert unsure < sure
    kept = {each.id for each in rules.default().rules if "meant" in each.condition.columns}
    assert kept == {"far-too-cheap", "known-seller", "new-seller-plain-name"}


def test_the_surest_of_several_places_speaks_for_the_mark():
    assert _row("canvas point, canvas")["Canvas"]["position"] == 2


PRIORS = {
    "a word of the dictionary": ("lantern", 250),
    "a word of shops": ("usb hdmi", 100),
    "several words": ("red lantern", 500),
    "a code": ("dsc", 400),
    "digits": ("501", 400),
    "an invented name": ("Willowbrookx", 900),
    "a Chinese name": ("耐克", 900),
    "nothing": ("!", 400),
}


@pytest.mark.parametrize(("name", "said"), PRIORS.values(), ids=PRIORS.keys())
def test_a_name_begins_with_what_a_dictionary_says(name, said):
    assert learn.prior(name, MATCHER.vocabulary) == said


def test_what_is_scanned_however_often_lowers_no_mark():
    """Poisoning: only titles that a person trusts teach, and of these each brand counts once."""
    flood = ["cheap Vexil case", "Vexil vexil vexil", "for Vexil"] * 2_000
    before = learn.distinctiveness(MATCHER, [("Vexil bag", "Vexil")])
    MATCHER.find_many(flood)
    weighed(MATCHER.find(flood[1]), MARKS.marks, title=flood[1])
    assert learn.distinctiveness(MATCHER, [("Vexil bag", "Vexil")]) == before
    once = learn.distinctiveness(MATCHER, [("Vexil bag", "Vexil"), ("Vexil case", "Acme")])
    often = learn.distinctiveness(MATCHER, [("Vexil bag", "Vexil")] + [(each, "Acme") for each in flood])
    assert often == once
    assert min(each for each in once.values()) >= 100


def test_words_for_something_and_parts_of_longer_names_teach_nothing():
    titles = [(f"case for Vexil {at}", f"Brand{at}") for at in range(20)]
    titles += [(f"Canvas Point shelf {at}", "Canvas Point") for at in range(3)]
    said = {MARKS.marks[at].text: given for at, given in learn.distinctiveness(MATCHER, titles).items()}
    assert said["Vexil"] == learn.UNKNOWN
    assert said["Canvas"] == learn.prior("Canvas", MATCHER.vocabulary)
    assert said["Canvas Point"] > said["Canvas"]


def test_plain_names_mean_their_brand_on_real_titles_as_often_as_is_asked():
    """0.95 of what is kept, 0.99 of brands kept: brands that the card was not fitted on, 6,000 names, moved brands."""
    root = shared_data("products-walmart").parent
    plain = shops.offers(root)
    seed = random.Random(3)  # noqa: S311 (the same titles in each run)
    trusted = [each for each in plain if shops.is_trusted(each)]
    tested = [each for each in plain if not shops.is_trusted(each) and each.shop in {"walmart", "buy"}]
    tested = [shops.shuffled(each) for each in seed.sample(tested, 600)]
    fill = shops.sample(7, [name for name, _ in shops.brands(root)], 6_000)
    bare = shops.marks_of([*(each.brand for each in plain), *fill])
    classes: dict[str, set[str]] = {}
    for each in trusted:
        classes.setdefault(words(each.brand), set()).update(classes_of(each.category))
    about = dict(shops.brands(root))
    for mark in bare.marks:
        classes.setdefault(words(mark.text), set()).update(classes_of(about.get(mark.text, "")))
    matcher = TextMatcher(bare, fast=True)
    said = learn.distinctiveness(matcher, [(each.text, each.brand) for each in trusted])
    marks = [
        replace(
            each,
            organisation=each.right,
            distinctiveness=said[each.id],
            classes=tuple(sorted(classes.get(words(each.text), ()))),
        )
        for each in bare.marks
    ]
    hits: list[list[TextHit]] = [[] for _ in tested]
    for row, hit in matcher.hits(matcher.find_many([each.text for each in tested])):
        hits[row].append(hit)
    kept, right, named = 0, 0, 0
    for offer, found in zip(tested, hits, strict=True):
        meant = weighed(found, marks, title=offer.text, classes=classes_of(offer.category))
        of_brand = [learn.is_of(words(each.term), words(offer.brand)) for each in meant if each.meant >= LEAST]
        kept, right, named = kept + len(of_brand), right + sum(of_brand), named + any(of_brand)
    assert right / kept >= 0.95
    assert named / len(tested) >= 0.98
    assert COMMON < SURE
