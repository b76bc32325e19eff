"""The searches' indexes, kept in step with the rows: one `Follower` for each home in each process.

Rows are the truth. Before each search the events since the last look are read (one query on the primary key) and the
rights that they name are put into the index as they are now, so that a search never lags behind what was committed.
Where the index is missing, damaged, of another version, or of other rows than these (the database was restored), it is
built anew: a small one at once, a large one beside the searches, which are told so. Whoever kills the process loses
nothing: what was not on disk is read from the rows again.

Logos are held in memory and read from `LogoCode` when the process first needs them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet

from chopmark.base import jcs
from chopmark.base.errors import Unavailable
from chopmark.rights.models import Event, LogoCode, Right
from chopmark.rights.similarity import LOGO_ALGORITHM
from chopmark.rights.similarity.keys import Keys
from chopmark.rights.similarity.words import Entry, Hit, WordIndex, exclusive

if TYPE_CHECKING:
    from chopmark.rights.similarity.logos import LogoHit, LogoIndex, LogoQuery

PUBLIC = ("verified", "expiring", "grace", "suspended")
"""States in which anybody who is signed in may find a right."""
OWN = ("submitted", "checking")
"""States in which its holder's organisation may."""
OVERLAP = 200
"""Events behind the last one that are looked at again: with PostgreSQL a lower number may be committed later."""
BATCH = 2000
AT_ONCE = 5000
"""Rights from which the index is built beside the searches."""
SETTLE_FROM = 2000
"""Changes in memory from which a process that searches writes them down."""
WORDED = ("trademark", "trade_name", "gi", "domain", "design")
_LONGEST_ALIAS = 80


def follower() -> Follower:
    """The one of this process and home."""
    return _follower(Path(settings.CHOPMARK_HOME))


@lru_cache(maxsize=4)
def _follower(home: Path) -> Follower:
    return Follower(home / "search")


