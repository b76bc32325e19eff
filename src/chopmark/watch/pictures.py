"""Protected pictures in the pictures of listings: what is protected, as one set in a file, and the matcher over it.

    protected = picture_set(references, logos); encode(protected) -> bytes; parse(bytes) -> PictureSet
    matcher = PictureMatcher(protected)
    matcher.near(seen)           which of these pictures have a near code; many at once, for sieves
    matcher.find(seen)           -> (PictureHit, ...) of one listing, each work and each logo once, best first

A `Seen` is what the platform keeps of one picture of a listing: SHA-256, its sketch (`media.sketch`) and, where it was
looked at closely, its local features and its brightness. A sketch finds the same picture, mirrored, turned, with text
on it, in a frame or as a quarter of a collage; local features find it cropped hard or set into a template; brightness
is compared with logos, as a whole: a logo that is a small thing in a photograph is not found here.

Pure: decodes nothing (`watch.looking`), fetches nothing (`watch.fetch`). A hit says that two pictures share something,
not who had it first. What follows from it is decided by rules and persons.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from chopmark.base import cbor
from chopmark.base.errors import Invalid
from chopmark.media.fingerprint import MILLION, WHOLE, Box, Code, Fingerprint, Print
from chopmark.media.index import RADIUS, SIZE
from chopmark.watch.found import PictureHit
from chopmark.watch.judge import Work

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from chopmark.media.guard import Kind
    from chopmark.media.match import Match, Owned
    from chopmark.media.sketch import Sketch
    from chopmark.rights.similarity.logos import LogoHit

FORM: Final = "chopmark-pictures/1"
MAX_REFERENCES: Final = 1_000_000
MAX_BYTES: Final = 8 << 30
MAX_HITS: Final = 20
"""Of one listing."""
LEAST_LOGO: Final = 0.70
"""Likeness of a logo from which on it is a hit; a rule that acts on one asks for more."""
MAX_LOGOS: Final = 3
"""Of one picture."""
GRAY_SIDE: Final = 256
"""Pixels of the longer side of the brightness that logos are looked for in."""
ALIKE_SELLERS: Final = 16
"""Bits up to which pictures of listings count as the same picture (`same_pictures`)."""
CROWD: Final = 200
"""Pictures alike, beyond which they link nobody: a maker's photograph, a template."""
EVERYBODYS: Final = 20
"""Sellers of one picture, beyond which it links none of them."""
_ASKED: Final = 512  # pictures looked up at a time, see `same_pictures`


