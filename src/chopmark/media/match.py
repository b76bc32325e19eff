"""Find: which of the files that are kept share something with a query, which part of which, how well, and why.

    library = Library(codes, owners, prints)
    library.find(query)       -> (Match, ...), best first
    library.look(query)       -> Looked: the same, and whether too much is alike for everything to be compared

Pictures: near codes in the index, then local features that agree on one map; a learned model, where there is one, may
propose what features are compared. Sound: landmarks and Chromaprint codes
on one offset. Film: frame codes that follow each other, and the sound track as a sound. A picture that is a frame of a
film, or a film that shows a picture, is found by codes. Text: passages of the same words.
The library is made from rows and follows them (see `index.codes.Source`); nothing is stored here.
A match says that two files share something. It does not say who had it first, or that anything is infringed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Literal, Protocol

import numpy as np

from chopmark.base.errors import Invalid, Unavailable
from chopmark.media import audio, features, shortlist, text, video
from chopmark.media.fingerprint import MILLION, Box, Code, Fingerprint, Print
from chopmark.media.guard import Kind
from chopmark.media.index import RADIUS, SIZE
from chopmark.media.index.codes import CodeIndex
from chopmark.media.segment import Segment

Stage = Literal["same", "codes", "features", "sound", "film", "text"]
MOST_MATCHES = 100
MOST_PARTS = 20
FILMS = 200
"""Up to so many films all are compared, those that share a frame before the others; of more, those alone."""
NEAR_FRAMES = 400  # candidates among films, by frames
FRAMES_COMPARED = 10_000_000_000
"""Pairs of frame codes that one search compares, half a minute: a film that does not fit into what is left is passed
over, unless it shares most frames of all."""
PATIENCE = 60.0
"""Seconds that a search waits for those before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Which part of the query is which part of the reference.

    Attributes:
        query, reference: boxes, in millionths of width and height; None for the whole or where there is no picture.
        query_span, reference_span: milliseconds of sound and film, characters of text.
        turn: how the query's part is turned, 0 to 7 (`picture.Code`).
        score: 0 to 1000.
    """

    query: Box | None = None
    reference: Box | None = None
    query_span: tuple[int, int] | None = None
    reference_span: tuple[int, int] | None = None
    turn: int = 0
    score: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A file that shares something with the query.

    Attributes:
        stage: by what it was accepted.
        score: 0 to 1000, comparable within one stage.
        why: what was counted: distance, region, inliers, covered, ...; `corners` says where those of the reference
            lie in the query, in millionths, clockwise from the upper left.
    """

    file: int
    kind: Kind
    stage: Stage
    score: int
    parts: tuple[Part, ...] = ()
    why: Mapping[str, int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """A code of the index: whose it is, and what of it."""

    file: int
    kind: Kind
    code: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a query met.

    Attributes:
        matches: best first.
        crowded: of so many of the query's codes not everything near was compared: too much in the library is alike
            there. What was here first was compared first.
    """

    matches: tuple[Match, ...]
    crowded: int = 0


class Prints(Protocol):
    """The rows of prints, numbered like those of codes (`index.codes.Source`)."""

    def last(self) -> int:
        """The highest number of a change."""

    def added(self, after: int, last: int, limit: int) -> Sequence[tuple[int, int, Kind, tuple[Print, ...]]]:
        """Up to `limit` files that came in (after, last], by number: number, id, kind, prints."""

    def gone(self, after: int, last: int) -> Sequence[int]:
        """The ids of the files taken away in (after, last]."""


READ = 200  # files asked for at a time


class Library:
    """Everything that is searched. May be shared by threads.

    Args:
        codes: the index of codes of pictures and frames.
        owners: what the codes of these ids are; ids that are gone are left out.
        prints: the rows of prints.
    """

    def __init__(
        self, codes: CodeIndex, owners: Callable[[Sequence[int]], Mapping[int, Owned]], prints: Prints
    ) -> None:
        self._codes, self._owners, self._prints = codes, owners, prints
        self._lock = Lock()
        self._forget()

    def find(self, query: Fingerprint, *, radius: int = RADIUS, limit: int = MOST_MATCHES) -> tuple[Match, ...]:
        """Files that share something with the query, best first.

        Args:
            radius: bits up to which two codes are held to be of one picture; above 31 unrelated pictures match too.
        """
        return self.look(query, radius=radius, limit=limit).matches

    def look(self, query: Fingerprint, *, radius: int = RADIUS, limit: int = MOST_MATCHES) -> Looked:
        """The same, and whether everything near was compared.

        Raises:
            Unavailable: `media.decoder_busy`: the searches before this one take too long.
        """
        by_code, crowded = self.near(query, radius)
        with self._alone():
            self._refresh()
            found = [
                *self._pictures(query, by_code),
                *self._sounds(query),
                *self._films(query, by_code),
                *self._texts(query),
            ]
        best: dict[int, Match] = {}
        for each in found:
            held = best.get(each.file)
            if held is None or each.score > held.score:
                best[each.file] = each
        matches = tuple(sorted(best.values(), key=lambda each: (-each.score, each.file))[:limit])
        return Looked(matches=matches, crowded=crowded)

    def near(
        self, query: Fingerprint, radius: int = RADIUS
    ) -> tuple[Mapping[int, tuple[tuple[int, Code, Owned], ...]], int]:
        """For each file with a near code: distance, the query's code, the file's code; nearest first. And `crowded`."""
        if not query.codes:
            return {}, 0
        asked = np.frombuffer(b"".join(each.bits for each in query.codes), np.uint8).reshape(-1, SIZE)
        hits = self._codes.nearest(asked, radius)
        owners = self._owners(sorted(each.id for each in hits.codes))
        found: dict[int, list[tuple[int, Code, Owned]]] = defaultdict(list)
        for hit in hits.codes:
            owned = owners.get(hit.id)
            if owned is not None:
                found[owned.file].append((hit.distance, query.codes[hit.query], owned))
        return {file: tuple(each) for file, each in found.items()}, hits.crowded

    # ---- pictures ----------------------------------------------------------------------------------------------------

    def _pictures(
        self, query: Fingerprint, by_code: Mapping[int, Sequence[tuple[int, Code, Owned]]]
    ) -> Iterable[Match]:
        """By codes, with what local features say of the same file; by local features alone."""
        asked = features_of(query)
        seen = sorted(by_code, key=lambda file: by_code[file][0][0])[: features.CANDIDATES * 2]
        known = self._resembling(query) | (set(seen) & set(self._features)) if asked else set()
        proposed: dict[int, list[features.Features]] = defaultdict(list, {file: list(asked) for file in known})
        for each in asked:
            for file, _ in self._pool.candidates(each):
                if file not in known:
                    proposed[file].append(each)  # a picture that votes as it is need not be compared mirrored
        overlaps: dict[int, features.Overlap] = {}
        for file, those in proposed.items():
            over = overlap(those, self._features[file])
            if over is not None:
                overlaps[file] = over
        for file, hits in by_code.items():
            distance, code, owned = hits[0]
            if owned.kind == "video" and query.kind == "video":
                continue  # frames are compared as films
            yield _by_code(distance, code, owned, overlaps.get(file))
        for file, over in overlaps.items():
            if file not in by_code:
                yield _by_features(file, over)

    def _resembling(self, query: Fingerprint) -> set[int]:
        """What a learned model proposes, where one described both; local features decide."""
        data = query.named("learned")
        if not data:
            return set()
        model, vector = shortlist.decode(data)
        known = self._learned.get(model)
        found = known.candidates(vector) if known is not None else ()
        return {file for file, _ in found if file in self._features}

    # ---- sound and film ----------------------------------------------------------------------------------------------

    def _sounds(self, query: Fingerprint) -> Iterable[Match]:
        data = query.named("sound")
        if not data or not len(self._sound):
            return
        found: dict[int, list[Segment]] = defaultdict(list)
        for file, segment in self._sound.search(audio.SoundPrint.parse(data), limit=MOST_MATCHES):
            found[file].append(segment)
        for file, segments in found.items():
            yield _by_segments(file, self._kinds[file], "sound", segments)

    def _films(self, query: Fingerprint, by_code: Mapping[int, Sequence[tuple[int, Code, Owned]]]) -> Iterable[Match]:
        data = query.named("film")
        if not data:
            return
        asked = video.FilmPrint.parse(data)
        sharing = sorted((file for file in by_code if file in self._film), key=lambda file: -len(by_code[file]))
        candidates = dict.fromkeys(sharing[:NEAR_FRAMES])
        if len(self._film) <= FILMS:
            candidates |= dict.fromkeys(self._film)
        left = FRAMES_COMPARED
        for count, file in enumerate(candidates):
            reference = video.FilmPrint.parse(self._film[file])
            costs = len(asked.rows) * len(reference.rows)
            if count and costs > left:
                continue
            left -= costs
            segments = video.match(asked, reference)
            if segments:
                yield _by_segments(file, "video", "film", segments)

    def _texts(self, query: Fingerprint) -> Iterable[Match]:
        data = query.named("text")
        if not data or not len(self._text):
            return
        found: dict[int, list[Segment]] = defaultdict(list)
        for file, segment in self._text.search(text.TextPrint.parse(data), limit=MOST_MATCHES):
            found[file].append(segment)
        for file, segments in found.items():
            yield _by_segments(file, "text", "text", segments, unit=1)

    # ---- rows --------------------------------------------------------------------------------------------------------

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._lock.acquire(timeout=PATIENCE):
            raise Unavailable("media.decoder_busy")
        try:
            yield
        finally:
            self._lock.release()

    def _forget(self) -> None:
        self._seen = 0
        self._kinds: dict[int, Kind] = {}
        self._features: dict[int, features.Features] = {}
        self._pool = features.Pool()
        self._learned: dict[str, shortlist.Shortlist] = {}
        self._sound = audio.SoundIndex()
        self._film: dict[int, bytes] = {}
        self._text = text.TextIndex()

    def _refresh(self) -> None:
        last = self._prints.last()
        if last < self._seen:
            self._forget()
        for file in self._prints.gone(self._seen, last):
            self._drop(file)
        while rows := self._prints.added(self._seen, last, READ):
            for number, file, kind, prints in rows:
                self._seen = number  # each once, also when what follows cannot be read now
                self._take(file, kind, {each.name: each.data for each in prints})
        self._seen = last

    def _take(self, file: int, kind: Kind, prints: Mapping[str, bytes]) -> None:
        self._kinds[file] = kind
        for name, data in prints.items():
            try:
                self._take_one(file, name, data)
            except Invalid:  # damaged, or another version's: found by what else there is
                continue

    def _take_one(self, file: int, name: str, data: bytes) -> None:
        match name:
            case "plain":
                self._features[file] = features.Features.decode(data)
                self._pool.add(file, self._features[file])
            case "learned":
                model, vector = shortlist.decode(data)
                self._learned.setdefault(model, shortlist.Shortlist()).add(file, vector)
            case "sound":
                self._sound.add(file, audio.SoundPrint.parse(data))
            case "film":
                video.FilmPrint.parse(data)
                self._film[file] = data
            case "text":
                self._text.add(file, text.TextPrint.parse(data))
            case _:
                pass

    def _drop(self, file: int) -> None:
        if self._kinds.pop(file, None) is None:
            return
        if self._features.pop(file, None) is not None:
            self._pool.remove(file)
        for each in self._learned.values():
            each.remove(file)
        self._sound.remove(file)
        self._film.pop(file, None)
        self._text.remove(file)


def features_of(query: Fingerprint) -> tuple[features.Features, ...]:
    """The local features of a query, as it is and mirrored; none for what is no picture."""
    plain, mirrored = query.named("plain"), query.named("mirrored")
    found = [features.Features.decode(plain)] if plain else []
    if mirrored:
        found.append(replace(features.Features.decode(mirrored), mirrored=True))
    return tuple(found)


def overlap(query: Sequence[features.Features], reference: features.Features) -> features.Overlap | None:
    """The best overlap of a query, as it is or mirrored, with a reference."""
    both = (features.verify(each, reference) for each in query)
    return max((each for each in both if each is not None), key=lambda each: each.inliers, default=None)


def _by_code(distance: int, code: Code, owned: Owned, over: features.Overlap | None) -> Match:
    part = Part(
        query=code.box,
        reference=owned.code.box,
        query_span=(code.at, code.at) if code.at else None,
        reference_span=(owned.code.at, owned.code.at) if owned.kind == "video" else None,
        turn=code.turn,
        score=_of_distance(distance),
    )
    why: dict[str, int | str] = {
        "distance": distance,
        "region": code.region,
        "reference_region": owned.code.region,
        "turn": code.turn,
        "quality": min(code.quality, owned.code.quality),
    }
    if over is not None:
        why |= _of_overlap(over)
        part = replace(_part_of(over), turn=code.turn, score=part.score)
    return Match(file=owned.file, kind=owned.kind, stage="codes", score=_of_distance(distance), parts=(part,), why=why)


def _by_features(file: int, over: features.Overlap) -> Match:
    part = _part_of(over)
    return Match(file=file, kind="picture", stage="features", score=part.score, parts=(part,), why=_of_overlap(over))


def _part_of(over: features.Overlap) -> Part:
    score = min(990, 500 + 5 * over.inliers)
    return Part(
        query=_box(over.query_hull), reference=_box(over.reference_hull), turn=4 if over.mirrored else 0, score=score
    )


def _of_overlap(over: features.Overlap) -> dict[str, int | str]:
    return {
        "inliers": over.inliers,
        "pairs": over.pairs,
        "covered": round(over.covered * 1000),
        "mirrored": int(over.mirrored),
        # Where the reference's corners lie in the query, from the upper left, in millionths.
        "corners": " ".join(f"{round(x * MILLION)},{round(y * MILLION)}" for x, y in over.corners),
    }


def _of_distance(distance: int) -> int:
    """0 bits are 1000; codes of unrelated pictures differ in half of their 256."""
    return max(0, 1000 - distance * 1000 // 128)


def _box(hull: Sequence[features.Point]) -> Box:
    xs, ys = ([min(max(round(point[axis] * MILLION), 0), MILLION) for point in hull] for axis in (0, 1))
    return min(xs), min(ys), max(xs), max(ys)


def _by_segments(file: int, kind: Kind, stage: Stage, segments: Sequence[Segment], unit: int = 1000) -> Match:
    """Parts in milliseconds, of seconds; with another unit, of what they are in."""
    ordered = sorted(segments, key=lambda each: -each.score)[:MOST_PARTS]
    parts = tuple(
        Part(
            query_span=(round(each.query.start * unit), round(each.query.end * unit)),
            reference_span=(round(each.reference.start * unit), round(each.reference.end * unit)),
            score=_thousand(each.score),
        )
        for each in ordered
    )
    why = {name: value if isinstance(value, int | str) else f"{value:.3f}" for name, value in ordered[0].why.items()}
    return Match(file=file, kind=kind, stage=stage, score=parts[0].score, parts=parts, why=why)


def _thousand(score: float) -> int:
    return min(max(round(score * 1000), 0), 1000)
