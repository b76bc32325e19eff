"""Search for look-alike words and logos among the rights of this platform.

    find_words(by, "addidas", Narrow(classes=("25",), territories=("FR",)), at=now)
    find_logos(by, picture_bytes, Narrow(), at=now)

Verified rights are found by everybody who may view rights; what waits for its check, by its holder's organisation
alone. Every answer has three scores apart; similar is not infringing. Registers of offices are not searched.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING
from uuid import UUID

from chopmark.base import jcs
from chopmark.base.errors import Invalid
from chopmark.people.actor import Actor
from chopmark.rights import territories as places
from chopmark.rights.models import Right
from chopmark.rights.queries.follow import follower, public_ids
from chopmark.rights.queries.library import workshop
from chopmark.rights.similarity.keys import MAX_LENGTH, Keys, keys
from chopmark.rights.similarity.score import ALERT
from chopmark.rights.similarity.words import MAX_LIMIT

if TYPE_CHECKING:
    from chopmark.rights.similarity.logos import Gray

LEAST_LOGO = 0.75
"""Total from which two logos are worth showing."""
MAX_PICTURE = 10_000_000  # bytes
MAX_CODES = 60
WORD_SCORES = ("look", "sound", "contains")
LOGO_SCORES = ("shape", "polar", "same")


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrow:
    """What a search is narrowed to; empty members ask for nothing.

    Attributes:
        classes: of Nice, any of them.
        territories: a right counts that reaches, or may reach, one of them.
        least: total from 0 to 1; None for `ALERT`, or `LEAST_LOGO`.
    """

    classes: tuple[str, ...] = ()
    territories: tuple[str, ...] = ()
    least: float | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A right that resembles what was asked.

    Attributes:
        text: of its words, those that resemble most; of a logo, its title.
        mine: it belongs to the organisation that asks.
        total: from 0 to 1, as all scores.
        scores: `look`, `sound`, `contains`, or `shape`, `polar`, `same`.
        region: of the picture that was asked, where the logo fitted best.
    """

    id: UUID
    number: str
    kind: str
    title: str
    text: str
    office: str
    application_number: str
    registration_number: str
    owners: tuple[str, ...]
    classes: tuple[str, ...]
    territories: tuple[str, ...]
    status: str
    state: str
    level: int
    mine: bool
    total: float
    scores: Mapping[str, float]
    region: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a search found, most similar first.

    Attributes:
        keys: what the words were searched by; None for a logo.
        seconds: that it took.
    """

    hits: tuple[Found, ...]
    seconds: float
    least: float
    keys: Keys | None = None
    narrow: Narrow = field(default_factory=Narrow)


def find_words(by: Actor, query: str, narrow: Narrow | None = None, *, at: datetime, patient: bool = False) -> Answer:
    """Rights whose words look or sound like `query`, or are contained in it.

    Raises:
        Refused: what people's `must` raises.
        Invalid: `similarity.query_empty`, `similarity.query_too_long`, `similarity.narrow_malformed`.
        Unavailable: `similarity.index_building`.
    """
    by.must("view_rights")
    began = time.monotonic()
    narrow = narrow or Narrow()
    asked = words_of(query)
    least = ALERT if narrow.least is None else narrow.least
    classes, territories = codes_of(narrow, at.date())
    scope = str(by.organisation_id)
    hits = follower().words(
        asked,
        classes=classes,
        territories=territories,
        scope=scope,
        limit=narrow.limit,
        least=least,
        patient=patient,
    )
    rows = public_ids([each.key for each in hits], scope)
    found = tuple(
        found_of(
            rows[hit.key],
            scope,
            text=hit.text,
            total=hit.score.total,
            scores={"look": hit.score.look, "sound": hit.score.sound, "contains": hit.score.contains},
        )
        for hit in hits
        if hit.key in rows
    )
    return Answer(hits=found, seconds=time.monotonic() - began, least=least, keys=asked, narrow=narrow)


def find_logos(by: Actor, data: bytes, narrow: Narrow | None = None, *, at: datetime, patient: bool = False) -> Answer:
    """Marks whose picture resembles this one: PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF, at most `MAX_PICTURE` bytes.

    Raises:
        Refused: what people's `must` raises.
        Invalid: `similarity.picture_too_large`, `similarity.logo_blank`, `similarity.narrow_malformed`; what decoding
            raises.
        Unavailable: `similarity.index_building`.
    """
    from chopmark.rights.similarity.logos import describe_query  # noqa: PLC0415 (loaded for the first search by a logo)

    by.must("view_rights")
    began = time.monotonic()
    narrow = narrow or Narrow()
    least = LEAST_LOGO if narrow.least is None else narrow.least
    classes, territories = codes_of(narrow, at.date())
    asked = describe_query(brightness(data))
    scope = str(by.organisation_id)
    hits = follower().logos(
        asked, classes=classes, territories=territories, scope=scope, limit=narrow.limit, patient=patient
    )
    rows = public_ids([each.key for each in hits], scope)
    found = tuple(
        found_of(
            rows[hit.key],
            scope,
            text=rows[hit.key].title,
            total=hit.total,
            scores={"shape": hit.shape, "polar": hit.polar, "same": hit.same},
            region=hit.region,
        )
        for hit in hits
        if hit.key in rows and hit.total >= least
    )
    return Answer(hits=found, seconds=time.monotonic() - began, least=least, narrow=narrow)


def words_of(query: str) -> Keys:
    """The keys of what somebody asks.

    Raises:
        Invalid: `similarity.query_empty`, `similarity.query_too_long`.
    """
    if len(query) > MAX_LENGTH:
        raise Invalid("similarity.query_too_long", limit=MAX_LENGTH)
    asked = keys(query)
    if not asked.skeleton and not asked.phonetic:
        raise Invalid("similarity.query_empty")
    return asked


def brightness(data: bytes) -> Gray:
    """A picture as the descriptors take it; decoded in the cage, where a hostile one does no harm.

    Raises:
        Invalid: `similarity.picture_too_large`; what decoding raises.
        Unavailable: `media.decoder_missing`, `media.decoder_busy`.
    """
    import numpy as np  # noqa: PLC0415 (loaded for the first picture)

    from chopmark.rights.similarity.logos import WORK  # noqa: PLC0415 (the same)

    if len(data) > MAX_PICTURE:
        raise Invalid("similarity.picture_too_large", limit=MAX_PICTURE)
    said = workshop().ask("brightness", [data], {"side": WORK})
    rows, columns = int.from_bytes(said[:2], "big"), int.from_bytes(said[2:4], "big")
    if max(rows, columns) > WORK or len(said) != 4 + rows * columns or rows * columns == 0:
        raise Invalid("media.decoder_died", signal=0)
    return np.frombuffer(said, np.uint8, offset=4).reshape(rows, columns)


def codes_of(narrow: Narrow, on: date) -> tuple[frozenset[str], frozenset[str]]:
    """Classes and territories to look for; with each country the regions whose right may reach it.

    Raises:
        Invalid: `similarity.narrow_malformed`.
    """
    if len(narrow.classes) + len(narrow.territories) > MAX_CODES or not 1 <= narrow.limit <= MAX_LIMIT:
        raise Invalid("similarity.narrow_malformed", detail="too many")
    if narrow.least is not None and not 0 <= narrow.least <= 1:
        raise Invalid("similarity.narrow_malformed", detail=f"{narrow.least}")
    classes = frozenset(_class(each) for each in narrow.classes)
    named = frozenset(places.canonical(each) for each in narrow.territories)
    if unknown := sorted(each for each in named if not places.known(each)):
        raise Invalid("similarity.narrow_malformed", detail=", ".join(unknown)[:80])
    reached = {region for each in named for region in places.regions_of(each, on)}
    within = {country for each in named for country in places.members(each, on)}
    return classes, named | reached | within


def _class(code: str) -> str:
    plain = code.strip().lstrip("0")
    if not plain.isascii() or not plain.isdigit() or not 1 <= int(plain[:3]) <= 45:
        raise Invalid("similarity.narrow_malformed", detail=code[:20])
    return plain


def found_of(
    row: Right, scope: str, *, text: str, total: float, scores: Mapping[str, float], region: str = ""
) -> Found:
    """What may be shown of a right to who may find it: what an office publishes, and how it stands here."""
    return Found(
        id=row.pk,
        number=row.number,
        kind=row.kind,
        title=row.title,
        text=text,
        office=row.office,
        application_number=row.application_number,
        registration_number=row.registration_number,
        owners=owners_of(row),
        classes=_sorted({each.code.lstrip("0") for each in row.classes.all() if each.scheme == "nice"}),
        territories=_sorted({each.territory for each in row.territories.all()}),
        status=row.status,
        state=row.state,
        level=row.level,
        mine=str(row.organisation) == scope,
        total=round(total, 3),
        scores=MappingProxyType({name: round(value, 3) for name, value in scores.items()}),
        region=region,
    )


def owners_of(row: Right) -> tuple[str, ...]:
    """Names of the owners that its record gives."""
    said = jcs.decode(bytes(row.current))
    record = said.get("record", {}) if isinstance(said, dict) else {}
    owners = record.get("owners", []) if isinstance(record, dict) else []
    return tuple(str(each["name"]) for each in owners if isinstance(each, dict) and "name" in each)


def _sorted(codes: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted(codes, key=lambda code: (not code.isdigit(), int(code) if code.isdigit() else 0, code)))
