"""Looking at pictures of listings: each once, many in one go, the hostile ones alone, and what shows something kept."""

from __future__ import annotations

import hashlib
import math
import zipfile
import zlib
from datetime import UTC, datetime
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from watch.test_pictures import WORK, gray_of, overlaid, protected, sign
from watch.test_pictures_fetch import shop
from world import media

from chopmark.base import cbor
from chopmark.base.errors import Invalid, Refused
from chopmark.media.workshop import Workshop
from chopmark.rights.similarity import logos
from chopmark.watch import looking
from chopmark.watch.fetch import Fetcher
from chopmark.watch.listing import MAX_PICTURES, Picture, clean
from chopmark.watch.looking import TROUBLES, Looker
from chopmark.watch.pictures import Logo, PictureMatcher, Seen, picture_set
from chopmark.watch.shelf import Cache

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def workshop():
    made = Workshop(1)
    yield made
    made.close()


class Shelf:
    """Pictures by digest; counts what was asked."""

    def __init__(self, *files: bytes) -> None:
        self.files = {hashlib.sha256(each).digest(): each for each in files}
        self.asked: list[bytes] = []

    def __call__(self, picture):
        self.asked.append(picture.sha256)
        if picture.sha256 not in self.files:
            raise Refused("watch.picture_refused", status=404)
        return self.files[picture.sha256]


class Spoiled:
    """A workshop in which some pictures kill their decoder."""

    def __init__(self, within: Workshop, *bad: bytes) -> None:
        self.within, self.bad, self.asked = within, bad, []

    def ask(self, operation, files, given, limits=None):
        self.asked.append((operation, len(given.get("sizes", "."))))
        if any(bad in files[0] for bad in self.bad):
            raise Invalid("media.decoder_died", signal=11)
        return self.within.ask(operation, files, given, limits)

    def fingerprint(self, *args, **more):
        return self.within.fingerprint(*args, **more)


def of(*files: bytes) -> tuple[Picture, ...]:
    return tuple(Picture(sha256=hashlib.sha256(each).digest()) for each in files)


COPY = media.jpeg(media.picture(1)[:, ::-1], 60)
CROP = media.jpeg(overlaid(media.picture(2)[60:, 80:][:, ::-1]))
OTHER = media.jpeg(media.picture(50))
BLANK = media.jpeg(np.full((200, 200, 3), 255, np.uint8))


def looker(workshop, *files: bytes, patience: float = 0.0, **options):
    shelf = Shelf(*files)
    matcher = options.pop("matcher", None) or PictureMatcher(protected())
    return Looker(matcher, workshop=workshop, source=shelf, patience=patience, **options), shelf


def test_only_what_may_show_something_is_given_back_with_its_place(workshop):
    made, shelf = looker(workshop, COPY, OTHER, BLANK)
    missing = Picture(sha256=bytes(32))
    first, second, third = made.look([of(OTHER, COPY), (), (missing, *of(BLANK, COPY))], NOW)
    assert [each.picture for each in first] == [1]
    assert second == ()
    assert [each.picture for each in third] == [2]
    assert len(shelf.asked) == 4
    assert made.troubles == {"watch.picture_refused": 1}
    matcher = PictureMatcher(protected())
    assert [(hit.work, hit.picture) for hit in matcher.find(third)] == [(WORK, 2)]
    assert first[0].close, "what has a near code is looked at closely, whatever the patience"


def test_a_crop_in_a_template_is_found_while_patience_lasts_and_not_after_it(workshop):
    hurried, _ = looker(workshop, CROP, OTHER)
    assert hurried.look([of(CROP, OTHER)], NOW) == [()]
    patient, _ = looker(workshop, CROP, OTHER, patience=math.inf)
    [[seen]] = patient.look([of(CROP, OTHER)], NOW)
    [hit] = PictureMatcher(protected()).find([seen])
    assert (hit.work, hit.stage, hit.picture) == ("W-2026-000002", "features", 0)


