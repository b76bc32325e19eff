"""What may be read about works and about searches for copies, and by whom.

A work, its files and its history are seen by its organisation. Of another organisation's work a match shows its
number, its kind, its public statement and, where its owner says so, title, authors and licence: never the file.
A search and its matches are seen by the organisation that searched.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from chopmark.base import jcs
from chopmark.base.errors import Refused
from chopmark.evidence import queries as evidence_queries
from chopmark.evidence.queries import StoredFile
from chopmark.evidence.receipt import Receipt
from chopmark.people.actor import Actor
from chopmark.rights import encoding
from chopmark.rights.history import Event
from chopmark.rights.models import Common, Match, Search, WorkFile
from chopmark.rights.models import Event as EventRow
from chopmark.rights.models import Work as WorkRow
from chopmark.rights.record import Work, WorkRecord

MAX_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSummary:
    """A file of a work.

    Attributes:
        state: `waiting` for the worker, `done`, or `unfit` for the reason `trouble`.
        held: it matched too much and is not matched until its owner releases it.
    """

    id: int
    deposit: UUID
    sha256: bytes
    size: int
    name: str
    media_type: str
    kind: str
    state: str
    trouble: str
    facts: Mapping[str, Any]
    iscc: str
    algorithm: str
    held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkSummary:
    """A work as its organisation sees it."""

    id: UUID
    number: str
    work: Work
    files: tuple[FileSummary, ...]
    made_at: datetime
    changed_at: datetime

    @property
    def record(self) -> WorkRecord:
        """What is said of it."""
        return self.work.record

    @property
    def state(self) -> str:
        """`filed` or `withdrawn`."""
        return self.work.state


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkEvent:
    """One event of a work, with the deposit that shows by when it existed."""

    event: Event
    deposit: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchSummary:
    """A match as who searched sees it.

    Attributes:
        own: the work is the searching organisation's.
        title, authors, licence: empty where the work's owner does not show them.
        parts: where in the query is where in the reference, as `media.match.Part` names them.
        overlay: whether there is a drawing.
        later: the work came after the search.
        verdict: `copy`, `other` or empty.
    """

    id: int
    work: str
    own: bool
    kind: str
    title: str
    authors: tuple[str, ...]
    statement: str
    licence: str
    registered_at: datetime
    file: str
    stage: str
    score: int
    parts: tuple[Mapping[str, Any], ...]
    why: Mapping[str, Any]
    overlay: bool
    later: bool
    found_at: datetime
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSummary:
    """A search for copies.

    Attributes:
        facts: of the file; `crowded`, where so many works are alike that of this many codes not all were compared.
    """

    id: UUID
    number: str
    name: str
    sha256: bytes
    size: int
    kind: str
    media_type: str
    radius: int
    facts: Mapping[str, Any]
    iscc: str
    made_at: datetime
    matches: tuple[MatchSummary, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonSummary:
    """A code that is no match."""

    id: int
    bits: bytes
    reason: str
    made_at: datetime
    everybody: bool


def works_of(
    actor: Actor, *, q: str = "", kind: str = "", series: str = "", state: str = "", after: str = "", limit: int = 50
) -> tuple[WorkSummary, ...]:
    """The organisation's works, newest first.

    Args:
        q: words of the title or series, a short number, or an ISCC.
        after: short number of the last one already seen.

    Raises:
        Refused: `works.not_found` for an unknown `after`; what people's `must` raises.
    """
    actor.must("view_rights")
    rows = WorkRow.objects.filter(organisation=actor.organisation_id)
    if words := q.replace("\x00", "").strip():
        fits = Q(title__icontains=words) | Q(series__icontains=words) | Q(number=words.upper())
        rows = rows.filter(fits | Q(files__iscc=words.upper())).distinct()
    for name, value in (("kind", kind), ("series", series), ("state", state)):
        if value:
            rows = rows.filter(**{name: value.replace("\x00", "")})
    if after:
        last = own_work(actor, after)
        rows = rows.filter(Q(made_at__lt=last.made_at) | Q(made_at=last.made_at, number__lt=last.number))
    found = rows.order_by("-made_at", "-number")[: max(1, min(limit, MAX_PAGE))]
    return summaries_of(list(found))


def work_of(actor: Actor, which: UUID | str) -> WorkSummary:
    """One work of the organisation, by id or number.

    Raises:
        Refused: `works.not_found`; what people's `must` raises.
    """
    return summary_of(own_work(actor, which))


def works_named(actor: Actor, numbers: Collection[str]) -> Mapping[str, WorkSummary]:
    """Works of the organisation by their numbers; others are left out. Raises people's `must`."""
    actor.must("view_rights")
    rows = WorkRow.objects.filter(organisation=actor.organisation_id, number__in=numbers)
    return {each.number: each for each in summaries_of(list(rows))}


def versions_of(actor: Actor, which: UUID | str) -> tuple[WorkSummary, ...]:
    """Later versions of a work, oldest first. Raises as `work_of`."""
    row = own_work(actor, which)
    rows = WorkRow.objects.filter(organisation=actor.organisation_id, version_of=row.pk).order_by("made_at")
    return summaries_of(list(rows[:MAX_PAGE]))


