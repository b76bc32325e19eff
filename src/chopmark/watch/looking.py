"""Look at the pictures of listings: fetch each once, describe many in one go, and closely what deserves it.

    looker = Looker(matcher, workshop=..., source=..., cache=...)
    looker.look([listing.pictures, ...], at)     -> for each listing, what `judge.Judge` takes as fingerprints
    looker.looked([listing.pictures, ...], at)   -> the same, and which listings deserve a second, closer look

Every picture gets a sketch, made for up to `BATCH` pictures, or `HEAVY` bytes, by one process of the media cage. One
that kills its decoder spoils the batch, which is then halved until the bad one is alone. A picture that took its
decoder over without killing it could falsify what is said of the others of its batch; `batch=1` rules that out at the
price of a process a picture.
Closely, by local features and logos and up to `CLOSE` in one process, is looked at what has a near code (what agrees,
and where), and at the others while `patience` lasts: that costs fifty times as much, so a full feed gets codes alone,
and the rest a second look later (`actions.second_look`).
Of a listing only pictures that show something protected are given back.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any, Final, TypeVar

from chopmark.base import cbor
from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.media.fingerprint import Print
from chopmark.media.guard import Limits
from chopmark.media.workshop import Workshop
from chopmark.watch.found import Looked
from chopmark.watch.listing import Picture
from chopmark.watch.pictures import GRAY_SIDE, PictureMatcher, Seen
from chopmark.watch.shelf import Cache, Fetches, Source

BATCH: Final = 256
HEAVY: Final = 16_000_000
"""Bytes of pictures that one process decodes: so a batch of large ones takes no longer than one of many small ones."""
GOT: Final = 64
"""Pictures got at a time; with what waits for its batch, what is in memory at most."""
PATIENCE: Final = 2.0  # seconds of close looks at pictures without a near code, for one call
THREADS: Final = 8
TOGETHER: Final = 8  # pictures that one thread reads from a folder in one go
CLOSE: Final = 8
"""Pictures that one process looks at closely: starting it costs half as much as looking at one."""
DEAR: Final = 0.05
"""Seconds of such a look, about; so many are begun as patience has room for."""
TROUBLES: Final = 3
"""Pictures of one listing that kill their decoders or cost too much, before its others are not looked at."""
LIMITS: Final = Limits(size=8_000_000, cpu=5, wall=10.0, memory=1_000_000_000, answer=4_000_000)
"""Of one picture."""

Pictures = Sequence[Picture]
T = TypeVar("T")


@dataclass(slots=True)
class _One:
    """A picture while it is looked at.

    Attributes:
        listings: places of the listings that have it.
        data: its bytes, until its batch is done. sha256: of them.
    """

    picture: Picture
    listings: list[int] = field(default_factory=list)
    data: bytes = b""
    sha256: bytes = b""
    seen: Seen | None = None
    glanced: bool = False
    trouble: str = ""


class Looker:
    """See the module. May be shared by threads.

    Args:
        source: where bytes come from. One that `Fetches` is asked with what the cache knows of an address.
        patience: seconds; nought for codes alone, infinity for a close look at everything.
        haste: seconds after which nothing more is fetched in one call, so that a slow host holds up nobody: what is
            missing then was not even glanced at. Infinity for no haste.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        matcher: PictureMatcher,
        *,
        workshop: Workshop,
        source: Source,
        cache: Cache | None = None,
        patience: float = PATIENCE,
        haste: float = math.inf,
        batch: int = BATCH,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._matcher, self._workshop, self._source, self._cache = matcher, workshop, source, cache
        self._patience, self._haste, self._batch, self._clock = patience, haste, batch, clock
        self.troubles: Counter[str] = Counter()
        """Why pictures were left out, so far."""

    def look(self, listings: Sequence[Pictures], at: datetime) -> list[tuple[Seen, ...]]:
        """What may show something protected, of each of these listings' pictures. Raises as `looked`."""
        return [tuple(each) for each in self.looked(listings, at).seen]

    def looked(self, listings: Sequence[Pictures], at: datetime) -> Looked:
        """What may show something protected, and what was described by codes alone.

        Raises:
            Unavailable: the machine lacks something (`media.decoder_missing`, `media.no_room`, ...): try again later.
        """
        ones: dict[Picture, _One] = {}
        for place, pictures in enumerate(listings):
            for picture in pictures:
                ones.setdefault(picture, _One(picture=picture)).listings.append(place)
        costly: Counter[int] = Counter()
        left, until = self._patience, self._clock() + self._haste
        every = list(ones.values())
        with ThreadPoolExecutor(THREADS) as threads:
            batch: list[_One] = []
            for start in range(0, len(every), GOT):
                some = every[start : start + GOT]
                self._get_all(some, threads, at=at, close=left > 0, until=until)
                batch += some
                full = len(batch) >= self._batch or sum(len(one.data) for one in batch) >= HEAVY
                if full or start + GOT >= len(every):
                    for part in _batched(batch, self._batch):
                        self._sketch(part, costly)
                        left = self._closely(part, costly, left)
                    for one in batch:
                        one.data = b""
                    batch = []
        self.troubles.update(one.trouble for one in every if one.trouble)
        return Looked(
            seen=tuple(
                tuple(
                    replace(seen, picture=number)
                    for number, picture in enumerate(pictures)
                    if (seen := ones[picture].seen) is not None
                )
                for pictures in listings
            ),
            glanced=frozenset(place for one in every if one.glanced for place in one.listings),
        )

    def _get_all(
        self, some: Sequence[_One], threads: ThreadPoolExecutor, *, at: datetime, close: bool, until: float
    ) -> None:
        """Threads, since hosts and mounted stores take their time; from a folder a few pictures a turn."""
        size = 1 if isinstance(self._source, Fetches) else TOGETHER

        def get(few: Sequence[_One]) -> None:
            for one in few:
                self._get(one, at=at, close=close, until=until)

        for _ in threads.map(get, _batched(some, size)):
            pass

    def _get(self, one: _One, *, at: datetime, close: bool, until: float) -> None:
        """Its bytes, or what the cache knows of them where that is enough."""
        if self._clock() > until:
            one.glanced = True
            return
        try:
            if self._cache is None or not one.picture.url or not isinstance(self._source, Fetches):
                self._read_from_source(one, close)
            else:
                self._fetch(one, self._source, self._cache, at, close)
        except (Refused, Invalid) as error:
            one.trouble = error.code
        except Unavailable as error:
            one.trouble, one.glanced = error.code, math.isfinite(self._haste)  # who has time waits longer for a host

    def _read_from_source(self, one: _One, close: bool) -> None:  # noqa: FBT001 (of this module alone)
        known = self._cache.seen(one.picture.sha256) if self._cache is not None and one.picture.sha256 else None
        if known is not None and (known.close or not close):
            one.seen = known
            return
        one.data = self._source(one.picture)
        one.sha256 = hashlib.sha256(one.data).digest()
        one.seen = self._cache.seen(one.sha256) if self._cache is not None else None

    def _fetch(self, one: _One, source: Fetches, cache: Cache, at: datetime, close: bool) -> None:  # noqa: FBT001
        """What the address gives now counts, whatever digest the listing names."""
        url = one.picture.url
        known = cache.known(url, at)
        seen = cache.seen(known.sha256) if known is not None else None
        enough = seen is not None and (seen.close or not close)
        if known is not None and known.fresh and enough:
            one.seen = seen
            return
        found = source.fetch(url, etag=known.etag if known is not None and enough else "")
        if found.same and known is not None and enough:
            cache.remember(url, known.etag, known.sha256, at, had=known.had)
            one.seen = seen
            return
        if not found.data:
            raise Refused("watch.picture_refused", status=304 if found.same else 204)
        one.data, one.sha256 = found.data, hashlib.sha256(found.data).digest()
        cache.remember(url, found.etag, one.sha256, at)
        one.seen = cache.seen(one.sha256)

    def _sketch(self, batch: Sequence[_One], costly: Counter[int]) -> None:
        """Sketches of those that have bytes and are not known yet."""

        def take(one: _One, sketch: bytes) -> None:
            one.seen = Seen(picture=0, sha256=one.sha256, sketch=sketch)

        new = [one for one in batch if one.data and one.seen is None]
        for some in _light(new, len(new)):
            self._ask_or_halve(some, costly, _Question("sketches", {}, _is_sketch, take))

    def _close(self, some: Sequence[_One], costly: Counter[int]) -> None:
        """Local features, and brightness where logos are looked for; a plain picture has only that."""

        def take(one: _One, found: list[bytes]) -> None:
            plain, mirrored, gray = found
            prints = (Print(name="plain", data=plain), Print(name="mirrored", data=mirrored)) if plain else ()
            one.seen = replace(_known(one), prints=prints, gray=gray)

        side = GRAY_SIDE if self._matcher.logos else 0
        for each in _light(some, CLOSE):
            self._ask_or_halve(each, costly, _Question("closely", {"side": side}, _is_close, take))
        for one in some:  # whatever came of it
            one.seen = replace(_known(one), close=True)

    def _ask_or_halve(self, some: Sequence[_One], costly: Counter[int], question: _Question) -> None:
        new: list[_One] = []
        for one in some:
            if _tired(one, costly):
                one.trouble = "media.too_costly"
            else:
                new.append(one)
        if not new:
            return
        try:
            answers = self._answers([one.data for one in new], question)
        except Invalid as error:
            if len(new) == 1:
                costly.update(new[0].listings)
                new[0].trouble = error.code
                return
            for half in (new[: len(new) // 2], new[len(new) // 2 :]):  # one of them killed the process: which?
                self._ask_or_halve(half, costly, question)
            return
        for one, answer in zip(new, answers, strict=True):
            if isinstance(answer, str):
                one.trouble = answer[:64]
            else:
                question.take(one, answer)

    def _answers(self, data: Sequence[bytes], question: _Question) -> list[Any]:
        """Of each what was asked for, or the code of why there is none; read strictly.

        Raises:
            Invalid: `media.too_costly`, `media.decoder_died`.
        """
        limits = replace(LIMITS, answer=LIMITS.answer * len(data)) if len(data) > 1 else LIMITS
        given = {"sizes": [len(each) for each in data], **question.given}
        body = self._workshop.ask(question.operation, [b"".join(data)], given, limits)
        try:
            said = cbor.decode(body)
        except Invalid as error:
            raise Invalid("media.decoder_died", signal=0) from error
        sound = isinstance(said, list) and len(said) == len(data)
        if not sound or not all(isinstance(each, str) or question.sound(each) for each in said):
            raise Invalid("media.decoder_died", signal=0)
        return list(said)

    def _closely(self, batch: Sequence[_One], costly: Counter[int], left: float) -> float:
        """Look closely where that is worth it, remember all, keep what shows something; the time that is left."""
        here = [one for one in batch if one.seen is not None]
        near = self._matcher.near([_known(one) for one in here])
        new = [(one, hit) for one, hit in zip(here, near, strict=True) if one.data and not _known(one).close]
        self._close([one for one, hit in new if hit and not _tired(one, costly)], costly)
        others = [one for one, hit in new if not hit]
        while left > 0 and others:
            count = int(min(CLOSE, left / DEAR)) or 1
            some, others = others[:count], others[count:]
            started = self._clock()
            self._close([one for one in some if not _tired(one, costly)], costly)
            left -= self._clock() - started
        for one, hit in zip(here, near, strict=True):
            seen = _known(one)
            if self._cache is not None and one.data:
                self._cache.keep_seen(seen)
            shows = hit or (seen.close and bool(self._matcher.find([seen])))
            one.glanced = not seen.close and not _tired(one, costly)
            one.seen = seen if shows else None
            if shows and self._cache is not None and one.data:
                self._cache.hold(one.data)
        return left


@dataclass(frozen=True, slots=True)
class _Question:
    """What the cage is asked of pictures: the operation, what it is told, whether an answer is sound, who takes it."""

    operation: str
    given: Mapping[str, int]
    sound: Callable[[object], bool]
    take: Callable[[_One, Any], None]


def _is_sketch(answer: object) -> bool:
    return isinstance(answer, bytes)


def _is_close(answer: object) -> bool:
    return isinstance(answer, list) and len(answer) == 3 and all(isinstance(each, bytes) for each in answer)


def _tired(one: _One, costly: Counter[int]) -> bool:
    """Whether all listings that have it cost too much already."""
    return all(costly[place] >= TROUBLES for place in one.listings)


def _known(one: _One) -> Seen:
    """What is seen of one that was sketched."""
    if one.seen is None:
        raise AssertionError("sketched before")
    return one.seen


def _light(some: Sequence[_One], most: int) -> Iterator[Sequence[_One]]:
    """So many at a time, and no more than `HEAVY` bytes."""
    while some:
        heavy, count = 0, 0
        while count < min(most, len(some)) and (not count or heavy + len(some[count].data) <= HEAVY):
            heavy += len(some[count].data)
            count += 1
        yield some[:count]
        some = some[count:]


def _batched(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """So many at a time."""
    rest = iter(values)
    while some := list(islice(rest, size)):
        yield some
