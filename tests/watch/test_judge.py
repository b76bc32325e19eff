"""Listings become verdicts, many at once as one by one; what a row says of names and pictures."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date

import pytest

from chopmark.watch import judge as judging
from chopmark.watch.deciding import deciding
from chopmark.watch.found import PictureHit
from chopmark.watch.judge import Decided, Judge, Signals, Work, found_in
from chopmark.watch.listing import clean
from chopmark.watch.marks import Grant, Mark, mark_set
from chopmark.watch.reading import Words
from chopmark.watch.rules.rule import default, in_state, rule_set
from chopmark.watch.score import default_card
from chopmark.watch.text.learn import UNKNOWN, distinctiveness
from chopmark.watch.text.matcher import TextMatcher

ORGANISATION = "11111111-1111-4111-8111-111111111111"
NAMES = ["Nike", "Hermès", "耐克", "Willowbrook", "New Balance", "3M"]
WORDS = [
    "shoes",
    "genuine",
    "n1ke",
    "NIKE",
    "hermes",
    "耐剋 跑鞋",
    "willow brook",
    "for 3M",
    "N.I.K.E",
    "1:1",
    "bag",
    "",
]


@pytest.fixture(scope="module")
def matcher():
    return TextMatcher(
        mark_set(
            Mark(id=0, right=f"r{at}", number=f"R-{at}", organisation=ORGANISATION, text=name, near=True)
            for at, name in enumerate(NAMES)
        )
    )


def made(matcher, **more):
    return Judge(matcher.marks, text=matcher, decide=lambda _row: Decided(measure="review"), reading=Words(), **more)


def listing(title="", **more):
    return clean({"item": "1", "seller": "s", "title": title, **more}, marketplace="demo")


class OneByOne:
    """The finder without its columns."""

    def __init__(self, matcher):
        self.find, self.marks = matcher.find, matcher.marks


def some(count, seed):
    chance = random.Random(seed)  # noqa: S311 (the same listings each time)

    def text(most):
        return " ".join(chance.choices(WORDS, k=chance.randint(0, most)))

    return [listing(text(6), brand=text(1), description=text(9)) for _ in range(count)]


@pytest.mark.parametrize("piece", [judging.AT_ONCE, 20])
def test_many_listings_come_to_what_each_alone_comes_to(matcher, monkeypatch, piece):
    monkeypatch.setattr(judging, "AT_ONCE", piece)
    batch = some(150, 6)
    naive = made(OneByOne(matcher))
    alone = [naive(each) for each in batch]
    assert made(matcher).many([(each, Signals(), ()) for each in batch]) == alone
    assert naive.many([(each, Signals(), ()) for each in batch]) == alone
    assert sum(map(len, alone)) > 50
    assert found_in(matcher, []) == []


def test_a_name_without_its_accent_is_no_disguise_and_one_with_a_digit_is(matcher):
    [plain] = made(matcher)(listing("HERMES scarf"))
    [hidden] = made(matcher)(listing("n1ke shoes"))
    assert (plain.row["disguised"], hidden.row["disguised"]) == (False, True)


@pytest.mark.parametrize(
    "words",
    [
        {"title": "n1ke shoes, as good as Nike"},
        {"title": "n1ke shoes", "description": "laces for Nike"},
        {"title": "n1ke shoes for Nike lovers", "brand": "Nike"},
    ],
)
def test_a_plain_mention_does_not_excuse_a_disguise(matcher, words):
    [verdict] = made(matcher)(listing(**words))
    assert (verdict.row["view"], verdict.row["disguised"], verdict.row["descriptive"]) == ("folded", True, False)
    assert {each.view for each in verdict.texts} == {"folded", "exact"}


def test_a_disguise_that_says_what_goods_fit_goes_behind_the_plain_name(matcher):
    [verdict] = made(matcher)(listing("Nike shoes, laces for n1ke"))
    assert (verdict.row["view"], verdict.row["disguised"]) == ("exact", False)


class Seen:
    """A finder that sees what it is told."""

    def find(self, fingerprints):
        return tuple(fingerprints)


SHOWN = PictureHit(work="W-1", right="", picture=0, stage="codes", score=900)
HOLDER, OTHER = "22222222-2222-4222-8222-222222222222", "33333333-3333-4333-8333-333333333333"
WORKS = {"W-1": Work(right="W-1", number="W-1", organisation=HOLDER)}


def shown(hit=SHOWN, *, grants=(), organisation="", **more):
    """What the judge says of a listing with this picture, where the work's holder has a mark for lamps in Germany."""
    mark = Mark(
        id=0,
        right="r",
        number="R",
        organisation=HOLDER,
        text="Zyxwvut",
        classes=("11",),
        territories=("DE", "FR"),
        grants=grants,
    )
    marks = mark_set([mark])
    judge = Judge(
        marks,
        text=OneByOne(TextMatcher(marks)),
        decide=lambda _row: Decided(measure="review"),
        reading=Words(),
        pictures=Seen(),
        works=WORKS,
    )
    offer = {"seller": "dealer", "classes": ["11"], "territories": ["DE"], **more}
    [verdict] = judge(listing("lamp", **offer), Signals(organisation=organisation), [hit])
    return verdict


