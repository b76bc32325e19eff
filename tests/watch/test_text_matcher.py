"""Marks in titles: each view finds what it is for and where; beside a naive search; hostile text is bounded."""

from __future__ import annotations

import random
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from watch import disguises

from chopmark.watch.found import TextHit
from chopmark.watch.listing import MAX_TITLE
from chopmark.watch.marks import Mark, MarkSet, mark_set
from chopmark.watch.text import matcher as matching
from chopmark.watch.text.canon import words
from chopmark.watch.text.matcher import MAX_HITS, TextMatcher, explain, surest

NAMES = {
    "Nike": ("耐克",),
    "adidas": (),
    "New Balance": (),
    "Levi's": (),
    "H&M": (),
    "Moncler": (),
    "Sony": (),
    "阿迪达斯": (),
    "Calvin Klein": (),
    "O": (),
    "雅": (),
    "Найк": (),
    "LV": (),
    "Da-Lite": (),
    "日立": (),
}


def _set(names: dict[str, tuple[str, ...]], *, near: bool = True) -> MarkSet:
    return mark_set(
        Mark(id=0, right=f"{at:04}", number=f"R-{at}", organisation="o", text=name, aliases=aliases, near=near)
        for at, (name, aliases) in enumerate(names.items())
    )


MARKS = _set(NAMES)
ALL = TextMatcher(MARKS)
FAST = TextMatcher(MARKS, fast=True)


def _read(text: str, matcher: TextMatcher = ALL) -> list[tuple[str, str, str]]:
    return [(MARKS.marks[hit.mark].text, hit.view, text[hit.start : hit.end]) for hit in matcher.find(text)]


READ = {
    "as it is": ("new Nike shoe", ("Nike", "exact", "Nike")),
    "in another case and width": ("ＮＩＫＥ shoe", ("Nike", "exact", "ＮＩＫＥ")),
    "with a Cyrillic letter": ("Niкe shoe", ("Nike", "canonical", "Niкe")),
    "with invisible characters": ("ad\u200bidas", ("adidas", "canonical", "ad\u200bidas")),
    "with an apostrophe or none": ("LEVIS 501", ("Levi's", "exact", "LEVIS")),
    "with blanks around a sign": ("H & M skirt", ("H&M", "exact", "H & M")),
    "by an alias": ("耐克 air", ("Nike", "exact", "耐克")),
    "in traditional characters": ("耐剋鞋", ("Nike", "simplified", "耐剋")),
    "with dots between ideographs": ("阿·迪·达·斯 鞋", ("阿迪达斯", "simplified", "阿·迪·达·斯")),
    "with a digit for a letter": ("n1ke air", ("Nike", "folded", "n1ke")),
    "with a sign for a letter": ("$ony tv", ("Sony", "folded", "$ony")),
    "with a sign at the end": ("adida$ shoe", ("adidas", "folded", "adida$")),
    "with a pair for a letter": ("rnoncler coat", ("Moncler", "folded", "rnoncler")),
    "with l for I": ("adldas", ("adidas", "folded", "adldas")),
    "in two words, one of digits": ("n3w ba1ance 574", ("New Balance", "folded", "n3w ba1ance")),
    "in single letters": ("n.i.k.e air", ("Nike", "letters", "n.i.k.e")),
    "in single letters and digits": ("a d 1 d a s", ("adidas", "letters", "a d 1 d a s")),
    "cut in two": ("ni ke air", ("Nike", "joined", "ni ke")),
    "without its blank": ("newbalance 574", ("New Balance", "joined", "newbalance")),
    "with its blank elsewhere": ("NewBal ance", ("New Balance", "joined", "NewBal ance")),
    "masked": ("n*ke air", ("Nike", "masked", "n*ke")),
    "masked twice": ("m*n#ler coat", ("Moncler", "masked", "m*n#ler")),
    "masked twice, at the end too": ("monc*e* coat", ("Moncler", "masked", "monc*e*")),
    "masked twice, at the beginning too": ("*onc*er coat", ("Moncler", "masked", "*onc*er")),
    "masked in its second word": ("calvin k#ein shirt", ("Calvin Klein", "masked", "calvin k#ein")),
    "glued to a word": ("nikeshoes", ("Nike", "glued", "nike")),
    "glued behind a word": ("cheapadidas", ("adidas", "glued", "adidas")),
    "glued and with a digit": ("n1keshoes", ("Nike", "glued", "n1ke")),
    "one letter too many": ("addidas shoes", ("adidas", "near", "addidas")),
    "another letter in a short name": ("swny tv", ("Sony", "near", "swny")),
    "an ordinary word beside a short one": ("da lit screen", ("Da-Lite", "near", "da lit")),
    "two letters swapped": ("nkie air", ("Nike", "near", "nkie")),
    "one letter wrong in the second word": ("new balanse 574", ("New Balance", "near", "new balanse")),
    "glued to two letters and with a digit": ("s0nytv", ("Sony", "glued", "s0ny")),
    "a letter stretched": ("adiiiidas", ("adidas", "near", "adiiiidas")),
    "a letter stretched in the second word": ("new balaaance 574", ("New Balance", "near", "new balaaance")),
    "in pinyin": ("naike xie", ("Nike", "pinyin", "naike")),
    "in pinyin with tones": ("nàikè 鞋", ("Nike", "pinyin", "nàikè")),
    "in pinyin, in two": ("nai ke xie", ("Nike", "pinyin", "nai ke")),
    "half in pinyin": ("耐ke鞋", ("Nike", "half_pinyin", "耐ke")),
    "by one that sounds the same, of two": ("正品日力冰箱", ("日立", "homophone", "日力")),
    "by characters that sound the same": ("阿笛达丝运动鞋", ("阿迪达斯", "homophone", "阿笛达丝")),
}


