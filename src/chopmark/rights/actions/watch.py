"""Watches: save a search that is asked again about every new filing, stop it, and run them all.

The worker calls `run_watches` whenever it is idle: what was filed or verified since the last time is compared with
every watch at once, and each watch is asked against everything once a day. What a watch met stands in its list of
finds, and once a day `digest` writes of it. An organisation's own rights are no finds, and rights in checking are
nobody else's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction

from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.evidence import wiring
from chopmark.people.actor import Actor
from chopmark.rights.models import Event, Find, LogoCode, Right, Serial
from chopmark.rights.models import Watch as WatchRow
from chopmark.rights.queries import search
from chopmark.rights.queries.follow import OWN, PUBLIC, follower, texts_of
from chopmark.rights.queries.search import LEAST_LOGO, Narrow
from chopmark.rights.queries.signs import brought
from chopmark.rights.queries.watches import WatchSummary, own_watch, summary_of
from chopmark.rights.similarity import LOGO_ALGORITHM
from chopmark.rights.similarity.keys import Keys, keys
from chopmark.rights.similarity.score import ALERT, scores
from chopmark.rights.similarity.words import MAX_LIMIT

if TYPE_CHECKING:
    from chopmark.rights.similarity.logos import Gray, LogoQuery

MAX_WATCHES = 500
"""Of one organisation that run at a time."""
MAX_FINDS = 1000
"""Of one watch; the nearest are kept at its first run, later ones as they come."""
DAILY = timedelta(hours=24)
AT_ONCE = 500
"""Events, pictures and daily searches that one call takes in hand."""
EVERYTHING = Narrow()
_POSITION, _SWEPT = "watched", "logos"  # names of counters: last event, last day


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWatch:
    """What to look for.

    Attributes:
        text: words; with a picture, what a person calls it.
        picture: a logo, in place of words.
    """

    text: str = ""
    picture: bytes = b""
    narrow: Narrow = EVERYTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What one call of `run_watches` did.

    Attributes:
        described: pictures that were described.
        filings: rights that were compared with the watches.
        searches: watches that were asked against everything.
        finds: new ones.
        more: there is more to do.
    """

    described: int
    filings: int
    searches: int
    finds: int
    more: bool


@wiring.answering()
def save_watch(new: NewWatch, *, by: Actor, at: datetime) -> WatchSummary:
    """Begin to watch; what resembles already is found at the worker's next round.

    Raises:
        Refused: `similarity.too_many_watches`; what people's `must` raises.
        Invalid: `similarity.query_empty`, `similarity.query_too_long`, `similarity.narrow_malformed`,
            `similarity.picture_too_large`, `similarity.logo_blank`; what decoding raises.
    """
    by.must("file_rights")
    search.codes_of(new.narrow, at.date())
    drawn = b""
    if new.picture:
        if len(new.text) > 200:
            raise Invalid("similarity.query_too_long", limit=200)
        from chopmark.rights.similarity.logos import ink_of  # noqa: PLC0415 (loaded for the first logo)

        gray = search.brightness(new.picture)
        ink_of(gray)
        drawn = _png(gray)
    else:
        search.words_of(new.text)
    least = new.narrow.least if new.narrow.least is not None else LEAST_LOGO if drawn else ALERT
    with transaction.atomic():
        if WatchRow.objects.filter(organisation=by.organisation_id, stopped_at=None).count() >= MAX_WATCHES:
            raise Refused("similarity.too_many_watches", limit=MAX_WATCHES)
        row = WatchRow.objects.create(
            organisation=by.organisation_id,
            made_by=by.user_id,
            kind="logo" if drawn else "words",
            text=new.text.replace("\x00", "").strip(),
            picture=drawn,
            classes=sorted(set(new.narrow.classes)),
            territories=sorted(set(new.narrow.territories)),
            least=round(1000 * least),
            made_at=at,
        )
    return summary_of(row)


@wiring.answering()
def stop_watch(watch_id: UUID, *, by: Actor, at: datetime) -> WatchSummary:
    """End a watch; its finds stay. Ending it again changes nothing.

    Raises:
        Refused: `similarity.watch_not_found`; what people's `must` raises.
    """
    by.must("file_rights")
    row = own_watch(by, watch_id)
    if row.stopped_at is None:
        row.stopped_at = at
        row.save(update_fields=["stopped_at"])
    return summary_of(row)


@wiring.answering()
def see_finds(watch_id: UUID, *, by: Actor, at: datetime) -> int:
    """Note that a person saw what a watch found; how many were new.

    Raises:
        Refused: `similarity.watch_not_found`; what people's `must` raises.
    """
    by.must("file_rights")
    return own_watch(by, watch_id).finds.filter(seen_at=None).update(seen_at=at)