# ---- what is protected -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One file of a work.

    Attributes:
        work: its number. right: id of the right that it stands under, empty when none.
        organisation: its holder (UUID as text).
        sha256: of the file.
        codes: those it is kept under. features: its local features as `media.features` writes them, empty for none.
    """

    work: str
    organisation: str
    sha256: bytes
    codes: tuple[Code, ...] = ()
    features: bytes = b""
    right: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logo:
    """The picture of a mark; `codes` as `rights.similarity.logos` writes them."""

    right: str
    codes: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSet:
    """All that is protected on a day.

    Attributes:
        version: SHA-256 over the canonical form, hex.
    """

    version: str
    references: tuple[Reference, ...] = ()
    logos: tuple[Logo, ...] = ()

    def works(self) -> dict[str, Work]:
        """Whose works they are, as the judge asks for it."""
        return {
            each.work: Work(right=each.right or each.work, number=each.work, organisation=each.organisation)
            for each in self.references
        }


def picture_set(references: Iterable[Reference], logos: Iterable[Logo] = ()) -> PictureSet:
    """The set of these, in order.

    Raises:
        Invalid: `watch.pictures_malformed` for one that is there twice, or for more than the limits.
    """
    made = PictureSet(
        version="",
        references=tuple(sorted(references, key=lambda each: (each.work, each.sha256))),
        logos=tuple(sorted(logos, key=lambda each: each.right)),
    )
    _must_be_sound(made)
    return replace(made, version=hashlib.sha256(_body(made)).hexdigest())


def encode(pictures: PictureSet) -> bytes:
    """For a file `pictures-<version>.cbor`: deterministic CBOR."""
    return _body(pictures)


def parse(data: bytes) -> PictureSet:
    """Read what `encode` wrote; it prints back.

    Raises:
        Invalid: `watch.pictures_malformed`.
    """
    if len(data) > MAX_BYTES:
        raise Invalid("watch.pictures_malformed")
    try:
        said = cbor.decode(data)
        found = PictureSet(
            version=hashlib.sha256(data).hexdigest(),
            references=tuple(_reference(each) for each in said["references"]),
            logos=tuple(Logo(right=right, codes=codes) for right, codes in said["logos"]),
        )
        _must_be_sound(found)
        same = _body(found) == data
    except (Invalid, KeyError, TypeError, ValueError, AttributeError) as error:
        raise Invalid("watch.pictures_malformed") from error
    if not same:
        raise Invalid("watch.pictures_malformed")
    return found


def _body(pictures: PictureSet) -> bytes:
    return cbor.encode(
        {
            "form": FORM,
            "references": [
                [
                    each.work,
                    each.organisation,
                    each.right,
                    each.sha256,
                    [[code.bits, code.quality, code.region, list(code.box)] for code in each.codes],
                    each.features,
                ]
                for each in pictures.references
            ],
            "logos": [[each.right, each.codes] for each in pictures.logos],
        }
    )


def _reference(said: Sequence[Any]) -> Reference:
    work, organisation, right, sha256, codes, features = said
    return Reference(
        work=work,
        organisation=organisation,
        right=right,
        sha256=sha256,
        codes=tuple(
            Code(bits=bits, quality=quality, region=region, box=(left, top, right_, bottom))
            for bits, quality, region, (left, top, right_, bottom) in codes
        ),
        features=features,
    )


def _must_be_sound(pictures: PictureSet) -> None:
    """Every value of the kind that it says, nothing twice, no more than the limits."""
    references, logos = pictures.references, pictures.logos
    files, rights = [(each.work, each.sha256) for each in references], [each.right for each in logos]
    codes = [code for each in references for code in each.codes]
    texts = [text for each in references for text in (each.work, each.organisation, each.right)]
    data = [part for each in references for part in (each.sha256, each.features)]
    sides = [side for each in codes for side in each.box]
    sound = (
        len(files) == len(set(files)) <= MAX_REFERENCES
        and len(rights) == len(set(rights)) <= MAX_REFERENCES
        and _are(str, (*texts, *rights, *(each.region for each in codes)))
        and _are(bytes, (*data, *(each.bits for each in codes), *(each.codes for each in logos)))
        and _are(int, (*sides, *(each.quality for each in codes)))
        and all(len(each.sha256) == 32 for each in references)
        and all(len(each.bits) == SIZE and 0 <= each.quality <= 100 for each in codes)
        and all(0 <= each <= MILLION for each in sides)
    )
    if not sound:
        raise Invalid("watch.pictures_malformed")


def _are(kind: type, values: Iterable[object]) -> bool:
    return all(type(each) is kind for each in values)


# ---- what was seen ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One picture of a listing.

    Attributes:
        picture: its place among the listing's pictures.
        sha256: of its bytes.
        sketch: `media.sketch.Sketch.encode()`; empty where there is none.
        prints: local features, as it is and mirrored; empty where it was not looked at closely.
        gray: its brightness: rows and columns in 2 bytes each, pixels; empty the same.
        close: whether it was looked at closely, whatever came of it.
    """

    picture: int
    sha256: bytes
    sketch: bytes = b""
    prints: tuple[Print, ...] = ()
    gray: bytes = b""
    close: bool = False

    def encode(self) -> bytes:
        """For a column of a file of listings: deterministic CBOR."""
        prints = [[each.name, each.data] for each in self.prints]
        return cbor.encode([self.picture, self.sha256, self.sketch, prints, self.gray, self.close])

    @classmethod
    def parse(cls, data: bytes) -> Seen:
        """Read what `encode` wrote.

        Raises:
            Invalid: `watch.seen_malformed`.
        """
        try:
            picture, sha256, sketch, prints, gray, close = cbor.decode(data)
            kept = tuple(Print(name=name, data=body) for name, body in prints)
            found = cls(picture=picture, sha256=sha256, sketch=sketch, prints=kept, gray=gray, close=close)
            sound = (
                _are(int, [picture])
                and _are(bool, [close])
                and _are(bytes, (sha256, sketch, gray))
                and found.encode() == data
            )
        except (Invalid, TypeError, ValueError) as error:
            raise Invalid("watch.seen_malformed") from error
        if not sound or picture < 0:
            raise Invalid("watch.seen_malformed")
        return found


# ---- the matcher -----------------------------------------------------------------------------------------------------