def events_of(actor: Actor, which: UUID | str) -> tuple[WorkEvent, ...]:
    """A work's history, oldest first. Raises as `work_of`."""
    row = own_work(actor, which)
    rows = EventRow.objects.filter(subject=row.pk).order_by("seq")
    return tuple(WorkEvent(event=Event.parse(bytes(each.body)), deposit=each.deposit) for each in rows)


def receipt_of(actor: Actor, which: UUID | str, seq: int) -> Receipt:
    """The receipt of one event of a work.

    Raises:
        Refused: `works.not_found`; what people's `must` raises.
        Unavailable: as evidence's `receipt_for`.
    """
    row = own_work(actor, which)
    event = EventRow.objects.filter(subject=row.pk, seq=seq).first()
    if event is None:
        raise Refused("works.not_found")
    return evidence_queries.receipt_for(_reader(row.organisation), event.deposit)


def file_of(actor: Actor, which: UUID | str, file: int) -> StoredFile:
    """A file of one's own work.

    Raises:
        Refused: `works.not_found`, `evidence.file_not_found`; what people's `must` raises.
        Unavailable: `evidence.blob_missing`.
    """
    row = WorkFile.objects.filter(pk=file, work=own_work(actor, which)).first()
    if row is None:
        raise Refused("works.not_found")
    return evidence_queries.file_of(_reader(actor.organisation_id), row.deposit)


def searches_of(actor: Actor, *, limit: int = 50) -> tuple[SearchSummary, ...]:
    """The organisation's searches, newest first.

    Raises:
        Refused: what people's `must` raises.
    """
    actor.must("view_rights")
    rows = Search.objects.filter(organisation=actor.organisation_id).order_by("-made_at", "-number")
    return search_summaries(list(rows.defer("fingerprint")[: max(1, min(limit, MAX_PAGE))]))


def search_of(actor: Actor, which: UUID | str) -> SearchSummary:
    """One search of the organisation, by id or number, with what was found since.

    Raises:
        Refused: `copies.not_found`; what people's `must` raises.
    """
    return search_summary(own_search(actor, which))


def query_kept(actor: Actor, one: SearchSummary) -> bool:
    """Whether the file of a search is still kept for the organisation that searched, so that it can be shown to it."""
    actor.must("view_rights")
    return evidence_queries.keeps(_reader(actor.organisation_id), one.sha256)


def overlay_of(actor: Actor, which: UUID | str, match: int) -> bytes:
    """The drawing of a match, PNG: query and reference side by side with what agrees. Own works only.

    Raises:
        Refused: `copies.not_found`; what people's `must` raises.
    """
    row = Match.objects.filter(pk=match, search=own_search(actor, which)).select_related("file__work").first()
    if row is None or row.overlay is None or row.file.work.organisation != actor.organisation_id:
        raise Refused("copies.not_found")
    return bytes(row.overlay)


def explain(actor: Actor, which: UUID | str, match: int) -> tuple[tuple[str, dict[str, Any]], ...]:
    """Why it matched, as wording codes with their facts, for a person to read.

    Raises:
        Refused: `copies.not_found`; what people's `must` raises.
    """
    reasons = explain_all(actor, which).get(match)
    if reasons is None:
        raise Refused("copies.not_found")
    return reasons


def explain_all(actor: Actor, which: UUID | str) -> Mapping[int, tuple[tuple[str, dict[str, Any]], ...]]:
    """Why each of a search's matches matched, by the match's id. Raises as `search_of`."""
    search = own_search(actor, which)
    return {row.pk: _reasons(search, row) for row in search.matches.defer("overlay")}


def _reasons(search: Search, row: Match) -> tuple[tuple[str, dict[str, Any]], ...]:
    why, parts = row.why, len(row.parts)
    said: list[tuple[str, dict[str, Any]]] = []
    if row.stage == "same":
        said.append(("copies.why_same", {}))
    if "distance" in why:
        said.append(("copies.why_codes", {"distance": why["distance"], "radius": search.radius}))
        if why.get("turn"):
            said.append(("copies.why_turned", {}))
        if why.get("region") != "whole" or why.get("reference_region") != "whole":
            said.append(("copies.why_region", {}))
    if "inliers" in why:
        said.append(("copies.why_features", {"inliers": why["inliers"], "covered": why["covered"] / 10}))
    if row.stage in ("sound", "film", "text"):
        said.append((f"copies.why_{row.stage}", {"parts": parts, "score": row.score / 10}))
    said.append(("copies.why_not_proven", {}))
    return tuple(said)


def commons_of(actor: Actor) -> tuple[CommonSummary, ...]:
    """What is no match for the organisation: its own entries and the operator's.

    Raises:
        Refused: what people's `must` raises.
    """
    actor.must("view_rights")
    return _commons(Q(organisation=actor.organisation_id) | Q(organisation=None))


def commons_for_all() -> tuple[CommonSummary, ...]:
    """What is no match for anybody: the operator's entries. For the operator's command."""
    return _commons(Q(organisation=None))


