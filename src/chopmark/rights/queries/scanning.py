"""What a scan of marketplaces needs of the registry: the signs of rights that may back a measure, and what changed.

For rooms that act for the platform, never for a person: no actor is asked here, so nothing of it is shown as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from django.db.models import Prefetch

from chopmark.base import jcs
from chopmark.base.errors import Invalid
from chopmark.media.fingerprint import Code, Fingerprint
from chopmark.media.index import RADIUS, SIZE
from chopmark.rights import coverage, encoding
from chopmark.rights.lifecycle import BACKING
from chopmark.rights.models import Common, Event, LogoCode, WorkCode, WorkFile
from chopmark.rights.models import Right as RightRow
from chopmark.rights.models.works import Work as WorkRow
from chopmark.rights.queries.follow import OVERLAP, WORDED
from chopmark.rights.queries.library import CODES, last_change
from chopmark.rights.queries.signs import brought
from chopmark.rights.record import Right
from chopmark.rights.similarity import LOGO_ALGORITHM

AT_ONCE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """A right's sign, with the right as it stands.

    Attributes:
        texts: its words first, then how they are written in other letters.
        territories: countries in which it surely has effect on the day that was asked for.
        classes: Nice classes that count on that day.
    """

    id: UUID
    number: str
    organisation: UUID
    kind: str
    texts: tuple[str, ...]
    classes: tuple[str, ...]
    territories: tuple[str, ...]
    image: bytes | None
    right: Right


def signs(on: date, rights: Collection[UUID] | None = None) -> Iterator[Sign]:
    """Signs of rights that may back a measure on a day, by number; of these rights only, where some are named."""
    rows = RightRow.objects.filter(state__in=BACKING, kind__in=WORDED)
    if rights is not None:
        rows = rows.filter(pk__in=rights)
    for row in rows.order_by("number").iterator(chunk_size=AT_ONCE):
        right = encoding.parse_right(jcs.decode(bytes(row.current)))
        if right.level < coverage.LEAST.get(right.record.kind, 2):
            continue
        mark = right.record.mark
        told = (mark.verbal, mark.transliteration) if mark is not None else (right.record.title,)
        yield Sign(
            id=row.pk,
            number=row.number,
            organisation=row.organisation,
            kind=row.kind,
            texts=tuple(dict.fromkeys(each.strip() for each in told if each.strip())),
            classes=_classes(right, on),
            territories=tuple(sorted(coverage.reach(right, on=on))),
            image=bytes(row.image) if row.image is not None else None,
            right=right,
        )


def _classes(right: Right, on: date) -> tuple[str, ...]:
    codes = {
        each.code.lstrip("0")
        for each in right.record.classes
        if each.scheme == "nice"
        and (each.since is None or each.since <= on)
        and (each.until is None or on < each.until)
    }
    return tuple(sorted(codes, key=lambda code: (len(code), code)))


def changed_since(position: int, limit: int = AT_ONCE) -> tuple[int, tuple[UUID, ...]]:
    """The rights that changed after a position, and the position after them.

    A few events before the position are looked at again, since a lower number may be committed later (PostgreSQL): who
    follows has to bear seeing a right twice.
    """
    found = list(Event.objects.filter(pk__gt=position).order_by("pk").values_list("pk", "subject")[:limit])
    again = Event.objects.filter(pk__gt=position - OVERLAP, pk__lte=position) if found else Event.objects.none()
    subjects = {*again.values_list("subject", flat=True), *(each for _, each in found)}
    rights = RightRow.objects.filter(pk__in=subjects).order_by("number").values_list("pk", flat=True)
    return (found[-1][0] if found else position), tuple(rights)


def holders(works: Collection[str] | None = None) -> Mapping[str, UUID]:
    """Whose works are, by their numbers; of these works only, where some are named."""
    rows = WorkRow.objects.all() if works is None else WorkRow.objects.filter(number__in=works)
    return dict(rows.values_list("number", "organisation"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A file of a work that is a picture, as it is kept for searches for copies."""

    work: str
    organisation: UUID
    sha256: bytes
    fingerprint: Fingerprint


def pictures() -> Iterator[Shown]:
    """Pictures of works that are filed, by work; none that is held because it matches too much.

    What is common by its holder's word, or the operator's, has no codes here. What cannot be read is left out.
    """
    rows = WorkFile.objects.filter(state="done", kind="picture", gone=None, held_at=None, work__state="filed")
    commons = _commons()
    codes = Prefetch("codes", WorkCode.objects.filter(gone=None).order_by("number"))
    ordered = rows.select_related("work").prefetch_related(codes).order_by("work__number", "pk")
    for row in ordered.iterator(chunk_size=AT_ONCE):
        try:
            prints = Fingerprint.parse(bytes(row.print or b""))
        except Invalid:
            continue
        found = replace(prints, codes=tuple(map(_code, row.codes.all())))
        said = commons.get(None, b"") + commons.get(row.work.organisation, b"")
        kept = replace(found, codes=_telling(found, said)) if said else found
        yield Shown(
            work=row.work.number, organisation=row.work.organisation, sha256=bytes(row.sha256), fingerprint=kept
        )


def _code(row: WorkCode) -> Code:
    left, top, right, bottom = row.box
    box = (left, top, right, bottom)
    return Code(bits=bytes(row.bits), quality=row.quality, region=row.region, box=box, turn=row.turn, at=row.at)


def _commons() -> Mapping[UUID | None, bytes]:
    found: dict[UUID | None, bytes] = {}
    for organisation, bits in Common.objects.filter(removed_at=None).values_list("organisation", "bits"):
        found[organisation] = found.get(organisation, b"") + bytes(bits)
    return found


def _telling(fingerprint: Fingerprint, commons: bytes) -> tuple[Code, ...]:
    """The codes that are near none of these."""
    import numpy as np  # noqa: PLC0415 (loaded by who makes sets)

    from chopmark.media.index.bands import distances, words_of  # noqa: PLC0415 (the same)

    known = words_of(np.frombuffer(commons, np.uint8).reshape(-1, SIZE))
    return tuple(
        each
        for each in fingerprint.codes
        if not (distances(known, words_of(np.frombuffer(each.bits, np.uint8))) <= RADIUS).any()
    )


def logos() -> Mapping[UUID, bytes]:
    """Described pictures of marks that may back a measure, where somebody brought the file; by right."""
    rows = RightRow.objects.filter(state__in=BACKING, image__isnull=False).values_list("pk", "image")
    images = {pk: bytes(image) for pk, image in rows if image is not None}
    shown = brought(set(images.values()))
    codes = LogoCode.objects.filter(algorithm=LOGO_ALGORITHM, image__in=shown).exclude(codes=b"")
    known = {bytes(image): bytes(data) for image, data in codes.values_list("image", "codes")}
    return {pk: known[image] for pk, image in images.items() if image in known}


def pictures_changed() -> tuple[int, ...]:
    """Numbers that are others once `pictures` or `logos` may say something else."""
    return (
        last_change(CODES),
        LogoCode.objects.count(),
        Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0,
        Common.objects.filter(removed_at=None).count(),
        WorkFile.objects.filter(held_at__isnull=False).count(),
    )