def run_watches(at: datetime) -> Ran:
    """Describe new pictures, compare new filings with every watch, and ask each watch that is due against everything.

    Idempotent and bounded: what one call leaves, `more` says, and the next takes up. A process that is killed in
    between repeats some comparisons, which find nothing twice.

    Raises:
        Unavailable: `similarity.index_building` while another process builds the index.
    """
    with wiring.answering():
        described = _swept(at)
        filings, found, left = _new_filings(at)
        searches, more_found = _daily(at)
    follower().settle()
    return Ran(
        described=described,
        filings=filings,
        searches=searches,
        finds=found + more_found,
        more=left or AT_ONCE in {described, searches},
    )


def describe_logos(at: datetime) -> int:
    """Make the codes of pictures of marks that have none yet, wherever they were left out; how many were looked at."""
    known = LogoCode.objects.filter(algorithm=LOGO_ALGORITHM).values("image")
    rows = Right.objects.filter(image__isnull=False, state__in=(*PUBLIC, *OWN)).exclude(image__in=known)
    return _describe(rows.values_list("image", flat=True)[:AT_ONCE], at)


def _describe(images: Iterable[bytes | memoryview | None], at: datetime) -> int:
    """Make the codes of those of these pictures that lie here and have none; how many were looked at."""
    wanted = {bytes(each) for each in images if each is not None}
    wanted -= {
        bytes(each)
        for each in LogoCode.objects.filter(algorithm=LOGO_ALGORITHM, image__in=wanted).values_list("image", flat=True)
    }
    if not wanted:
        return 0

    from chopmark.rights.similarity.logos import describe  # noqa: PLC0415 (loaded for the first logo)

    blobs = wiring.blobs()
    looked = 0
    for image in sorted(brought(wanted)):
        if not blobs.holds(image):
            continue
        codes, trouble = b"", ""
        try:
            codes = describe(search.brightness(b"".join(blobs.read(image)))).encode()
        except (Invalid, Unavailable) as error:
            trouble = error.code
        LogoCode.objects.get_or_create(
            image=image, algorithm=LOGO_ALGORITHM, defaults={"codes": codes, "trouble": trouble[:64], "made_at": at}
        )
        looked += 1
    return looked


def _swept(at: datetime) -> int:
    """Once a day, describe what was left out when it was filed: its picture came later, or the worker was killed."""
    serial, _ = Serial.objects.get_or_create(name=_SWEPT)
    today = at.date().toordinal()
    if serial.last == today:
        return 0
    described = describe_logos(at)
    if described < AT_ONCE:
        Serial.objects.filter(name=_SWEPT).update(last=today)
    return described


def _new_filings(at: datetime) -> tuple[int, int, bool]:
    """Compare what changed since the last time with every watch: rights compared, new finds, whether more is left."""
    serial, _ = Serial.objects.get_or_create(name=_POSITION)
    events = list(Event.objects.filter(pk__gt=serial.last).order_by("pk").values_list("pk", "subject")[:AT_ONCE])
    if not events:
        return 0, 0, False
    rows = list(
        Right.objects.filter(pk__in={subject for _, subject in events}, state__in=(*PUBLIC, *OWN)).prefetch_related(
            "classes", "territories"
        )
    )
    _describe((row.image for row in rows), at)
    found = 0
    filings = _filings(rows)
    for watch in WatchRow.objects.filter(stopped_at=None).order_by("pk").iterator(chunk_size=500) if rows else ():
        found += _keep(watch, _compared(watch, filings, at), at)
    Serial.objects.filter(name=_POSITION).update(last=events[-1][0])
    return len(rows), found, len(events) == AT_ONCE


@dataclass(frozen=True, slots=True, kw_only=True)
class _Met:
    right: Right
    text: str
    total: float
    scores: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filing:
    """A right as watches look at it: read and made keys of once, however many watches there are.

    Attributes:
        classes: of Nice.
        texts: its words, each with its keys.
        codes: of its picture, empty without.
    """

    right: Right
    classes: frozenset[str]
    territories: frozenset[str]
    texts: tuple[tuple[str, Keys], ...]
    codes: bytes


def _filings(rows: Iterable[Right]) -> list[_Filing]:
    """Those of these rights that everybody may find; read with their classes and territories."""
    public = [row for row in rows if row.state in PUBLIC]
    images = {bytes(row.image) for row in public if row.image is not None}
    made = LogoCode.objects.filter(image__in=images, algorithm=LOGO_ALGORITHM) if images else ()
    codes = {bytes(each.image): bytes(each.codes) for each in made}
    return [
        _Filing(
            right=row,
            classes=frozenset(each.code.lstrip("0") for each in row.classes.all() if each.scheme == "nice"),
            territories=frozenset(each.territory for each in row.territories.all()),
            texts=tuple((text, keys(text)) for text in texts_of(row)),
            codes=codes.get(bytes(row.image), b"") if row.image is not None else b"",
        )
        for row in public
    ]


def _compared(watch: WatchRow, filings: Iterable[_Filing], at: datetime) -> list[_Met]:
    """Rights that a watch meets among these."""
    classes, territories = search.codes_of(_narrow(watch), at.date())
    fitting = [each for each in filings if _concerns(watch, each, classes, territories)]
    if not fitting:
        return []
    return _by_logo(watch, fitting) if watch.kind == "logo" else _by_words(watch, fitting)