@pytest.mark.parametrize(("text", "found"), READ.values(), ids=READ.keys())
def test_a_name_is_read(text, found):
    assert found in _read(text)


def test_every_view_has_an_example():
    assert {view for _, (_, view, _) in READ.values()} == set(ALL_VIEWS)


ALL_VIEWS = (
    *("exact", "canonical", "folded", "letters", "joined", "glued", "masked", "near", "simplified", "pinyin"),
    *("half_pinyin", "homophone"),
)
NOT_READ = {
    "part of another word": "snikers monikers",
    "an ordinary word": "a mike and a hike",
    "short names in a title": "o tape, 雅 elegant",
    "ideographs over the end of a phrase": "忍耐,克服",
    "half pinyin with a blank": "耐 ke",
    "a code of three letters": "sny nke",
    "a short name with another first letter": "bony pike",
    "an ordinary word beside another": "new valance",
    "a word that sounds like a name of two": "2026年日历 台历",
    "what sounds so over the end of a word": "今日礼物",
    "two that both sound so": "热力",
    "a product's number": "model 50NY4 5o00",
    "nothing": "",
    "blanks": " \t ",
}


@pytest.mark.parametrize("text", NOT_READ.values(), ids=NOT_READ.keys())
def test_what_is_no_name_is_not_read(text):
    assert _read(text) == []


def test_a_short_name_is_read_where_it_is_the_whole_brand():
    assert [MARKS.marks[hit.mark].text for hit in ALL.find("tape", brand="O")] == ["O"]
    assert ALL.find("tape", brand="O or not") == ()
    assert [(hit.field, MARKS.marks[hit.mark].text) for hit in ALL.find("", brand="雅")] == [("brand", "雅")]


def test_fields_are_told_apart_and_descriptions_are_read_plainly():
    found = ALL.find("nike", brand="n1ke", description="a nike, no n1ke")
    assert [(hit.field, hit.view, hit.start) for hit in found] == [
        ("title", "exact", 0),
        ("brand", "folded", 0),
        ("description", "exact", 2),
    ]


DESCRIPTIVE = {
    "for": ("case for Nike", True),
    "for yours": ("case for your Nike", True),
    "for most": ("strap compatible with most ni.ke", True),
    "for all in Chinese": ("适用于所有耐克", True),
    "compatible with": ("strap compatible with Sony", True),
    "in Chinese, before": ("手环适用于耐克", True),
    "behind": ("sony compatible charger", True),
    "in Chinese, behind": ("耐克专用鞋带", True),
    "for somebody": ("Nike for men", False),
    "nothing": ("Nike", False),
    "disguised": ("case for n1ke", True),
    "by a sign": ("case for $ony", True),
}


@pytest.mark.parametrize(("text", "descriptive"), DESCRIPTIVE.values(), ids=DESCRIPTIVE.keys())
def test_a_name_that_says_what_goods_fit_is_descriptive(text, descriptive):
    assert [hit.descriptive for hit in ALL.find(text)] == [descriptive]


