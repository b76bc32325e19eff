"""Local features: a part is found and located, other pictures are not, bytes and pools keep what they hold."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media import edits
from media.drawn import jpeg, scene

from chopmark.base.errors import Invalid
from chopmark.media import features
from chopmark.media.decode import luma
from chopmark.media.features import Features, Pool

MANY = 6


@cache
def decoded(number: int):
    return luma(jpeg(scene(number)), least=features.DECODED)


@cache
def kept(number: int) -> Features:
    return features.local(decoded(number))


@cache
def pool() -> Pool:
    return Pool([(number, kept(number)) for number in range(MANY)])


def searched(data: bytes):
    return features.of_query(luma(data, least=features.DECODED))


@pytest.mark.parametrize("edit", edits.EDITS)
def test_a_copy_is_found_after_the_edit(edit):
    others = [scene(number) for number in range(MANY, MANY + 4)]
    found = pool().found(searched(edits.edited(edit, scene(2), others, 1)), kept)
    assert [who for who, _ in found] == [2]
    [(_, overlap)] = found
    assert overlap.inliers >= features.LEAST_INLIERS
    assert overlap.mirrored == ("mirror" in edit)
    assert len(overlap.lines) >= features.LEAST_INLIERS


def test_pictures_that_show_something_else_do_not_overlap():
    for number in range(MANY, MANY + 3):
        assert pool().found(searched(jpeg(scene(number))), kept) == ()
        for query in searched(jpeg(scene(number))):
            assert all(features.verify(query, kept(other)) is None for other in range(2))


def test_a_crop_is_located_in_the_reference_and_the_reference_around_the_crop():
    crop = scene(0)[150:450, 300:700]
    upright, mirrored = searched(jpeg(crop))
    overlap = features.verify(upright, kept(0))
    assert overlap is not None
    assert features.verify(mirrored, kept(0)) is None
    # The reference is twice as wide and high; its upper left corner lies 300 of 400 and 150 of 300 before the crop's.
    expected = [(-0.75, -0.5), (1.25, -0.5), (1.25, 1.5), (-0.75, 1.5)]
    assert np.abs(np.array(overlap.corners) - expected).max() < 0.03
    hull = np.array(overlap.reference_hull)
    assert hull[:, 0].min() >= 300 / 800 - 0.02
    assert hull[:, 0].max() <= 700 / 800 + 0.02
    assert hull[:, 1].min() >= 150 / 600 - 0.02
    assert hull[:, 1].max() <= 450 / 600 + 0.02


def test_places_in_a_mirrored_query_are_places_that_its_reader_sees():
    data = jpeg(scene(0)[:, ::-1])
    [(_, overlap)] = pool().found(searched(data), kept)
    assert overlap.mirrored
    assert np.abs(np.array(overlap.corners) - [(1, 0), (0, 0), (0, 1), (1, 1)]).max() < 0.02
    for (x, y), (own_x, own_y) in overlap.lines:
        assert x == pytest.approx(1 - own_x, abs=0.03)
        assert y == pytest.approx(own_y, abs=0.03)


def test_the_same_features_give_the_same_answer():
    upright, _ = searched(edits.edited("cropped to 50 %", scene(0), (), 1))
    assert features.verify(upright, kept(0)) == features.verify(upright, kept(0)) is not None


def test_features_of_the_mirrored_picture_are_those_of_a_picture_that_was_mirrored():
    alike = every = 0
    for number in range(MANY):
        pixels = decoded(number).pixels  # as wide as the working size: nothing is scaled, which is not quite symmetric
        _, mirrored = features.of_query(decoded(number))
        anew, _ = features.of_query(replace(decoded(number), pixels=np.ascontiguousarray(pixels[:, ::-1])))
        assert mirrored.mirrored
        assert not anew.mirrored
        rows = {row.tobytes() for row in anew.rows}
        alike += sum(row.tobytes() in rows for row in mirrored.rows)
        every += len(anew)
    assert every == MANY * 1500
    assert alike >= 0.998 * every


def pairs_of_opencv(query: Features, reference: Features) -> list[list[int]]:
    nearest = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(query.bits, reference.bits, k=2)
    return [
        [first.queryIdx, first.trainIdx]
        for first, second in nearest
        if first.distance <= features._MOST_DISTANCE and first.distance < features._RATIO * second.distance
    ]


def test_pairs_are_those_of_another_matcher():
    for number in range(MANY):
        for query in searched(jpeg(scene(number), 60)):
            twice = replace(kept(number), rows=np.concatenate([kept(number).rows, kept(number).rows[:200]]))
            for reference in (kept(number), kept((number + 1) % MANY), twice):
                pairs = features._pairs(query, reference)
                assert pairs.tolist() == pairs_of_opencv(query, reference)
                assert len(pairs)


@pytest.mark.parametrize("count", [0, 1])
def test_a_reference_of_one_feature_makes_no_pairs(count):
    query, reference = searched(jpeg(scene(0)))[0], replace(kept(0), rows=kept(0).rows[:count])
    assert features._pairs(query, reference).shape == (0, 2)
    assert features._pairs(replace(query, rows=query.rows[:0]), kept(0)).shape == (0, 2)


def test_features_are_spread_over_the_picture():
    places = kept(0).places // (np.array([kept(0).width, kept(0).height]) / 4)
    assert len(np.unique(places, axis=0)) == 16


@pytest.mark.parametrize("pixels", [np.full((300, 400), 255, np.uint8), np.zeros((1, 1), np.uint8)])
def test_a_plain_picture_has_no_features_and_overlaps_nothing(pixels):
    plain = features.local(decoded(0).__class__(pixels=pixels, width=1, height=1, format="RAW"))
    assert len(plain) == 0
    assert features.verify(plain, kept(0)) is None
    assert features.verify(kept(0), plain) is None
    assert Features.decode(plain.encode()).encode() == plain.encode()
    assert Pool([(1, plain)]).candidates(kept(0)) == ()


def made(seed: int, count: int) -> Features:
    """Features of chance."""
    rng = np.random.default_rng(seed)
    rows = np.zeros(count, features._ROW)
    rows["place"] = rng.integers(0, 400 * 64, (count, 2))
    rows["scale"] = rng.integers(0, 8, count)
    rows["direction"] = rng.integers(0, 256, count)
    rows["bits"] = rng.integers(0, 256, (count, 32))
    return Features(rows=rows, width=640, height=400)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 50))
def test_what_is_encoded_is_decoded(seed, count):
    one = made(seed, count)
    other = Features.decode(one.encode())
    assert (other.width, other.height, len(other)) == (640, 400, count)
    assert (other.rows == one.rows).all()
    assert other.encode() == one.encode()
    assert len(one.encode()) == 10 + 38 * count


GOOD = made(1, 3).encode()
MALFORMED = {
    "nothing": b"",
    "a head alone that promises rows": GOOD[:10],
    "cut off": GOOD[:-1],
    "longer": GOOD + b"\x00",
    "another form": b"orb\x02" + GOOD[4:],
    "no width": GOOD[:4] + b"\x00\x00" + GOOD[6:],
    "a place outside": GOOD[:10] + b"\xff\xff" + GOOD[12:],
    "a scale that does not exist": GOOD[:14] + b"\x0c" + GOOD[15:],
}


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_features_are_refused(what):
    with pytest.raises(Invalid, match="features_malformed"):
        Features.decode(MALFORMED[what])


def test_the_drawing_shows_both_pictures_side_by_side():
    crop = jpeg(scene(0)[150:450, 300:700])
    overlap = features.verify(searched(crop)[0], kept(0))
    query = luma(crop, least=features.DECODED)
    sheet = cv2.imdecode(np.frombuffer(features.drawing(query, decoded(0), overlap), np.uint8), cv2.IMREAD_COLOR)
    assert sheet.shape == (420, 400 + 16 + 560, 3)
    coloured = np.abs(sheet.astype(int).max(axis=2) - sheet.min(axis=2)) > 60
    assert coloured[:, :400].any()
    assert coloured[:, 416:].any()


# --- the pool


def votes_plainly(query: Features, references: dict[int, Features]) -> dict[int, int]:
    """For each reference its best three neighbouring turns, over the eight nearest features of all."""
    every = [
        (who, row["direction"], np.unpackbits(row["bits"])) for who, each in references.items() for row in each.rows
    ]
    votes: dict[int, set] = {}
    for number, row in enumerate(query.rows[: features._ASKED]):
        bits = np.unpackbits(row["bits"])
        near = sorted((int((bits != other).sum()), at) for at, (_, _, other) in enumerate(every))
        for distance, at in near[: features._NEIGHBOURS]:
            if distance <= features._VOTING_DISTANCE:
                who, direction, _ = every[at]
                turn = (int(direction) - int(row["direction"])) % 256 * 24 // 256
                votes.setdefault(who, set()).add((number, turn))
    return {
        who: max(sum((turn - middle) % 24 in {23, 0, 1} for _, turn in cast) for middle in range(24))
        for who, cast in votes.items()
    }


def test_votes_are_those_of_the_plain_count():
    small = {number: Features(rows=kept(number).rows[:30], width=640, height=480) for number in range(3)}
    query = Features(rows=searched(jpeg(scene(1)))[0].rows[:60], width=800, height=600)
    plain = {who: many for who, many in votes_plainly(query, small).items() if many >= features._LEAST_VOTES}
    assert dict(Pool(small.items()).candidates(query)) == plain != {}


def test_a_picture_added_is_found_and_a_picture_removed_is_not():
    query = searched(jpeg(scene(3)))
    some = Pool([(number, kept(number)) for number in (1, 2)])
    assert some.found(query, kept) == ()
    some.add(3, kept(3))
    assert [who for who, _ in some.found(query, kept)] == [3]
    some.remove(3)
    assert some.found(query, kept) == ()
    some.add(3, kept(3))
    assert [who for who, _ in some.found(query, kept)] == [3]
    (who, votes), *_ = some.candidates(query[0])
    (_, expected), *_ = Pool([(1, kept(1)), (2, kept(2)), (3, kept(3))]).candidates(query[0])
    assert who == 3
    assert 0 < votes <= expected  # what was removed may still take a neighbour's place, and never votes twice


def test_a_large_pool_finds_what_a_small_one_finds(monkeypatch):
    monkeypatch.setattr(features, "_FLAT_BELOW", 10_000)
    crowd = [(100 + number, made(number, 1000)) for number in range(6)]
    large = Pool([*crowd, *((number, kept(number)) for number in range(MANY))])
    assert len(large) > 10_000
    for number in range(2):
        upright, _ = searched(edits.edited("cropped to 50 %", scene(number), (), 1))
        assert large.candidates(upright)[0][0] == number


def test_a_pool_that_grows_is_divided_and_keeps_what_it_holds(monkeypatch):
    monkeypatch.setattr(features, "_FLAT_BELOW", 4_000)
    grown, known = Pool(), {}
    upright, _ = searched(jpeg(scene(1)))
    kinds = set()
    for number in range(14):
        known[number] = kept(number) if number < MANY else made(number, 1000)
        grown.add(number, known[number])
        if number >= 1:
            (first, votes), *_ = grown.candidates(upright)
            kinds.add((type(grown._index).__name__, grown._cells))
            assert first == 1
    (first_kind, none), (_, some), (last_kind, most) = sorted(kinds, key=lambda each: each[1])
    assert (first_kind, none, last_kind) == ("IndexBinaryFlat", 0, "IndexBinaryIVF")
    assert 20 <= some <= most // 2
    everything = np.concatenate([each.bits for each in known.values()])
    assert len(grown) == len(everything)
    assert (features._bits_in(grown._index, grown._cells) == everything).all()
    flat = Pool()
    monkeypatch.setattr(features, "_FLAT_BELOW", 10**9)
    for number, each in known.items():
        flat.add(number, each)
    (who, exact), *_ = flat.candidates(upright)
    assert (who, flat._cells) == (1, 0)
    assert 0.8 * exact <= votes <= exact


def test_an_empty_pool_proposes_nothing():
    assert Pool().candidates(kept(0)) == ()
    grown = Pool()
    grown.add(5, kept(5))
    assert grown.candidates(kept(5))[0][0] == 5


def test_what_somebody_else_proposes_is_verified_too():
    blind = Pool([(1, kept(1))])
    query = searched(jpeg(scene(4)))
    assert [who for who, _ in blind.found(query, kept, also=(4,))] == [4]
    assert blind.found(query, kept, also=(5,)) == ()