def test_a_logo_is_looked_for_where_there_are_logos(workshop):
    matcher = PictureMatcher(picture_set([], [Logo(right="R1", codes=logos.describe(sign()).encode())]))
    shown = media.png(np.repeat((255 - sign(15))[:, :, None], 3, axis=2))
    made, _ = looker(workshop, shown, OTHER, matcher=matcher, patience=math.inf)
    [[seen]] = made.look([of(OTHER, shown)], NOW)
    [hit] = matcher.find([seen])
    assert (hit.right, hit.picture, hit.stage) == ("R1", 1, "logo")
    assert len(gray_of(sign())) == 4 + 240 * 240


def test_hostile_pictures_are_left_out_and_spoil_no_other(workshop):
    bomb = COPY[:2] + b"\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01" + COPY[20:]
    hostile = [
        b"",
        b"GIF89a",
        b"%PDF-1.7",
        b"<svg xmlns='x'>",
        b"\xff\xd8\xff" * 9,
        COPY[: len(COPY) // 3],
        bomb,
        bytes(99),
    ]
    made, _ = looker(workshop, COPY, *hostile)
    [found] = made.look([of(*hostile, COPY)], NOW)
    assert {each.picture for each in found} >= {len(hostile)}
    assert sum(made.troubles.values()) >= len(hostile) - 2


def saved(form: str, *frames: Image.Image, **options) -> bytes:
    data = BytesIO()
    more = {"save_all": True, "append_images": frames[1:]} if len(frames) > 1 else {}
    frames[0].save(data, form, **more, **options)
    return data.getvalue()


def shapes() -> dict[str, bytes]:
    """The copy in forms that shops rarely use and forgers might."""
    shown, other = Image.open(BytesIO(COPY)).convert("RGB"), Image.open(BytesIO(OTHER)).convert("RGB")
    deep = np.asarray(shown.convert("L")).astype(np.uint16) * 257
    behind = BytesIO()
    with zipfile.ZipFile(behind, "w") as file:
        file.writestr("page.html", "<script>alert(1)</script>")
    return {
        "CMYK": saved("JPEG", shown.convert("CMYK"), quality=90),
        "16 bits": saved("PNG", Image.fromarray(deep)),
        "animated GIF": saved("GIF", shown, other),
        "animated WebP": saved("WEBP", shown, other),
        "animated PNG": saved("PNG", shown, other),
        "see-through": saved("PNG", shown.convert("RGBA")),
        "AVIF": saved("AVIF", shown, speed=10),
        "a JPEG that is an archive too": COPY + behind.getvalue(),
    }


def test_the_first_frame_of_any_form_counts_and_what_lies_behind_is_not_read(workshop):
    files = shapes()
    given = {"sizes": [len(each) for each in files.values()]}
    answer = cbor.decode(workshop.ask("sketches", [b"".join(files.values())], given))
    seen = [Seen(picture=0, sha256=bytes(32), sketch=each) for each in answer]
    near = PictureMatcher(protected()).near(seen)
    assert dict(zip(files, near, strict=True)) == dict.fromkeys(files, True)


def test_a_picture_that_claims_to_be_enormous_is_refused_before_it_is_decoded(workshop):
    png = saved("PNG", Image.new("L", (8, 8)))
    head = png[12:16] + (200_000).to_bytes(4) * 2 + png[24:29]
    wide = png[:12] + head + zlib.crc32(head).to_bytes(4) + png[33:]
    gif = saved("GIF", Image.new("L", (8, 8)))
    broad = gif[:6] + b"\xff\xff\xff\xff" + gif[10:]
    bmp = saved("BMP", Image.new("L", (8, 8)))
    long = bmp[:18] + (100_000).to_bytes(4, "little") * 2 + bmp[26:]
    made, _ = looker(workshop, COPY, wide, broad, long)
    assert [len(each) for each in made.look([of(wide), of(broad), of(long), of(COPY)], NOW)] == [0, 0, 0, 1]
    assert made.troubles == {"media.picture_too_large": 3}


def test_one_that_kills_its_decoder_is_found_and_the_others_are_seen(workshop):
    spoiled = Spoiled(workshop, OTHER)
    made, _ = looker(spoiled, COPY, OTHER, BLANK)
    first, second = made.look([of(OTHER), of(BLANK, COPY)], NOW)
    assert first == ()
    assert [each.picture for each in second] == [1]
    assert made.troubles == {"media.decoder_died": 1}
    assert spoiled.asked[:3] == [("sketches", 3), ("sketches", 1), ("sketches", 2)]


def test_a_listing_full_of_killers_costs_no_more_than_a_few_of_them(workshop):
    killers = [b"kill" + bytes([number]) for number in range(10)]
    spoiled = Spoiled(workshop, b"kill")
    made, _ = looker(spoiled, *killers, COPY)
    first, second = made.look([of(*killers), of(COPY)], NOW)
    assert (first, len(second)) == ((), 1)
    alone = [count for operation, count in spoiled.asked if operation == "sketches" and count == 1]
    assert len(alone) == TROUBLES + 1
    assert len(spoiled.asked) <= 10


def test_pictures_are_looked_at_closely_some_at_a_time_and_as_alone(workshop):
    many = [media.jpeg(media.picture(2)[60 + number :, 80:][:, ::-1]) for number in range(looking.CLOSE + 3)]
    lists = [of(each) for each in (*many, BLANK)]
    together, alone = Spoiled(workshop), Spoiled(workshop)
    first, _ = looker(together, *many, BLANK, patience=math.inf)
    second, _ = looker(alone, *many, BLANK, patience=math.inf, batch=1)
    seen = first.look(lists, NOW)
    assert seen == second.look(lists, NOW)
    assert all(each[0].close and [part.name for part in each[0].prints] == ["plain", "mirrored"] for each in seen[:-1])
    assert seen[-1] == ()
    assert max(count for operation, count in together.asked if operation == "closely") == looking.CLOSE
    assert {count for _, count in alone.asked} == {1}


def test_patience_bounds_how_many_are_begun(workshop):
    files = [media.jpeg(media.picture(number)) for number in range(50, 58)]
    ticks = iter(range(10**6))
    spoiled = Spoiled(workshop)
    made, _ = looker(spoiled, *files, patience=2.5 * looking.DEAR, clock=lambda: float(next(ticks)))
    found = made.looked([of(each) for each in files], NOW)
    assert [count for operation, count in spoiled.asked if operation == "closely"] == [2]
    assert len(found.glanced) == len(files) - 2


def test_one_that_kills_its_decoder_when_looked_at_closely_spoils_no_other(workshop):
    class Picky(Spoiled):
        def ask(self, operation, files, given, limits=None):
            if operation == "sketches":
                return self.within.ask(operation, files, given, limits)
            return super().ask(operation, files, given, limits)

    near = media.jpeg(media.picture(1)[:, ::-1], 70)
    spoiled = Picky(workshop, near)
    made, _ = looker(spoiled, COPY, near, CROP, patience=math.inf)
    [[copy], [killer], [crop]] = made.look([of(COPY), of(near), of(CROP)], NOW)
    assert (bool(copy.prints), bool(killer.prints), bool(crop.prints)) == (True, False, True)
    assert (copy.close, killer.close, crop.close) == (True, True, True)
    assert made.troubles == {"media.decoder_died": 1}
    assert [count for _, count in spoiled.asked] == [2, 1, 1, 1]


def test_one_killer_among_very_many_is_found_by_halving(workshop):
    files = [media.png(np.full((8, 8, 3), number, np.uint8)) for number in range(100)]
    killer = b"kill"
    spoiled = Spoiled(workshop, killer)
    made, _ = looker(spoiled, *files[:60], killer, *files[60:], COPY)
    lists = [of(each) for each in (*files[:60], killer, *files[60:], COPY)]
    assert [bool(each) for each in made.look(lists, NOW)] == [False] * 101 + [True]
    assert made.troubles == {"media.decoder_died": 1}
    assert sum(operation == "sketches" for operation, _ in spoiled.asked) <= 15


def test_a_batch_is_bounded_in_bytes_and_every_picture_is_seen(workshop, monkeypatch):
    monkeypatch.setattr(looking, "HEAVY", 3 * len(COPY))
    monkeypatch.setattr(looking, "GOT", 4)
    others = [media.jpeg(media.picture(number)) for number in range(50, 57)]
    spoiled = Spoiled(workshop)
    made, shelf = looker(spoiled, COPY, *others)
    found = made.look([of(COPY), of(*others), of(*others, COPY)], NOW)
    assert [len(each) for each in found] == [1, 0, 1]
    assert len(shelf.asked) == 8
    counts = [count for operation, count in spoiled.asked if operation == "sketches"]
    assert sum(counts) == 8
    assert max(counts) < 5


@pytest.mark.parametrize("answer", [b"", b"\xff", cbor.encode([]), cbor.encode({"a": 1}), cbor.encode([1])])
def test_an_answer_that_cannot_be_read_is_a_decoder_that_died(answer):
    class Mad:
        def ask(self, *_args):
            return answer

    made, _ = looker(Mad(), COPY)
    assert made.look([of(COPY)], NOW) == [()]
    assert made.troubles == {"media.decoder_died": 1}


@pytest.mark.parametrize(
    "answer", [b"\xff", cbor.encode([b""]), cbor.encode([[b"", b""]]), cbor.encode([[b"", b"", 1]])]
)
def test_a_close_look_that_cannot_be_read_is_a_decoder_that_died(workshop, answer):
    class Mad(Spoiled):
        def ask(self, operation, *args):
            return answer if operation == "closely" else super().ask(operation, *args)

    made, _ = looker(Mad(workshop), COPY)
    [[seen]] = made.look([of(COPY)], NOW)
    assert (seen.close, seen.prints) == (True, ())
    assert made.troubles == {"media.decoder_died": 1}


def test_two_hundred_pictures_are_cut_and_those_left_are_each_seen_once(workshop):
    files = [media.jpeg(media.picture(1)[:, number:], 50) for number in range(3)]
    raw = {
        "item": "1",
        "seller": "s",
        "title": "t",
        "pictures": [{"sha256": each.sha256.hex()} for each in of(*files)] * 70,
    }
    listing = clean(raw, marketplace="demo")
    assert len(listing.pictures) == MAX_PICTURES
    assert "too_many_pictures" in listing.flags
    made, shelf = looker(workshop, *files)
    [found] = made.look([listing.pictures], NOW)
    assert len(found) == MAX_PICTURES
    assert len(shelf.asked) == 3


def test_a_picture_is_fetched_and_decoded_once_and_its_copy_is_held(workshop, tmp_path, monkeypatch):
    import watch.test_pictures_fetch as shops  # noqa: PLC0415 (its shop gives another picture here)

    monkeypatch.setattr(shops, "DATA", COPY)
    with shop() as (server, base):
        spoiled = Spoiled(workshop)
        cache = Cache(tmp_path)
        source = Fetcher(allow={f"127.0.0.1:{server.server_port}"})
        made = Looker(PictureMatcher(protected()), workshop=spoiled, source=source, cache=cache, patience=0)
        pictures = (Picture(url=base + "/good"), Picture(url=base + "/gone"), Picture(url="http://10.0.0.1/1.jpg"))
        again = NOW.replace(hour=18)
        for at in (NOW, NOW, again):
            [[seen]] = made.look([pictures], at)
            assert (seen.picture, seen.sha256) == (0, hashlib.sha256(COPY).digest())
        source.close()
    assert [tag for path, tag, _ in server.asked if path == "/good"] == [None, '"1"']
    assert sum(operation == "sketches" for operation, _ in spoiled.asked) == 1
    assert cache.held(hashlib.sha256(COPY).digest()) == COPY
    assert made.troubles["watch.address_refused"] == 3