def test_positions_count_words():
    assert [(hit.position, hit.term) for hit in ALL.find("Fine new SONY and a n1ke")] == [(2, "Sony"), (5, "Nike")]


def test_a_word_of_another_script_is_less_sure_than_a_letter_of_it():
    names = _set({"COP": ()})
    matcher = TextMatcher(names)
    [among_its_own] = matcher.find("мусор и сор в доме")
    [alone] = matcher.find("genuine СОР helmet")
    assert among_its_own.score < 700 < alone.score


def test_near_misses_are_of_watched_marks_alone():
    assert TextMatcher(_set(NAMES, near=False)).find("addidas shoes") == ()


def test_names_of_two_characters_are_heard_where_they_are_watched_alone():
    assert _read("正品日力冰箱")
    assert not TextMatcher(_set(NAMES, near=False)).find("正品日力冰箱")


def test_an_ordinary_word_is_no_disguise():
    odd = TextMatcher(_set({"Canvaz": ()}))
    assert "canvas" in odd.vocabulary
    assert odd.find("canvas shoes") == ()
    assert odd.find("canvaq shoes") != ()


def test_four_letters_that_a_name_begins_with_are_some_other_word():
    odd = TextMatcher(_set({"Stormo": (), "Zorby": ()}))
    assert odd.find("zorb shoes") == ()
    assert [hit.view for hit in odd.find("zory and storm and stomo shoes")] == ["near", "near"]


def test_two_marks_of_one_name_are_both_found():
    two = mark_set(Mark(id=0, right=right, number=right, organisation=right, text="Apex") for right in ("a", "b"))
    assert [hit.mark for hit in TextMatcher(two).find("apex")] == [0, 1]


def test_marks_of_signs_alone_are_named_as_unmatched():
    odd = _set({"!!!": (), "Nike": ()})
    assert [odd.marks[at].text for at in TextMatcher(odd).terms.unmatched] == ["!!!"]


def test_a_set_without_marks_finds_nothing():
    assert TextMatcher(mark_set([])).find("Nike", "Nike", "Nike") == ()


def _naive(text: str) -> set[tuple[str, int]]:
    """Each name at each word of the text."""
    row = words(text).split()
    found = set()
    for mark in MARKS.marks:
        for name in (mark.text, *mark.aliases):
            parts = words(name).split()
            if len("".join(parts)) >= 2 and name != "H&M":
                found |= {(mark.text, at) for at in range(len(row)) if row[at : at + len(parts)] == parts}
    return found


_PIECES = st.sampled_from(
    [
        *NAMES,
        "耐克",
        "nike",
        "Niкe",
        "new",
        "balance",
        "-",
        "'",
        "\x01",
        "\x1e",
        "耐",
        "克",
        "鞋",
        "for",
        "&",
        "\u200b",
        "ﾊﾞ",
        "x1",
    ]
)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(_PIECES, max_size=8).map(" ".join), max_size=6))
def test_the_automaton_finds_what_a_naive_search_finds(texts):
    found = FAST.hits(FAST.find_many(texts))
    by_row = [set() for _ in texts]
    for row, hit in found:
        by_row[row].add((MARKS.marks[hit.mark].text, hit.position))
    assert [{each for each in row if each[0] != "H&M"} for row in by_row] == [_naive(text) for text in texts]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(_PIECES, max_size=8).map("".join), max_size=6))
def test_a_batch_says_what_each_text_says_alone(texts):
    for matcher in (FAST, ALL):
        batch: list[list[object]] = [[] for _ in texts]
        for row, hit in matcher.hits(matcher.find_many(texts)):
            batch[row].append(hit)
        assert batch == [list(matcher.find(text)) for text in texts]


def test_a_name_of_many_marks_said_without_end_does_not_become_millions_of_hits():
    owners = 300
    marks = mark_set(
        Mark(id=0, right=f"{at:04}", number=str(at), organisation=str(at), text="Nike") for at in range(owners)
    )
    matcher = TextMatcher(marks, fast=True)
    columns = matcher.find_many(["nike " * 4_000], field="description")
    assert len(columns) == 4_000
    assert sum(1 for _ in matcher._each(columns, matcher.terms.owners, "description")) <= 2 * MAX_HITS * owners
    assert [hit.start for _, hit in matcher.hits(columns)][:2] == [0, 0]


def _told(columns):
    return sorted(zip(columns.rows.tolist(), columns.patterns.tolist(), columns.starts.tolist(), strict=True))