def _concerns(watch: WatchRow, filing: _Filing, classes: frozenset[str], territories: frozenset[str]) -> bool:
    """Whether it is somebody else's right within the limits of the watch."""
    return (
        filing.right.organisation != watch.organisation
        and (not classes or not filing.classes.isdisjoint(classes))
        and (not territories or not filing.territories.isdisjoint(territories))
    )


def _by_words(watch: WatchRow, filings: Sequence[_Filing]) -> list[_Met]:
    texts = [(each.right, text, made) for each in filings for text, made in each.texts]
    if not texts:
        return []
    look, sound, contains, total = scores(keys(watch.text), [each for _, _, each in texts])
    met: dict[UUID, _Met] = {}
    for at in (-total).argsort(kind="stable"):
        row, text, _ = texts[at]
        if 1000 * total[at] >= watch.least and row.pk not in met:
            parts = {"look": float(look[at]), "sound": float(sound[at]), "contains": float(contains[at])}
            met[row.pk] = _Met(right=row, text=text, total=float(total[at]), scores=parts)
    return list(met.values())


def _by_logo(watch: WatchRow, filings: Sequence[_Filing]) -> list[_Met]:
    from chopmark.rights.similarity.logos import LogoIndex, parse_codes  # noqa: PLC0415 (loaded for the first logo)

    index, known = LogoIndex(), {str(each.right.pk): each.right for each in filings}
    for each in filings:
        if each.codes:
            index.add(str(each.right.pk), parse_codes(each.codes))
    hits = index.search(_asked(watch), limit=len(known)) if len(index) else ()
    return [
        _Met(
            right=known[hit.key],
            text=known[hit.key].title,
            total=hit.total,
            scores={"shape": hit.shape, "polar": hit.polar, "same": hit.same},
        )
        for hit in hits
        if 1000 * hit.total >= watch.least
    ]


def _daily(at: datetime) -> tuple[int, int]:
    """Ask the watches that are due against everything: how many, and new finds."""
    due = WatchRow.objects.filter(stopped_at=None, last_run_at=None)
    again = WatchRow.objects.filter(stopped_at=None, last_run_at__lte=at - DAILY).order_by("last_run_at")
    found = searches = 0
    for watch in [*due[:AT_ONCE], *again[:AT_ONCE]][:AT_ONCE]:
        found += _keep(watch, _searched(watch, at), at)
        WatchRow.objects.filter(pk=watch.pk).update(last_run_at=at)
        searches += 1
    return searches, found


def _searched(watch: WatchRow, at: datetime) -> list[_Met]:
    classes, territories = search.codes_of(_narrow(watch), at.date())
    whose = str(watch.organisation)  # a brand's own hundred registrations would be all that is nearest
    if watch.kind == "logo":
        logo_hits = follower().logos(
            _asked(watch),
            classes=classes,
            territories=territories,
            scope="",
            without=whose,
            limit=MAX_LIMIT,
            patient=True,
        )
        keys_found = [each.key for each in logo_hits]
    else:
        hits = follower().words(
            watch.text,
            classes=classes,
            territories=territories,
            scope="",
            without=whose,
            limit=MAX_LIMIT,
            least=watch.least / 1000,
            patient=True,
        )
        keys_found = [each.key for each in hits]
    rows = Right.objects.filter(pk__in=keys_found).prefetch_related("classes", "territories")
    return _compared(watch, _filings(rows), at)


def _keep(watch: WatchRow, met: Sequence[_Met], at: datetime) -> int:
    """Write what is new; how many."""
    if not met:
        return 0
    with transaction.atomic():
        had = set(watch.finds.values_list("right_id", flat=True))
        fresh = [each for each in met if each.right.pk not in had][: max(0, MAX_FINDS - len(had))]
        Find.objects.bulk_create(
            [
                Find(
                    watch=watch,
                    right=each.right,
                    text=each.text[:200],
                    total=round(1000 * each.total),
                    scores={name: round(1000 * value) for name, value in each.scores.items()},
                    found_at=at,
                )
                for each in fresh
            ],
            ignore_conflicts=True,
        )
    return len(fresh)


def _narrow(watch: WatchRow) -> Narrow:
    return Narrow(classes=tuple(watch.classes), territories=tuple(watch.territories), least=watch.least / 1000)


def _png(gray: Gray) -> bytes:
    import cv2  # noqa: PLC0415 (loaded for the first logo)

    good, data = cv2.imencode(".png", gray)
    if not good:
        raise Invalid("similarity.logo_blank")
    return data.tobytes()


def _asked(watch: WatchRow) -> LogoQuery:
    import cv2  # noqa: PLC0415 (loaded for the first logo)
    import numpy as np  # noqa: PLC0415

    from chopmark.rights.similarity.logos import describe_query  # noqa: PLC0415

    gray = cv2.imdecode(np.frombuffer(bytes(watch.picture), np.uint8), cv2.IMREAD_GRAYSCALE)
    if gray is None:  # it was made by `_png`
        raise Invalid("similarity.logo_blank")
    return describe_query(gray.astype(np.uint8))