class Follower:
    """See the module. Safe to be used by several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        self._words: WordIndex | None = None
        self._mark = ""  # digest of the event at the index's position
        self._seen: frozenset[int] = frozenset()  # events near the position that were looked at
        self._work: threading.Thread | None = None
        self._settle_from = SETTLE_FROM
        self._logos: LogoIndex | None = None
        self._narrow: dict[str, tuple[frozenset[str], frozenset[str], str, str]] = {}
        self._last_code = 0

    def words(
        self,
        asked: str | Keys,
        *,
        classes: Collection[str],
        territories: Collection[str],
        scope: str,
        limit: int,
        least: float,
        without: str = "",
        patient: bool = False,
    ) -> tuple[Hit, ...]:
        """What resembles these words, see `WordIndex.search`; `patient` builds a large index at once.

        Raises:
            Unavailable: `similarity.index_building`.
        """
        for last in (False, True):
            index = self._followed(patient=patient)
            try:
                return index.search(
                    asked,
                    classes=classes,
                    territories=territories,
                    scope=scope,
                    without=without,
                    limit=limit,
                    least=least,
                )
            except (ValueError, OSError):
                if last:
                    raise
                with self._lock:
                    self._forget()
        raise AssertionError  # the second round returns or raises

    def logos(
        self,
        asked: LogoQuery,
        *,
        classes: Collection[str],
        territories: Collection[str],
        scope: str,
        limit: int,
        without: str = "",
        patient: bool = False,
    ) -> tuple[LogoHit, ...]:
        """What resembles this picture, see `LogoIndex.search`. Raises as `words`."""
        self._followed(patient=patient)
        with self._lock:
            index = self._logos or self._load_logos()
            self._follow_codes()
            narrow = dict(self._narrow)

        def among(key: str) -> bool:
            theirs_classes, theirs_territories, whose, owner = narrow[key]
            return (
                (not whose or whose == scope)
                and not (without and owner == without)
                and (not classes or not theirs_classes.isdisjoint(classes))
                and (not territories or not theirs_territories.isdisjoint(territories))
            )

        return index.search(asked, limit=limit, among=lambda key: key in narrow and among(key))

    def follow(self, *, patient: bool = True) -> int:
        """Read what is new; the number of the last event. Raises as `words`."""
        return self._followed(patient=patient).position

    def settle(self, *, force: bool = False) -> None:
        """Write to disk what is only in memory, where that is much."""
        with self._lock:
            index, mark = self._words, self._mark
        if index is not None:
            try:
                index.settle(mark, force=force)
            except (ValueError, OSError):
                # A full disk, or damaged files: what is in memory still answers, and damage is found by the next
                # search that reads it. Tried again when as much has come again, not with each search.
                logging.getLogger(__name__).exception("the search index cannot be written")
                self._settle_from = 2 * max(index.waiting, SETTLE_FROM)
            else:
                self._settle_from = SETTLE_FROM

    def _followed(self, *, patient: bool) -> WordIndex:
        with self._lock:
            index = self._words or self._open()
            if index is None or not self._catch_up(index):
                index = self._rebuilt(patient=patient)
            if index.waiting >= self._settle_from and (self._work is None or not self._work.is_alive()):
                self._work = threading.Thread(target=self.settle, name="search-settle", daemon=True)
                self._work.start()
            return index

    def _open(self) -> WordIndex | None:
        index = WordIndex.open(self._folder)
        if index is not None:
            self._words, self._mark, self._seen = index, index.mark, frozenset()
        return index

    def _forget(self) -> None:
        self._words, self._mark, self._seen = None, "", frozenset()
        (self._folder / "state.json").unlink(missing_ok=True)

    def _catch_up(self, index: WordIndex) -> bool:
        """Read the events since the last look; False where they are not those that the index was made of."""
        while True:
            position = index.position
            events = list(
                Event.objects.filter(pk__gte=max(1, position - OVERLAP))
                .order_by("pk")
                .values_list("pk", "subject", "sha256")[: BATCH + OVERLAP]
            )
            here = {pk: bytes(sha256).hex() for pk, _, sha256 in events}
            if position and here.get(position) != self._mark:
                return False
            fresh = {subject for pk, subject, _ in events if pk not in self._seen}
            self._take(index, fresh, max(here, default=position))
            self._seen = frozenset(here)
            if here:
                newest = max(here)
                self._mark = here[newest]
            if len(events) < BATCH + OVERLAP:
                return True

    def _take(self, index: WordIndex, subjects: Iterable[UUID], position: int) -> None:
        listed = list(subjects)
        for start in range(0, len(listed), 500):
            rows = list(_full(Right.objects.filter(pk__in=listed[start : start + 500])))
            for row in rows:
                entry = entry_of(row)
                if entry is None:
                    index.drop(str(row.pk), position)
                else:
                    index.put(entry, position)
            if self._logos is not None:
                self._take_logos(rows, self._logos)
        index.reached(position)

    def _rebuilt(self, *, patient: bool) -> WordIndex:
        """Build anew, here or beside the searches.

        Raises:
            Unavailable: `similarity.index_building`.
        """
        self._words, self._logos = None, None
        if not patient and Right.objects.count() > AT_ONCE:
            if self._work is None or not self._work.is_alive():
                self._work = threading.Thread(target=self._build_beside, name="search-build", daemon=True)
                self._work.start()
            raise Unavailable("similarity.index_building")
        return self._build()

    def _build_beside(self) -> None:
        try:
            self._build()
        except Unavailable:  # another process builds it
            return
        finally:
            connection.close()

    def _build(self) -> WordIndex:
        with exclusive(self._folder) as mine:
            if not mine:
                raise Unavailable("similarity.index_building")
            last = Event.objects.order_by("-pk").values_list("pk", "sha256").first()
            position, mark = (0, "") if last is None else (last[0], bytes(last[1]).hex())
            try:
                index = WordIndex.build(self._folder, _entries(), position=position, mark=mark)
            except (ValueError, OSError) as error:  # a full disk: the rows are untouched, and the next search tries
                logging.getLogger(__name__).exception("the search index cannot be written")
                raise Unavailable("similarity.index_building") from error
        self._words, self._mark, self._seen = index, mark, frozenset()
        self._catch_up(index)
        return index

    def _load_logos(self) -> LogoIndex:
        from chopmark.rights.similarity.logos import LogoIndex  # noqa: PLC0415 (loaded for the first search by a logo)

        index = LogoIndex()
        self._last_code, self._narrow = 0, {}
        self._logos = index
        self._last_code = LogoCode.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        rows = iter(_full(Right.objects.filter(image__isnull=False, state__in=(*PUBLIC, *OWN)).order_by("pk")))
        while some := list(islice(rows, 500)):
            self._take_logos(some, index)
        return index

    def _take_logos(self, rows: Sequence[Right], index: LogoIndex) -> None:
        """Keep the pictures of these rights as they are now; one without codes is left out until it has some."""
        from chopmark.rights.similarity.logos import parse_codes  # noqa: PLC0415 (only with an index of logos)

        images = {bytes(row.image) for row in rows if row.image is not None}
        found = LogoCode.objects.filter(image__in=images, algorithm=LOGO_ALGORITHM).exclude(codes=b"")
        codes = {bytes(each.image): bytes(each.codes) for each in found} if images else {}
        for row in rows:
            index.remove(str(row.pk))
            self._narrow.pop(str(row.pk), None)
            kept = codes.get(bytes(row.image)) if row.image is not None else None
            if kept is not None and row.state in (*PUBLIC, *OWN):
                index.add(str(row.pk), parse_codes(kept))
                self._narrow[str(row.pk)] = _narrowed(row)

    def _follow_codes(self) -> None:
        """Codes that were made since the last look, of marks that were there already."""
        fresh = list(LogoCode.objects.filter(pk__gt=self._last_code).order_by("pk").values_list("pk", "image"))
        if fresh and self._logos is not None:
            for start in range(0, len(fresh), 500):
                images = [bytes(image) for _, image in fresh[start : start + 500]]
                self._take_logos(list(_full(Right.objects.filter(image__in=images))), self._logos)
            self._last_code = fresh[-1][0]


def entry_of(row: Right) -> Entry | None:
    """What the index keeps of a right; None for one that nobody is to find by its words."""
    if row.state not in (*PUBLIC, *OWN) or row.kind not in WORDED:
        return None
    texts = texts_of(row)
    if not texts:
        return None
    classes, territories, scope, owner = _narrowed(row)
    return Entry(key=str(row.pk), texts=texts, classes=classes, territories=territories, scope=scope, owner=owner)


def texts_of(row: Right) -> tuple[str, ...]:
    """Its words, or its title, and the other ways to write them that its record gives."""
    said = jcs.decode(bytes(row.current))
    record = said["record"] if isinstance(said, dict) else {}
    mark = record.get("mark", {}) if isinstance(record, dict) else {}
    others = [str(mark.get(each, "")) for each in ("transliteration", "translation")] if isinstance(mark, dict) else []
    found = (row.verbal or row.title, *(each for each in others if len(each) <= _LONGEST_ALIAS))
    return tuple(dict.fromkeys(each for each in found if each.strip()))


def _narrowed(row: Right) -> tuple[frozenset[str], frozenset[str], str, str]:
    """Classes, territories, the one organisation that may see it, and whose it is, of a right read with `_full`."""
    classes = frozenset(each.code.lstrip("0") for each in row.classes.all() if each.scheme == "nice")
    territories = frozenset(each.territory for each in row.territories.all())
    whose = str(row.organisation)
    return classes, territories, "" if row.state in PUBLIC else whose, whose


def _entries() -> Iterator[Entry]:
    rows = _full(Right.objects.filter(state__in=(*PUBLIC, *OWN), kind__in=WORDED).order_by("pk"))
    for row in rows:
        entry = entry_of(row)
        if entry is not None:
            yield entry


def _full(rows: QuerySet[Right]) -> Iterable[Right]:
    return rows.prefetch_related("classes", "territories").iterator(chunk_size=1000)


def public_ids(keys: Sequence[str], scope: str) -> dict[str, Right]:
    """The rows behind hits that may be shown to this organisation now."""
    rows = Right.objects.filter(pk__in=keys).prefetch_related("classes", "territories")
    return {
        str(row.pk): row for row in rows if row.state in PUBLIC or (row.state in OWN and str(row.organisation) == scope)
    }