def test_texts_cut_into_more_batches_say_the_same(monkeypatch):
    texts = ["n1ke", "Niкe é", "耐克", "日力 é", "x", "", "é" * 40, "naike 阿笛达丝"] * 3
    whole = _told(ALL.find_many(texts))
    monkeypatch.setattr(matching, "OTHERS", 12)
    monkeypatch.setattr(matching, "CHARACTERS", 9)
    assert _told(ALL.find_many(texts)) == whole
    assert len(whole) >= 12


def test_characters_that_stand_for_many_take_bounded_room():
    """Each becomes eighteen: of a million of them not all are unfolded at once."""
    ALL.find("é")
    tracemalloc.start()
    ALL.find_many(["\ufdfa" * 20_000] * 50, field="description")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 500_000_000


def test_code_points_alone_hide_nothing():
    seed = random.Random(8)  # noqa: S311 (the same disguises in each run)
    for family in disguises.CODE_POINTS:
        for name in ("Nike", "adidas", "New Balance", "Calvin Klein", "Moncler"):
            made = disguises.FAMILIES[family](seed, name)
            found = [MARKS.marks[hit.mark].text for hit in ALL.find(f"the best {made} of all")]
            assert found == [name], (family, made)


FLOODS = {
    "a megabyte of words": "nike " * 200_000,
    "a megabyte without a blank": "nike" * 250_000,
    "zero width": "n" + "\u200b" * 1_000_000 + "ike",
    "accents": "n" + "\u0301" * 1_000_000 + "ike",
    "stars": "n*ke" * 200_000,
    "single letters": "n i k e " * 120_000,
    "turned round": "\u202e" * 1_000_000,
    "ideographs": "耐ke克" * 200_000,
    "digits": "1" * 1_000_000,
    "broken": "\udc80\ufffd" * 400_000,
    "l and i": "li" * 400_000,
}


@pytest.mark.parametrize("text", FLOODS.values(), ids=FLOODS.keys())
def test_a_flood_is_bounded_in_what_is_read_and_found(text):
    found = ALL.find(text, text, text)
    assert all(hit.end <= 20 * MAX_TITLE for hit in found)
    assert len(found) <= 3 * MAX_HITS


def test_of_several_readings_of_the_same_characters_the_surest_counts():
    hits = ALL.find("nike")
    assert surest([*hits, *hits]) == list(hits)


def _pairwise_surest(hits):
    """The same, each hit compared with all that are kept."""
    kept = []
    for hit in sorted(hits, key=lambda each: (-each.score, each.start - each.end, each.start)):
        if not any(hit.mark == each.mark and each.start < hit.end and hit.start < each.end for each in kept):
            kept.append(hit)
    return sorted(kept[:MAX_HITS], key=lambda each: (each.start, each.end, each.mark))


def _hit(start, size, mark=0, score=1000):
    return TextHit(mark=mark, term="x", view="exact", field="title", start=start, end=start + size, score=score)


@given(
    st.lists(
        st.builds(_hit, st.integers(0, 60), st.integers(1, 9), st.integers(0, 2), st.sampled_from([480, 700, 1000])),
        max_size=40,
        unique=True,
    )
)
def test_the_surest_are_those_of_a_comparison_of_each_with_all(hits):
    assert {(each.mark, each.start, each.end) for each in surest(hits)} == {
        (each.mark, each.start, each.end) for each in _pairwise_surest(hits)
    }


def test_a_name_said_ten_thousand_times_is_not_compared_with_itself_each_time():
    asked = 0

    class Asked(TextHit):
        def __getattribute__(self, name):
            nonlocal asked
            asked += name in {"start", "end"}
            return super().__getattribute__(name)

    hits = [
        Asked(mark=0, term="nike", view="exact", field="description", start=5 * at, end=5 * at + 4)
        for at in range(4_000)
    ]
    assert [each.start for each in surest(hits)] == [5 * at for at in range(MAX_HITS)]
    assert asked < 30 * len(hits)


def test_a_hit_is_explained_by_its_characters():
    text = "best Ni\u200bкe shoe"
    [hit] = ALL.find(text)
    said = explain(hit, text)
    assert said.read == "Ni\u200bкe"
    assert said.plain == "nike"
    assert [(each.shown, each.plain, each.name) for each in said.characters if each.is_other] == [
        ("\u200b", "", "ZERO WIDTH SPACE"),
        ("к", "k", "CYRILLIC SMALL LETTER KA"),
    ]