class PictureMatcher:
    """See the module. May be shared by threads.

    Args:
        radius: bits up to which two codes are held to be of one picture.
    """

    def __init__(self, protected: PictureSet, *, radius: int = RADIUS) -> None:
        from chopmark.media.index.codes import CodeIndex  # noqa: PLC0415 (loads arrays; only who matches)
        from chopmark.media.match import Library  # noqa: PLC0415 (the same)
        from chopmark.rights.similarity.logos import LogoIndex, parse_codes  # noqa: PLC0415 (the same)

        self.version = protected.version
        self._radius = radius
        self._references = protected.references
        self._same: dict[bytes, list[int]] = defaultdict(list)
        for file, each in enumerate(protected.references):
            self._same[each.sha256].append(file)
        self._rows = _Rows(protected.references)
        self._codes = CodeIndex(Path("nowhere"), self._rows, "pictures")
        self._library = Library(self._codes, self._rows.owners, _Prints(protected.references))
        self._logos = LogoIndex()
        for logo in protected.logos:
            try:
                self._logos.add(logo.right, parse_codes(logo.codes))
            except Invalid:  # another version's: found again once it is described anew
                continue

    @property
    def logos(self) -> int:
        """How many logos are looked for."""
        return len(self._logos)

    def near(self, pictures: Sequence[Seen | bytes]) -> list[bool]:
        """Whether each of these pictures is, or has a code near, one that is protected: one look-up for all."""
        several = [_seen(each) for each in pictures]
        hits = self._looked_up([_sketch(each) for each in several])
        return [bool(hits.get(at)) or each.sha256 in self._same for at, each in enumerate(several)]

    def find(self, fingerprints: Sequence[Seen | bytes]) -> tuple[PictureHit, ...]:
        """Works and logos in the pictures of one listing, best first: each work and each logo where it is shown best.

        What cannot be read is left out.
        """
        pictures = list(_readable(fingerprints))
        sketches = [_sketch(each) for each in pictures]
        by_code = self._looked_up(sketches)
        best: dict[tuple[str, str], PictureHit] = {}
        for at, each in enumerate(pictures):
            closely = {hit.work: hit for hit in self._closely(each)}
            for hit in (
                *self._same_file(each),
                *(_with(hit, closely) for hit in self._by_codes(each, sketches[at], by_code.get(at, {}))),
                *closely.values(),
                *self._like_logos(each),
            ):
                key = (hit.work, hit.right)
                if key not in best or _rank(hit) > _rank(best[key]):
                    best[key] = hit
        return tuple(sorted(best.values(), key=lambda hit: (-hit.score, hit.work, hit.right))[:MAX_HITS])

    def _looked_up(self, sketches: Sequence[Sketch | None]) -> Mapping[int, Mapping[int, tuple[int, int, int]]]:
        """For each sketch and file: distance, place of the sketch's code, id of the file's code, of the nearest two."""
        import numpy as np  # noqa: PLC0415 (as above)

        asked = [each.bits if each is not None else np.zeros((0, SIZE), np.uint8) for each in sketches]
        ends = np.cumsum([len(each) for each in asked])
        if not len(ends) or not ends[-1] or not self._references:
            return {}
        found: dict[int, dict[int, tuple[int, int, int]]] = defaultdict(dict)
        for hit in self._codes.search(np.concatenate(asked), self._radius, quick=True):
            at = int(np.searchsorted(ends, hit.query, side="right"))
            place = hit.query - int(ends[at - 1]) if at else hit.query
            file = self._rows.file_of(hit.id)
            if file not in found[at] or hit.distance < found[at][file][0]:
                found[at][file] = (hit.distance, place, hit.id)
        return found

    def _same_file(self, seen: Seen) -> Iterable[PictureHit]:
        for file in self._same.get(seen.sha256, ()):
            whose = self._references[file]
            yield PictureHit(work=whose.work, right=whose.right, picture=seen.picture, stage="same", score=1000)

    def _by_codes(
        self, seen: Seen, sketch: Sketch | None, hits: Mapping[int, tuple[int, int, int]]
    ) -> Iterable[PictureHit]:
        if sketch is None:
            return
        for file, (distance, place, kept) in hits.items():
            code, whose = sketch.code(place), self._references[file]
            yield PictureHit(
                work=whose.work,
                right=whose.right,
                picture=seen.picture,
                stage="codes",
                score=max(0, 1000 - distance * 1000 // 128),
                distance=distance,
                turn=code.turn,
                query=_placed(code.box),
                reference=_placed(self._rows.code(kept).box),
            )

    def _closely(self, seen: Seen) -> Iterable[PictureHit]:
        """By local features, where the picture has any."""
        if not seen.prints or not self._references:
            return
        asked = Fingerprint(kind="picture", media_type="image/jpeg", algorithm="seen", prints=seen.prints)
        try:
            matches = self._library.find(asked, limit=MAX_HITS)
        except Invalid:  # another version's features: the sketch has been asked
            return
        for match in matches:
            yield self._of_match(seen, match)

    def _of_match(self, seen: Seen, match: Match) -> PictureHit:
        whose, part = self._references[match.file], match.parts[0]
        return PictureHit(
            work=whose.work,
            right=whose.right,
            picture=seen.picture,
            stage="features",
            score=match.score,
            inliers=int(match.why["inliers"]),
            turn=part.turn,
            query=_placed(part.query),
            reference=_placed(part.reference),
        )

    def _like_logos(self, seen: Seen) -> Iterable[PictureHit]:
        if not seen.gray or not len(self._logos):
            return
        from chopmark.rights.similarity.logos import describe_query  # noqa: PLC0415 (as above)

        try:
            asked = describe_query(_gray(seen.gray))
        except Invalid:  # nothing stands out
            return
        for hit in self._logos.search(asked, limit=MAX_LOGOS):
            if hit.total >= LEAST_LOGO:
                yield _of_logo(seen, hit)


def _with(hit: PictureHit, closely: Mapping[str, PictureHit]) -> PictureHit:
    """A hit by codes with what local features add: which parts agree, and how much."""
    more = closely.get(hit.work)
    if more is None:
        return hit
    return replace(hit, inliers=more.inliers, query=more.query, reference=more.reference)


def _of_logo(seen: Seen, hit: LogoHit) -> PictureHit:
    return PictureHit(
        work="", right=hit.key, picture=seen.picture, stage="logo", score=min(1000, round(hit.total * 1000))
    )


_STAGES: Final[Sequence[Literal["logo", "features", "codes", "same"]]] = ("logo", "features", "codes", "same")


def _rank(hit: PictureHit) -> tuple[int, int, int, int]:
    """The same file, then codes, then features; the nearer, the more that agrees, the earlier picture."""
    return _STAGES.index(hit.stage), hit.score, hit.inliers, -hit.picture


def _placed(box: Box | None) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom as left, top, width, height; None for the whole."""
    if box is None or box == WHOLE:
        return None
    left, top, right, bottom = box
    return left, top, right - left, bottom - top


def _readable(given: Iterable[Seen | bytes]) -> Iterable[Seen]:
    for each in given:
        with suppress(Invalid):
            yield _seen(each)


def _seen(given: Seen | bytes) -> Seen:
    return given if isinstance(given, Seen) else Seen.parse(given)


def _sketch(seen: Seen) -> Sketch | None:
    from chopmark.media import sketch  # noqa: PLC0415 (as above)

    try:
        return sketch.parse(seen.sketch) if seen.sketch else None
    except Invalid:  # another version's
        return None


def _gray(data: bytes) -> npt.NDArray[np.uint8]:
    """Brightness as `media` gives it.

    Raises:
        Invalid: `watch.seen_malformed`.
    """
    import numpy as np  # noqa: PLC0415 (as above)

    rows, columns = int.from_bytes(data[:2]), int.from_bytes(data[2:4])
    if len(data) != 4 + rows * columns or min(rows, columns) < 16 or max(rows, columns) > GRAY_SIDE:
        raise Invalid("watch.seen_malformed")
    return np.frombuffer(data, np.uint8, offset=4).reshape(rows, columns)


class _Rows:
    """The codes of all references, as the index reads them; ids count from nought."""

    def __init__(self, references: Sequence[Reference]) -> None:
        self._all = [(file, code) for file, each in enumerate(references) for code in each.codes]

    def file_of(self, place: int) -> int:
        """Whose a code is."""
        return self._all[place][0]

    def code(self, place: int) -> Code:
        """It, with what it is of."""
        return self._all[place][1]

    def last(self) -> int:
        """See `media.index.codes.Source`."""
        return len(self._all)

    def added(self, after: int, last: int, limit: int) -> Sequence[tuple[int, int, bytes]]:
        """See there."""
        some = self._all[after : min(last, after + limit)]
        return [(place + 1, place, code.bits) for place, (_, code) in enumerate(some, after)]

    def gone(self, after: int, last: int) -> Sequence[int]:
        """See there."""
        del after, last
        return []

    def owners(self, ids: Sequence[int]) -> Mapping[int, Owned]:
        """See `media.match.Library`."""
        from chopmark.media.match import Owned  # noqa: PLC0415 (as above)

        return {place: Owned(file=self._all[place][0], kind="picture", code=self._all[place][1]) for place in ids}


class _Prints:
    """The local features of all references, see `media.match.Prints`."""

    def __init__(self, references: Sequence[Reference]) -> None:
        self._references = references

    def last(self) -> int:
        """See there."""
        return len(self._references)

    def added(self, after: int, last: int, limit: int) -> Sequence[tuple[int, int, Kind, tuple[Print, ...]]]:
        """See there."""
        some = self._references[after : min(last, after + limit)]
        return [
            (file + 1, file, "picture", (Print(name="plain", data=each.features),) if each.features else ())
            for file, each in enumerate(some, after)
        ]

    def gone(self, after: int, last: int) -> Sequence[int]:
        """See there."""
        del after, last
        return []


# ---- the same pictures -----------------------------------------------------------------------------------------------


def same_pictures(pictures: Iterable[tuple[str, Sketch]], *, radius: int = ALIKE_SELLERS) -> dict[str, str]:
    """Which pictures of listings are the same picture: name -> the smallest name of those that are alike.

    Of each only the code of the whole picture counts, so that a border, a mirror or a crop parts them: what links
    sellers must not be a chance. What more than `CROWD` are near is everybody's, and so are these: their name is
    empty, and so is that of blank pictures.

    Args:
        pictures: names (a digest, an address) and sketches.
    """
    import numpy as np  # noqa: PLC0415 (as above)

    from chopmark.media.index.bands import Bands, words_of  # noqa: PLC0415 (as above)

    wholes: dict[str, npt.NDArray[np.uint8]] = {}
    same: dict[str, str] = {}
    for name, each in pictures:
        same[name] = ""
        if len(each.rows) and not each.rows["region"][0]:
            wholes[name] = each.rows["bits"][0][0].copy()  # and not the rest: there may be very many
    names = sorted(wholes)
    if not names:
        return same
    words = words_of(np.stack([wholes[name] for name in names]))
    bands = Bands.build(words)
    group = list(range(len(names)))
    crowd = np.zeros(len(names), np.bool_)
    pairs: list[npt.NDArray[np.int32]] = []
    for start in range(0, len(names), _ASKED):
        asked = np.arange(start, min(start + _ASKED, len(names)))
        asked = asked[~crowd[asked]]  # who is in a crowd is asked no more: that bounds what a flood of copies costs
        near = bands.search(words[asked], radius, quick=True)
        over = np.bincount(near.query, minlength=len(asked)) > CROWD
        crowd[near.row[over[near.query]]] = True
        kept = ~over[near.query] & (asked[near.query] < near.row)
        pairs.append(np.stack([asked[near.query[kept]], near.row[kept]], axis=1).astype(np.int32))

    def first(at: int) -> int:
        while group[at] != at:
            group[at] = group[group[at]]
            at = group[at]
        return at

    for one, other in np.concatenate(pairs).tolist():
        if not crowd[one] and not crowd[other]:
            low, high = sorted((first(one), first(other)))
            group[high] = low
    return same | {name: names[first(at)] for at, name in enumerate(names) if not crowd[at]}


def shared_pictures(
    uses: Iterable[tuple[str, str]], sketches: Iterable[tuple[str, Sketch]], *, most: int = EVERYBODYS
) -> list[tuple[str, str]]:
    """Sellers and the pictures that link them: (seller, name), of pictures that are alike one name for all.

    A picture is left out that one seller alone has, that more than `most` sellers have (a maker's photograph, a
    template: counted over all files of it), or that is a crowd's (`same_pictures`).

    Args:
        uses: sellers and names of pictures. sketches: of those names that were looked at; others are alike with none.
    """
    same = same_pictures(sketches)
    sellers: dict[str, set[str]] = defaultdict(set)
    for seller, name in uses:
        if same.get(name, name):
            sellers[same.get(name, name)].add(seller)
    return [(seller, name) for name, whose in sellers.items() if 2 <= len(whose) <= most for seller in sorted(whose)]
