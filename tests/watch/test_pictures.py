"""Protected pictures in pictures of listings: what is found, by what, where; and the files between processes."""

from __future__ import annotations

import contextlib
import hashlib
from functools import cache

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world import media

from chopmark.base.errors import Invalid
from chopmark.media import features, picture, sketch
from chopmark.media.fingerprint import Code, Print
from chopmark.media.index.bands import Bands, distances, words_of
from chopmark.media.making import code_of
from chopmark.rights.similarity import logos
from chopmark.watch import pictures, shelf
from chopmark.watch.pictures import Logo, PictureMatcher, Reference, Seen, picture_set

WORK = "W-2026-000001"


def reference(number: int, *, work: str = WORK, right: str = "") -> Reference:
    data = media.jpeg(media.picture(number))
    luma = picture.luma(data, least=features.DECODED)
    return Reference(
        work=work,
        organisation=f"o{number}",
        right=right,
        sha256=hashlib.sha256(data).digest(),
        codes=tuple(code_of(each) for each in picture.reference_codes(picture.of_pixels(luma.pixels))),
        features=features.local(luma).encode(),
    )


@cache
def protected() -> pictures.PictureSet:
    return picture_set(reference(number, work=f"W-2026-{number:06d}") for number in range(1, 5))


@cache
def matcher() -> PictureMatcher:
    return PictureMatcher(protected())


def seen(pixels, *, place: int = 0, close: bool = False) -> Seen:
    data = media.jpeg(pixels)
    made = Seen(
        picture=place,
        sha256=hashlib.sha256(data).digest(),
        sketch=sketch.sketch_of(picture.luma(data)).encode(),
    )
    if not close:
        return made
    near = features.of_query(picture.luma(data, least=features.DECODED))
    prints = tuple(Print(name=name, data=each.encode()) for name, each in zip(("plain", "mirrored"), near, strict=True))
    return Seen(picture=place, sha256=made.sha256, sketch=made.sketch, prints=prints, close=True)


@cache
def sketch_of(number: int):
    return sketch.sketch_of(picture.luma(media.jpeg(media.picture(number))))


