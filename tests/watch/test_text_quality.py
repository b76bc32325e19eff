"""What is found of planted disguises, and flagged in vain, on real titles (a part of `benchmarks/watch_text.py`)."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping

import pytest
from watch import disguises, shops
from world.data import shared_data

from chopmark.watch.text.canon import words
from chopmark.watch.text.matcher import TextMatcher

EACH = 40


@pytest.fixture(scope="module")
def shop():
    root = shared_data("products-walmart").parent
    titles = shops.titles(root)
    tested = [each for each in titles if not shops.is_trusted(each)]
    plain = [each for each in tested if each.brand.replace(" ", "").isalpha() and len(each.brand) >= 4]
    plain = [each for each in plain if each.brand.isascii()]
    names = list(dict.fromkeys(each.brand for each in plain))
    fill = random.Random(7).sample([name for name, _ in shops.brands(root)], 1_000)  # noqa: S311 (a fixed sample)
    marks = shops.marks_of([*names, *fill], near=True)
    return TextMatcher(marks), plain, tested


def _recalls(matcher: TextMatcher, titles: list[shops.Title], families: Mapping[str, disguises.Disguise]):
    recalls = {}
    for name, family in families.items():
        seed, planted = random.Random(name), []  # noqa: S311 (the same titles in each run)
        for title in seed.sample(titles, len(titles)):
            pattern = re.compile(rf"(?<!\w){re.escape(title.brand)}(?!\w)", re.IGNORECASE)
            found = pattern.search(title.text)
            made = family(seed, found.group()) if found else ""
            if found and made and made.lower() != found.group().lower():
                planted.append((f"best {made} {pattern.sub('', title.text)}", title.brand))
            if len(planted) == EACH:
                break
        found = [set() for _ in planted]
        for row, hit in matcher.hits(matcher.find_many([text for text, _ in planted])):
            found[row].add(words(hit.term))
        right = sum(words(brand) in names for (_, brand), names in zip(planted, found, strict=True))
        recalls[name] = right / len(planted)
    return recalls


def test_disguises_are_found_on_real_titles(shop):
    matcher, plain, _ = shop
    recalls = _recalls(matcher, plain, disguises.FAMILIES)
    assert {name: recalls[name] for name in disguises.CODE_POINTS} == dict.fromkeys(disguises.CODE_POINTS, 1.0)
    assert sum(recalls.values()) / len(recalls) >= 0.95


def test_disguises_that_no_view_was_made_for_are_found_too(shop):
    matcher, plain, _ = shop
    recalls = _recalls(matcher, plain, disguises.HELD_OUT)
    assert sum(recalls.values()) / len(recalls) >= 0.9


def test_clean_titles_are_hardly_ever_flagged(shop):
    matcher, _, tested = shop
    texts = [each.text for each in tested]
    flagged = {
        row
        for row, hit in matcher.hits(matcher.find_many(texts))
        if hit.view != "exact" and words(hit.term).replace(" ", "") != words(tested[row].brand).replace(" ", "")
    }
    assert len(flagged) <= 10 * len(texts) / 1000


def test_chinese_disguises_are_found(shop):
    rows = shops.chinese(shared_data("zh-taobao-ner").parent)
    names = {brand for _, brands in rows for brand in brands if re.fullmatch(r"[\u4e00-\u9fff]{2,6}", brand)}
    plain, watched = (TextMatcher(shops.marks_of(sorted(names), near=near)) for near in (False, True))
    least = {"pinyin": 0.95, "half pinyin": 0.9, "homophones": 0.9, "homophone of two": 0.85}
    families = {**disguises.CHINESE, **disguises.CHINESE_WATCHED}
    for name, family in families.items():
        matcher = watched if name in disguises.CHINESE_WATCHED else plain
        seed = random.Random(name)  # noqa: S311 (the same names in each run)
        made = [(brand, family(seed, brand)) for brand in seed.sample(sorted(names), 120)]
        made = [(brand, disguise) for brand, disguise in made if disguise]
        found = [any(hit.term == brand for hit in matcher.find(f"新款 {text} 运动鞋")) for brand, text in made]
        assert sum(found) / len(found) >= least.get(name, 1.0), name