def _commons(which: Q) -> tuple[CommonSummary, ...]:
    return tuple(
        CommonSummary(
            id=row.pk,
            bits=bytes(row.bits),
            reason=row.reason,
            made_at=row.made_at,
            everybody=row.organisation is None,
        )
        for row in Common.objects.filter(which, removed_at=None).order_by("pk")
    )


# ---- rows, for this room ---------------------------------------------------------------------------------------------


def own_work(actor: Actor, which: UUID | str) -> WorkRow:
    """The row of a work of the actor's organisation.

    Raises:
        Refused: `works.not_found`; what people's `must` raises.
    """
    actor.must("view_rights")
    row = _named(WorkRow.objects.filter(organisation=actor.organisation_id), which)
    if row is None:
        raise Refused("works.not_found")
    return row


def own_search(actor: Actor, which: UUID | str) -> Search:
    """The row of a search of the actor's organisation.

    Raises:
        Refused: `copies.not_found`; what people's `must` raises.
    """
    actor.must("view_rights")
    row = _named(Search.objects.filter(organisation=actor.organisation_id), which)
    if row is None:
        raise Refused("copies.not_found")
    return row


def _named(rows: Any, which: UUID | str) -> Any:  # noqa: ANN401 (rows of either table)
    try:
        return rows.filter(pk=which if isinstance(which, UUID) else UUID(which)).first()
    except ValueError:
        return rows.filter(number=str(which).replace("\x00", "").strip().upper()[:24]).first()


def work_of_row(row: WorkRow) -> Work:
    """The work of a row."""
    return encoding.parse(Work, jcs.decode(bytes(row.current)), "work")


def summary_of(row: WorkRow) -> WorkSummary:
    """The frozen form of a row."""
    return summaries_of([row])[0]


def summaries_of(rows: Sequence[WorkRow]) -> tuple[WorkSummary, ...]:
    """The frozen forms of rows; the files of all are read at once."""
    files: dict[UUID, list[WorkFile]] = {row.pk: [] for row in rows}
    for each in WorkFile.objects.filter(work__in=rows).defer("print").order_by("pk"):
        files[each.work_id].append(each)
    return tuple(
        WorkSummary(
            id=row.pk,
            number=row.number,
            work=work_of_row(row),
            files=tuple(map(_file, files[row.pk])),
            made_at=row.made_at,
            changed_at=row.changed_at,
        )
        for row in rows
    )


def search_summary(row: Search) -> SearchSummary:
    """The frozen form of a row."""
    return search_summaries([row])[0]


def search_summaries(rows: Sequence[Search]) -> tuple[SearchSummary, ...]:
    """The frozen forms of rows; the matches of all are read at once."""
    found = Match.objects.filter(search__in=rows)
    drawn = set(found.filter(overlay__isnull=False).values_list("pk", flat=True))
    matches: dict[UUID, list[Match]] = {row.pk: [] for row in rows}
    for each in found.select_related("file__work").defer("file__print", "overlay").order_by("-score", "pk"):
        matches[each.search_id].append(each)
    return tuple(_search(row, matches[row.pk], drawn) for row in rows)


def _search(row: Search, matches: Sequence[Match], drawn: Container[int]) -> SearchSummary:
    return SearchSummary(
        id=row.pk,
        number=row.number,
        name=row.name,
        sha256=bytes(row.sha256),
        size=row.size,
        kind=row.kind,
        media_type=row.media_type,
        radius=row.radius,
        facts=row.facts,
        iscc=row.iscc,
        made_at=row.made_at,
        matches=tuple(_match(each, row.organisation, drawn=each.pk in drawn) for each in matches),
    )


def _match(row: Match, organisation: UUID, *, drawn: bool) -> MatchSummary:
    work = row.file.work
    own = work.organisation == organisation
    record = work_of_row(work).record
    open_ = own or record.shown == "public"
    return MatchSummary(
        id=row.pk,
        work=work.number,
        own=own,
        kind=work.kind,
        title=record.title if open_ else "",
        authors=tuple(each.name for each in record.authors) if open_ else (),
        statement=record.statement,
        licence=record.licence if open_ else "",
        registered_at=work.made_at,
        file=row.file.name if own else "",
        stage=row.stage,
        score=row.score,
        parts=tuple(row.parts),
        why=row.why,
        overlay=drawn and own,
        later=row.later,
        found_at=row.found_at,
        verdict=row.verdict,
    )


def _file(row: WorkFile) -> FileSummary:
    return FileSummary(
        id=row.pk,
        deposit=row.deposit,
        sha256=bytes(row.sha256),
        size=row.size,
        name=row.name,
        media_type=row.media_type,
        kind=row.kind,
        state=row.state,
        trouble=row.trouble,
        facts=row.facts,
        iscc=row.iscc,
        algorithm=row.algorithm,
        held=row.held_at is not None,
    )


def _reader(organisation: UUID) -> Actor:
    """Reads the deposits of an organisation for somebody whose right to see them was checked before."""
    return Actor(user_id=None, organisation_id=organisation, organisation_name="", role="viewer")