def overlaid(pixels):
    """A shop's words across the lower edge, and a badge."""
    made = np.ascontiguousarray(pixels).copy()
    rows, columns = made.shape[:2]
    cv2.rectangle(made, (0, rows * 9 // 10), (columns, rows), (255, 255, 255), -1)
    cv2.putText(made, "BEST PRICE 24h", (10, rows - 12), cv2.FONT_HERSHEY_DUPLEX, 1.0, (0, 0, 200), 2, cv2.LINE_AA)
    cv2.circle(made, (columns - 40, 40), 30, (0, 0, 200), -1)
    return made


@pytest.mark.parametrize(
    ("changed", "stage"),
    [
        pytest.param(lambda pixels: pixels, "same", id="the very file"),
        pytest.param(lambda pixels: cv2.resize(pixels, (400, 300)), "codes", id="smaller"),
        pytest.param(lambda pixels: pixels[:, ::-1], "codes", id="mirrored"),
        pytest.param(np.rot90, "codes", id="a quarter turn"),
        pytest.param(
            lambda pixels: np.pad(pixels, ((60, 60), (60, 60), (0, 0)), constant_values=255), "codes", id="framed"
        ),
    ],
)
def test_a_changed_copy_is_found_by_its_codes(changed, stage):
    [hit] = matcher().find([seen(media.picture(2)[:50, :50], place=0), seen(changed(media.picture(1)), place=1)])
    assert (hit.work, hit.stage, hit.picture) == (WORK, stage, 1)


def test_a_mirrored_overlaid_crop_is_found_by_what_agrees_with_its_places():
    pixels = overlaid(media.picture(1)[60:, 80:][:, ::-1])
    assert matcher().near([seen(pixels)]) == [False]
    [hit] = matcher().find([seen(pixels, place=7, close=True)])
    assert (hit.work, hit.picture, hit.stage) == (WORK, 7, "features")
    assert hit.inliers >= features.LEAST_INLIERS
    assert hit.turn == 4
    left, top, width, height = hit.reference
    assert left + width > 700_000
    assert top + height > 700_000


def test_a_near_code_with_features_tells_which_parts_agree():
    [hit] = matcher().find([seen(cv2.resize(media.picture(3), (500, 375)), close=True)])
    assert hit.stage == "codes"
    assert hit.inliers > 100
    assert hit.reference is not None


def test_other_pictures_and_blank_ones_are_not_found():
    others = [seen(media.picture(number), close=True) for number in (40, 41)]
    blank = seen(np.full((300, 300, 3), 255, np.uint8))
    assert matcher().find([*others, blank]) == ()
    assert matcher().near([*others, blank]) == [False] * 3


def test_each_work_is_a_hit_once_where_it_is_shown_best():
    small, whole = cv2.resize(media.picture(1), (120, 90)), media.picture(1)
    both = matcher().find([seen(small, place=0), seen(whole, place=1), seen(media.picture(2), place=2)])
    assert [(hit.work, hit.picture, hit.stage) for hit in both] == [(WORK, 1, "same"), ("W-2026-000002", 2, "same")]


def test_a_look_up_of_many_says_the_same_as_one_by_one():
    several = [seen(media.picture(number)) for number in (1, 40, 2, 41)]
    assert matcher().near(several) == [True, False, True, False]
    assert [matcher().near([each])[0] for each in several] == matcher().near(several)
    assert matcher().near([]) == []


def test_a_work_under_a_right_is_a_hit_of_that_right():
    found = PictureMatcher(picture_set([reference(1, right="R1")]))
    assert [hit.right for hit in found.find([seen(media.picture(1))])] == ["R1"]
    assert picture_set([reference(1, right="R1")]).works()[WORK].right == "R1"


def sign(turn: int = 0):
    """A made-up figurative mark on white, dark and plain."""
    made = np.full((240, 240), 255, np.uint8)
    cv2.fillPoly(made, [np.array([[120, 20], [210, 200], [120, 150], [30, 200]])], 0, cv2.LINE_AA)
    cv2.circle(made, (120, 110), 22, 255, -1, cv2.LINE_AA)
    if turn:
        around = cv2.getRotationMatrix2D((120, 120), turn, 0.8)
        made = cv2.warpAffine(made, around, (240, 240), borderValue=255)
    return made


def gray_of(pixels) -> bytes:
    rows, columns = pixels.shape
    return rows.to_bytes(2) + columns.to_bytes(2) + pixels.tobytes()


def test_a_logo_that_is_the_picture_is_found_and_other_shapes_are_not():
    found = PictureMatcher(picture_set([], [Logo(right="R1", codes=logos.describe(sign()).encode())]))
    shown = Seen(picture=2, sha256=bytes(32), gray=gray_of(255 - sign(20)), close=True)
    [hit] = found.find([shown])
    assert (hit.right, hit.stage, hit.picture, hit.work) == ("R1", "logo", 2, "")
    assert hit.score >= 850
    text = np.full((240, 240), 255, np.uint8)
    cv2.putText(text, "50 %", (20, 140), cv2.FONT_HERSHEY_DUPLEX, 2.5, 0, 6)
    assert found.find([Seen(picture=0, sha256=bytes(32), gray=gray_of(text), close=True)]) == ()
    assert found.find([Seen(picture=0, sha256=bytes(32), gray=gray_of(np.full((99, 99), 7, np.uint8)))]) == ()


# ---- files -----------------------------------------------------------------------------------------------------------


def test_a_set_prints_back_and_has_the_version_of_its_bytes():
    made = picture_set([reference(2), reference(1, work="W-2026-000009")], [Logo(right="R", codes=b"x")])
    assert pictures.parse(pictures.encode(made)) == made
    assert made.version == hashlib.sha256(pictures.encode(made)).hexdigest()
    assert made == picture_set(reversed(made.references), made.logos)


def test_nothing_stands_in_a_set_twice():
    with pytest.raises(Invalid, match=r"watch\.pictures_malformed"):
        picture_set([reference(1), reference(1)])


def plain() -> pictures.PictureSet:
    codes = tuple(Code(bits=bytes([number] * 32), quality=80) for number in range(3))
    return picture_set(
        [Reference(work=WORK, organisation="o", sha256=bytes(32), codes=codes)], [Logo(right="R", codes=b"x")]
    )


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_a_set_with_a_changed_byte_is_refused_or_another(data):
    made = plain()
    encoded = bytearray(pictures.encode(made))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))
    found = None
    with contextlib.suppress(Invalid):
        found = pictures.parse(bytes(encoded))
    assert found is None or found.version != made.version


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=200))
def test_what_is_no_description_of_a_picture_is_refused(data):
    with pytest.raises(Invalid, match=r"watch\.seen_malformed"):
        Seen.parse(data)


