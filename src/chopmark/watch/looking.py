"""Look at the pictures of listings: fetch each once, describe many in one go, and closely what deserves it.

    looker = Looker(matcher, workshop=..., source=..., cache=...)
    looker.look([listing.pictures, ...], at)     -> for each listing, what `judge.Judge` takes as fingerprints
    looker.looked([listing.pictures, ...], at)   -> the same, and which listings deserve a second, closer look

Every picture gets a sketch, made for up to `BATCH` pictures, or `HEAVY` bytes, by one process of the media cage. One
that kills its decoder spoils the batch, which is then halved until the bad one is alone. A picture that took its
decoder over without killing it could falsify what is said of the others of its batch; `batch=1` rules that out at the
price of a process a picture.
Closely, by local features and logos, is looked at what has a near code (what agrees, and where), and at the others
while `patience` lasts: that costs fifty times as much, so a full feed gets codes alone, and the rest a second look
later (`actions.second_look`).
Of a listing only pictures that show something protected are given back.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Final, TypeVar

from chopmark.base import cbor
from chopmark.base.errors import Invalid, Refused, Unavailable
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
TROUBLES: Final = 3
"""Pictures of one listing that kill their decoders or cost too much, before its others are not looked at."""
LIMITS: Final = Limits(size=8_000_000, cpu=5, wall=10.0, memory=1_000_000_000, answer=4_000_000)
"""Of one picture."""
_COSTLY: Final = frozenset({"media.too_costly", "media.decoder_died"})

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
        new = [one for one in batch if one.data and one.seen is None]
        while new:
            heavy, count = 0, 0
            while count < len(new) and (not count or heavy + len(new[count].data) <= HEAVY):
                heavy += len(new[count].data)
                count += 1
            self._sketch_or_halve(new[:count], costly)
            new = new[count:]

    def _sketch_or_halve(self, some: Sequence[_One], costly: Counter[int]) -> None:
        new: list[_One] = []
        for one in some:
            if all(costly[place] >= TROUBLES for place in one.listings):
                one.trouble = "media.too_costly"
            else:
                new.append(one)
        if not new:
            return
        try:
            answers = self._sketches([one.data for one in new])
        except Invalid as error:
            if len(new) == 1:
                costly.update(new[0].listings)
                new[0].trouble = error.code
                return
            for half in (new[: len(new) // 2], new[len(new) // 2 :]):  # one of them killed the process: which?
                self._sketch_or_halve(half, costly)
            return
        for one, answer in zip(new, answers, strict=True):
            if isinstance(answer, str):
                one.trouble = answer
            else:
                one.seen = Seen(picture=0, sha256=one.sha256, sketch=answer)

    def _sketches(self, data: Sequence[bytes]) -> list[bytes | str]:
        """Of each its sketch, or the code of why there is none.

        Raises:
            Invalid: `media.too_costly`, `media.decoder_died`.
        """
        limits = replace(LIMITS, answer=LIMITS.answer * len(data)) if len(data) > 1 else LIMITS
        body = self._workshop.ask("sketches", [b"".join(data)], {"sizes": [len(each) for each in data]}, limits)
        return _read(body, len(data))

    def _closely(self, batch: Sequence[_One], costly: Counter[int], left: float) -> float:
        """Look closely where that is worth it, remember all, keep what shows something; the time that is left."""
        here = [(one, one.seen) for one in batch if one.seen is not None]
        near = self._matcher.near([seen for _, seen in here])
        for (one, sketched), hit in zip(here, near, strict=True):
            seen = sketched
            tired = all(costly[place] >= TROUBLES for place in one.listings)
            if one.data and not seen.close and not tired and (hit or left > 0):
                started = self._clock()
                seen = self._close(seen, one, costly)
                left -= 0 if hit else self._clock() - started
            if self._cache is not None and one.data:
                self._cache.keep_seen(seen)
            shows = hit or (seen.close and bool(self._matcher.find([seen])))
            one.glanced = not seen.close and not tired
            one.seen = seen if shows else None
            if shows and self._cache is not None and one.data:
                self._cache.hold(one.data)
        return left

    def _close(self, seen: Seen, one: _One, costly: Counter[int]) -> Seen:
        """With its local features, and its brightness where logos are looked for; a plain picture has only that."""
        prints, gray = seen.prints, seen.gray
        try:
            if self._matcher.logos:
                gray = self._workshop.ask("brightness", [one.data], {"side": GRAY_SIDE}, LIMITS)
            prints = self._workshop.fingerprint(one.data, LIMITS, query=True).prints
        except Invalid as error:
            if error.code in _COSTLY:
                costly.update(one.listings)
                one.trouble = error.code
        return replace(seen, prints=prints, gray=gray, close=True)


def _read(body: bytes, count: int) -> list[bytes | str]:
    """What the cage answered, read strictly.

    Raises:
        Invalid: `media.decoder_died`.
    """
    try:
        said = cbor.decode(body)
    except Invalid as error:
        raise Invalid("media.decoder_died", signal=0) from error
    if not isinstance(said, list) or len(said) != count or not all(isinstance(each, bytes | str) for each in said):
        raise Invalid("media.decoder_died", signal=0)
    return [each if isinstance(each, bytes) else each[:64] for each in said]


def _batched(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """So many at a time."""
    rest = iter(values)
    while some := list(islice(rest, size)):
        yield some
