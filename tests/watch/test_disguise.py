"""What is a disguise, and what only another way to write a name."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chopmark.watch.disguise import is_disguised
from chopmark.watch.text import canon

NOT = [
    ("Nike", "Nike", "exact"),
    ("NIKE", "Nike", "exact"),
    ("ＮＩＫＥ", "Nike", "exact"),
    ("ﾅｲｷ", "ナイキ", "exact"),
    ("HERMES", "Hermès", "canonical"),
    ("Hermès", "Hermes", "canonical"),
    ("Herme\u0300s", "Hermes", "canonical"),
    ("Lancôme", "LANCOME", "canonical"),
    ("Häagen Dazs", "Haagen-Dazs", "canonical"),
    ("Orsted", "Ørsted", "canonical"),
    ("new balance", "New Balance", "exact"),
    ("New-Balance", "New Balance", "exact"),
    ("newbalance", "New Balance", "joined"),
    ("Ecko Unltd", "EckoUnltd", "joined"),
    ("Play-Station", "Playstation", "joined"),
    ("Play Station", "Playstation", "joined"),
    ("H & M", "H&M", "exact"),
    ("H-M", "H&M", "exact"),
    ("H and M", "H&M", "exact"),
    ("h AND m", "H&M", "exact"),
    ("Johnson and Johnson", "Johnson & Johnson", "exact"),
    ("L’Oreal", "L'Oréal", "canonical"),
    ("Levis", "Levi's", "exact"),
    ("Levi’s", "Levis", "exact"),
    ("Nikes", "Nike", "glued"),
    ("Nike's", "Nike", "exact"),
    ("Boss's", "Boss", "glued"),
    ("NIKE®", "Nike", "exact"),
    ("Nike™", "Nike", "exact"),
    ("ﬁla", "Fila", "canonical"),
    ("耐克", "耐克", "exact"),
    ("耐剋", "耐克", "simplified"),
    ("乔治·阿玛尼", "乔治阿玛尼", "simplified"),
    ("喬治 阿瑪尼", "乔治·阿玛尼", "simplified"),
    ("naike", "耐克", "pinyin"),
    ("addidas", "adidas", "near"),
    ("Найк", "НАЙК", "exact"),
    ("NIKÉ", "Nike", "canonical"),
    ("Nike", "Nike", "glued"),
]
YES = [
    ("Niкe", "Nike", "canonical"),
    ("Nіke", "Nike", "canonical"),
    ("𝐍𝐢𝐤𝐞", "Nike", "exact"),
    ("ⓃⒾⓀⒺ", "Nike", "exact"),
    ("Ni\u200bke", "Nike", "canonical"),
    ("Ni\u00adke", "Nike", "canonical"),
    ("Ni\u202eke", "Nike", "canonical"),
    ("N\u0336i\u0336k\u0336e\u0336", "Nike", "canonical"),
    ("n1ke", "Nike", "folded"),
    ("$ony", "Sony", "folded"),
    ("rnoncler", "Moncler", "folded"),
    ("adldas", "adidas", "folded"),
    ("n.i.k.e", "Nike", "letters"),
    ("N I K E", "Nike", "letters"),
    ("n'i'k'e", "Nike", "exact"),
    ("a d 1 d a s", "adidas", "letters"),
    ("ni ke", "Nike", "joined"),
    ("n*ke", "Nike", "masked"),
    ("calvin k#ein", "Calvin Klein", "masked"),
    ("Play*Station", "Playstation", "joined"),
    ("n1ke", "Nike", "glued"),
    ("耐·克", "耐克", "simplified"),
    ("阿·迪·达·斯", "阿迪达斯", "simplified"),
    ("阿 迪 达 斯", "阿迪达斯", "exact"),
    ("耐ke", "耐克", "half_pinyin"),
    ("阿笛达丝", "阿迪达斯", "homophone"),
    ("Ni\u200bkes", "Nike", "near"),
    ("Hаyк", "Наук", "canonical"),
]


@pytest.mark.parametrize(("read", "term", "view"), NOT)
def test_another_way_to_write_a_name_is_no_disguise(read, term, view):
    assert not is_disguised(read, term, view)


@pytest.mark.parametrize(("read", "term", "view"), YES)
def test_letters_that_are_swapped_hidden_parted_or_covered_are_a_disguise(read, term, view):
    assert is_disguised(read, term, view)


LATIN = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyzéèüñçå"), min_size=2, max_size=12)


@given(st.lists(LATIN, min_size=1, max_size=3), st.sampled_from([" ", "-", ""]), st.booleans(), st.booleans())
def test_case_width_accents_and_what_parts_words_never_are_a_disguise(parts, sign, wide, bare):
    term = " ".join(parts)
    read = sign.join(parts).upper()
    if bare:
        read = "".join(each for each in unicodedata.normalize("NFD", read) if not unicodedata.combining(each))
    if wide:
        read = "".join(chr(ord(each) + 0xFEE0) if "!" <= each <= "~" else each for each in read)
    assert not is_disguised(read, term, "exact")


@given(LATIN.filter(lambda word: set(word) & set("aceopxy")), st.randoms(use_true_random=False))
def test_one_cyrillic_letter_always_is_a_disguise(word, chance):
    looks = dict(zip("aceopxy", "асеорху", strict=True))
    place = chance.choice([at for at, each in enumerate(word) if each in looks])
    read = word[:place] + looks[word[place]] + word[place + 1 :]
    assert canon.words(word) == canon.words(read)
    assert is_disguised(read, word, "canonical")


@given(st.text(max_size=30), st.text(max_size=30), st.sampled_from(["exact", "canonical", "simplified", "folded"]))
def test_any_text_has_an_answer_and_a_name_is_no_disguise_of_itself(read, term, view):
    assert is_disguised(read, term, view) in (True, False)
    letters = "".join(each for each in term if each.isascii() and each.isprintable())
    assert not is_disguised(letters, letters, view)