def test_a_description_prints_back_and_a_damaged_sketch_finds_nothing():
    made = seen(media.picture(1), place=3, close=True)
    assert Seen.parse(made.encode()) == made
    assert matcher().find([made.encode()])[0].picture == 3
    broken = Seen(picture=0, sha256=bytes(32), sketch=made.sketch[:-1], prints=(Print(name="plain", data=b"x"),))
    assert matcher().find([broken, b"no description"]) == ()


def test_a_sketch_holds_what_the_codes_of_a_query_are():
    luma = picture.luma(media.jpeg(media.picture(5)))
    made = sketch.parse(sketch.sketch_of(luma).encode())
    assert [made.code(place) for place in range(len(made.bits))] == [
        code_of(each) for each in picture.query_codes(luma)
    ]
    assert (made.width, made.height) == (640, 480)


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=600))
def test_what_is_no_sketch_is_refused(data):
    with pytest.raises(Invalid, match=r"media\.fingerprint_malformed"):
        sketch.parse(data)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 600), st.integers(1, 255))
def test_a_changed_sketch_is_refused_or_within_its_bounds(at, change):
    data = bytearray(sketch_of(5).encode())
    data[at] ^= change
    try:
        made = sketch.parse(bytes(data))
    except Invalid:
        return
    for place in range(len(made.bits)):
        assert isinstance(made.code(place), Code)


def test_the_cache_is_named_after_what_makes_its_contents():
    assert f"{picture.ALGORITHM}+{features.ALGORITHM}" == shelf.NAME


# ---- quick look-ups, and the same picture across sellers -------------------------------------------------------------


def test_a_quick_look_up_finds_what_counting_finds_nearly_always():
    rng = np.random.default_rng(7)
    codes = rng.integers(0, 256, (6000, 32), np.uint8)
    asked = np.unpackbits(codes[:300], axis=1)
    for row in asked:
        row[rng.choice(256, 12, replace=False)] ^= 1
    queries = words_of(np.packbits(asked, axis=1))
    bands = Bands.build(words_of(codes))
    quick = bands.search(queries, 15, quick=True)
    exact = {
        (at, int(row))
        for at, query in enumerate(queries)
        for row in np.flatnonzero(distances(bands.words, query) <= 15)
    }
    assert set(zip(quick.query.tolist(), quick.row.tolist(), strict=True)) == exact


def test_the_same_picture_in_other_files_is_one_and_others_are_not():
    def of(pixels, quality=85):
        return sketch.sketch_of(picture.luma(media.jpeg(pixels, quality)))

    named = [
        ("b", of(media.picture(1))),
        ("a", of(media.picture(1), 40)),
        ("c", of(cv2.resize(media.picture(1), (320, 240)))),
        ("d", of(media.picture(2))),
        ("e", of(media.picture(1)[:, ::-1])),
        ("f", of(np.full((200, 200, 3), 255, np.uint8))),
    ]
    assert pictures.same_pictures(named) == {"a": "a", "b": "a", "c": "a", "d": "d", "e": "e", "f": ""}
    assert pictures.same_pictures([]) == {}