DEALER = Grant(marketplace="demo", seller="dealer")


@pytest.mark.parametrize(
    ("hit", "copied"),
    [
        (SHOWN, True),
        (replace(SHOWN, stage="same"), True),
        (replace(SHOWN, stage="features", inliers=20), True),
        (replace(SHOWN, stage="features", inliers=19), False),
    ],
)
def test_a_protected_picture_that_somebody_else_shows_is_a_copy(hit, copied):
    assert shown(hit).row["copied_photo"] is copied
    assert shown(hit).organisation == HOLDER


def test_a_logo_is_no_copied_photograph():
    verdict = shown(PictureHit(work="", right="r", picture=0, stage="logo", score=950))
    assert (verdict.row["copied_photo"], verdict.row["logo_score"], verdict.row["right"]) == (False, 950, "R")


PICTURE_ALONE = Mark(
    id=0, right="p", number="P", organisation=HOLDER, text="", classes=("25",), territories=("DE",), grants=(DEALER,)
)


def of_a_logo(right="p", **more):
    """What is said of a listing that shows the logo of a right, where the one right known has no words."""
    matcher = TextMatcher(mark_set([PICTURE_ALONE]))
    judge = made(matcher, pictures=Seen())
    offer = {"classes": ["11"], "territories": ["DE"], "brand": "Willowbrook", **more}
    return judge(
        listing("lamp", **offer), Signals(), [PictureHit(work="", right=right, picture=0, stage="logo", score=950)]
    )


def test_a_mark_that_is_a_picture_alone_is_judged_as_its_holder_s_right():
    [verdict] = of_a_logo()
    assert (verdict.number, verdict.organisation, verdict.texts) == ("P", HOLDER, ())
    row = verdict.row
    assert (row["logo_score"], row["class_fits"], row["territory_fits"]) == (950, False, True)
    assert (row["licensed"], row["other_brand"]) == (False, False)
    [own] = of_a_logo(seller="dealer", classes=["25"])
    assert (own.row["licensed"], own.row["class_fits"]) == (True, True)


def test_the_logo_of_a_right_that_backs_nothing_today_is_no_hit():
    assert of_a_logo("another") == ()


def test_a_mark_without_words_is_found_in_no_text():
    matcher = TextMatcher(mark_set([PICTURE_ALONE]))
    assert matcher.terms.unmatched == (0,)
    assert [matcher.find(text) for text in ("", " ", "lamp", "p")] == [(), (), (), ()]
    assert distinctiveness(matcher, [("lamp", "Willowbrook")]) == {0: UNKNOWN}


def test_the_holder_s_own_shop_copies_nothing():
    row = shown(organisation=HOLDER).row
    assert (row["licensed"], row["copied_photo"], row["picture_stage"]) == (True, False, "codes")
    assert shown(organisation=OTHER).row["copied_photo"]


@pytest.mark.parametrize(
    ("more", "copied"),
    [
        ({}, False),
        ({"seller": "another"}, True),
        ({"classes": ["25"]}, True),
        ({"classes": []}, False),
        ({"territories": ["US"]}, True),
        ({"territories": ["DE", "FR"]}, False),
    ],
)
def test_a_licence_of_the_holder_covers_its_pictures_for_these_goods_and_places(more, copied):
    row = shown(grants=(DEALER,), **more).row
    assert (row["copied_photo"], row["licensed"]) == (copied, not copied)


def test_a_licence_for_one_country_covers_no_other():
    grants = (replace(DEALER, territories=("DE",)),)
    assert not shown(grants=grants).row["copied_photo"]
    assert shown(grants=grants, territories=["DE", "FR"]).row["copied_photo"]


@pytest.mark.parametrize(
    "title", ["𝐍𝐢𝐤𝐞 shoes", "Ⓝⓘⓚⓔ shoes", "n'i'k'e shoes", "阿·迪·达·斯 鞋", "n1ke shoes", "Niкe shoes"]
)
def test_every_disguise_is_one_to_the_rules_that_ship(title):
    marks = mark_set(
        Mark(id=0, right=name, number=name, organisation=ORGANISATION, text=name) for name in ("Nike", "阿迪达斯")
    )
    rules = rule_set(in_state(each, "live") for each in default().rules)
    decide = deciding(rules, on=date(2026, 11, 23), card=default_card(), bounds={})
    [verdict] = Judge(marks, text=TextMatcher(marks), decide=decide, reading=Words())(listing(title))
    assert "disguised-mark" in {name for name, _ in verdict.decided.fired}
    assert verdict.decided.measure == "review"