def test_a_picture_that_everybody_has_links_nobody():
    one = sketch_of(1)
    many = [(f"{number:04d}", one) for number in range(pictures.CROWD + 1)]
    assert pictures.same_pictures(many) == dict.fromkeys((name for name, _ in many), "")
    assert set(pictures.same_pictures(many[1:]).values()) == {"0001"}


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 12)), max_size=40), st.integers(1, 9))
def test_the_same_pictures_are_those_that_steps_between_near_ones_join(drawn, crowd):
    """Against every pair counted and joined, one by one."""
    rng = np.random.default_rng(5)
    families = rng.integers(0, 256, (6, 32), np.uint8)
    made = []
    for number, (family, bits) in enumerate(drawn):
        code = families[family].copy()
        code[rng.choice(32, bits, replace=False)] ^= 1
        rows = np.zeros(1, sketch.ROW)
        rows["bits"][0, 0] = code
        made.append((f"{number:02d}", sketch.Sketch(rows=rows, width=1, height=1)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "CROWD", crowd)
        patch.setattr(pictures, "_ASKED", 10_000)
        whole = pictures.same_pictures(made)
        patch.setattr(pictures, "_ASKED", 7)
        little = pictures.same_pictures(made)
    codes = np.array([each.rows["bits"][0][0] for _, each in made], np.uint8).reshape(-1, 32)
    near = [np.flatnonzero(np.bitwise_count(codes ^ each).sum(axis=1) <= pictures.ALIKE_SELLERS) for each in codes]
    everybodys = {int(other) for each in near if len(each) > crowd for other in each}
    group = list(range(len(made)))
    for _ in made:
        for at, others in enumerate(near):
            for other in others:
                if at not in everybodys and int(other) not in everybodys:
                    group[at] = min(group[at], group[other])
    assert whole == {name: "" if at in everybodys else made[group[at]][0] for at, (name, _) in enumerate(made)}
    assert all(little[name] for name in whole if whole[name]), "asked in parts, no more are everybody's"
    assert everybodys or little == whole


def test_sellers_are_linked_by_pictures_that_are_alike_and_by_none_that_everybody_has():
    def of(number, quality=85):
        return sketch.sketch_of(picture.luma(media.jpeg(media.picture(number), quality)))

    sketches = [("a", of(1)), ("b", of(1, 50)), ("c", of(2)), ("white", of(3))]
    sketches[3] = ("white", sketch.sketch_of(picture.luma(media.png(np.full((99, 99, 3), 255, np.uint8)))))
    uses = [("s1", "a"), ("s2", "b"), ("s2", "a"), ("s3", "c"), ("s1", "white"), ("s2", "white")]
    uses += [("s4", "unseen"), ("s5", "unseen"), ("s5", "unseen"), ("s6", "alone")]
    found = pictures.shared_pictures(uses, sketches)
    assert sorted(found) == [("s1", "a"), ("s2", "a"), ("s4", "unseen"), ("s5", "unseen")]


def test_a_makers_photograph_links_none_of_its_sellers_however_many_files_of_it_there_are():
    def of(quality):
        return sketch.sketch_of(picture.luma(media.jpeg(media.picture(1), quality)))

    sketches = [(f"file {quality}", of(quality)) for quality in range(50, 60)]
    sellers = [f"s{number}" for number in range(pictures.EVERYBODYS + 1)]
    uses = [(seller, sketches[at % 10][0]) for at, seller in enumerate(sellers)]
    assert pictures.shared_pictures(uses, sketches) == []
    assert len(pictures.shared_pictures(uses[1:], sketches)) == pictures.EVERYBODYS
