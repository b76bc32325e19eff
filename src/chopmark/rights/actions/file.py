"""File a right, change what was said of it, submit it, put papers beside it.

What is filed is a claim: nothing here looks at a register. The same registration may be claimed by two organisations
until one of them is verified (`verify`); a certificate that lies beside another organisation's right is refused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid4

from django.db import transaction

from chopmark.base.errors import Invalid, PlatformError, Refused
from chopmark.evidence import actions as evidence
from chopmark.evidence import queries as evidence_queries
from chopmark.evidence import wiring
from chopmark.evidence.actions import NewDeposit
from chopmark.evidence.queries import DepositSummary
from chopmark.people.actor import Actor
from chopmark.rights import history
from chopmark.rights.actions.common import (
    Step,
    chained,
    change,
    deposit_events,
    event_rows,
    must_fit,
    must_read_back,
    one_at_a_time,
    servant_of,
    show,
    take_numbers,
    write_filters,
)
from chopmark.rights.consistency import check_record
from chopmark.rights.history import LIVE, OPEN, Amended, Event, Filed, Nothing, PaperAdded
from chopmark.rights.keys import claims, claims_of
from chopmark.rights.models import Event as EventRow
from chopmark.rights.models import Paper, RightClass
from chopmark.rights.models import Right as RightRow
from chopmark.rights.queries import access
from chopmark.rights.queries.registry import RightSummary, summary_of
from chopmark.rights.record import Record

PaperKind = Literal[
    "certificate",
    "renewal",
    "assignment",
    "mandate",
    "identity",
    "licence",
    "proof_of_use",
    "translation",
    "judgment",
    "office_file",
    "other",
]
PAPER_KINDS: tuple[PaperKind, ...] = (
    "certificate",
    "renewal",
    "assignment",
    "mandate",
    "identity",
    "licence",
    "proof_of_use",
    "translation",
    "judgment",
    "office_file",
    "other",
)
OWN_PAPERS = frozenset(("certificate", "renewal"))
"""Papers that an office gives to one holder: nobody else has a use for them. Their files are kept here: a digest alone
would let whoever saw the digest keep the paper from its holder."""
MAX_PAPERS = 40
MAX_BATCH = 1000
MAX_DRAFTS = 10_000
"""Of one organisation at a time, filed by itself, or by one agent; what was assigned to it fills nobody's drawer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPaper:
    """A paper: a finished upload, or a deposit with its file, of the organisation that acts."""

    kind: str
    upload: UUID | None = None
    deposit: UUID | None = None
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRight:
    """What is filed.

    Attributes:
        organisation: the client's, where an agent files under a mandate; None for the actor's own.
        submit: also hand it in for checking; otherwise it stays a draft.
    """

    record: Record
    papers: tuple[NewPaper, ...] = ()
    organisation: UUID | None = None
    submit: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    new: NewRight
    organisation: UUID
    mandate: str
    claims: frozenset[str]


def file_right(new: NewRight, *, by: Actor, at: datetime) -> RightSummary:
    """File one right.

    Raises:
        Invalid: what `check_record` raises; `rights.paper_kind_unknown`, `rights.too_many`; what a deposit raises.
        Refused: `rights.already_filed` with the number it has; `rights.certificate_elsewhere`;
            `rights.too_many_drafts`, `rights.mandate_missing`; what people's `must` raises; what a deposit raises.
        Unavailable: what evidence's `deposit` raises.
    """
    [made] = file_rights([new], by=by, at=at)
    if isinstance(made, PlatformError):
        raise made
    return made


@wiring.answering()
def file_rights(news: Sequence[NewRight], *, by: Actor, at: datetime) -> list[RightSummary | PlatformError]:
    """File many, each judged alone; the answers stand in their order. At most 1,000 a call.

    Raises:
        Refused: `rights.batch_too_large`; what people's `must` raises.
        Unavailable: what evidence's `deposit` raises.
    """
    by.must("file_rights")
    if len(news) > MAX_BATCH:
        raise Refused("rights.batch_too_large", limit=MAX_BATCH)
    judged = _judged(news, by, at)
    good = [each for each in judged if isinstance(each, _Ready)]
    papers = {id(each): _papers_of(each.new.papers, each.organisation, by, at) for each in good if each.new.papers}
    made: dict[int, RightSummary | PlatformError] = {}
    by_organisation: dict[UUID, list[_Ready]] = defaultdict(list)
    for each in good:
        kept = papers.get(id(each), ())
        if isinstance(kept, PlatformError):
            made[id(each)] = kept
        else:
            by_organisation[each.organisation].append(each)
    for organisation, ready in by_organisation.items():
        both = [(each, _kept(papers.get(id(each), ()))) for each in ready]
        try:
            written: Sequence[RightSummary | PlatformError] = _write(both, organisation, by, at)
        except Refused as error:  # somebody was faster: nothing of this organisation's is filed
            written = [error] * len(ready)
        made |= {id(each): one for each, one in zip(ready, written, strict=True)}
    return [each if isinstance(each, PlatformError) else made[id(each)] for each in judged]


def would_file(news: Sequence[NewRight], *, by: Actor, at: datetime) -> list[PlatformError | None]:
    """What `file_rights` would refuse, one for one, without filing anything; papers are not looked at.

    Raises:
        Refused: `rights.batch_too_large`; what people's `must` raises.
    """
    by.must("file_rights")
    if len(news) > MAX_BATCH:
        raise Refused("rights.batch_too_large", limit=MAX_BATCH)
    return [each if isinstance(each, PlatformError) else None for each in _judged(news, by, at)]


def _kept(papers: tuple[Paper, ...] | PlatformError) -> tuple[Paper, ...]:
    if isinstance(papers, PlatformError):
        raise papers
    return papers


def _judged(news: Sequence[NewRight], by: Actor, at: datetime) -> list[_Ready | PlatformError]:
    judged: list[_Ready | PlatformError] = []
    for new in news:
        try:
            judged.append(_ready(new, by, at))
        except PlatformError as error:
            judged.append(error)
    known = _filed_before([each for each in judged if isinstance(each, _Ready)])
    for place, each in enumerate(judged):
        if isinstance(each, _Ready):
            twin = next((known[key] for key in _places(each) if key in known), None)
            if twin is not None:
                judged[place] = Refused("rights.already_filed", number=twin) if twin else Refused("rights.filed_twice")
            else:
                known |= dict.fromkeys(_places(each), "")
    return judged


def _ready(new: NewRight, by: Actor, at: datetime) -> _Ready:
    organisation = new.organisation or by.organisation_id
    mandate = access.mandate_to_file(by, organisation, new.record, at)
    must_read_back(new.record)
    check_record(new.record, at.date())
    _check_kinds(new.papers)
    return _Ready(new=new, organisation=organisation, mandate=mandate, claims=claims(new.record))


def _check_kinds(papers: Sequence[NewPaper]) -> None:
    if len(papers) > MAX_PAPERS:
        raise Invalid("rights.too_many", name="papers", limit=MAX_PAPERS)
    for each in papers:
        if each.kind not in PAPER_KINDS:
            raise Invalid("rights.paper_kind_unknown", kind=each.kind[:40], kinds=list(map(str, PAPER_KINDS)))
        must_fit("language", each.language, 35)


Place = tuple[UUID, str, str]


def _places(ready: _Ready) -> list[Place]:
    """What two filings of one registration share: organisation and claim.

    In China, which keeps one record a number and class, the class too.
    """
    codes = _codes(ready.new.record.office, {each.code for each in ready.new.record.classes})
    return [(ready.organisation, claim, code) for claim in sorted(ready.claims) for code in codes]


def _codes(office: str, codes: Collection[str]) -> list[str]:
    return sorted(codes) if office == "CN" and codes else [""]


def _filed_before(ready: Collection[_Ready]) -> dict[Place, str]:
    """Short numbers of what the same organisations have filed as the same registrations and not given up."""
    wanted = {claim.partition(":")[2].partition(":")[2] for each in ready for claim in each.claims}
    if not wanted:
        return {}
    organisations = {each.organisation for each in ready}
    rows = RightRow.objects.filter(numbers__key__in=wanted, organisation__in=organisations, state__in=OPEN).distinct()
    columns = ("pk", "organisation", "kind", "office", "application_number", "registration_number", "number")
    found = list(rows.values_list(*columns))
    codes: dict[UUID, set[str]] = defaultdict(set)
    for right, code in RightClass.objects.filter(
        right__in=[pk for pk, _, _, office, *_ in found if office == "CN"]
    ).values_list("right_id", "code"):
        codes[right].add(code)
    return {
        (organisation, claim, code): number
        for pk, organisation, kind, office, application, registration, number in found
        for claim in claims_of(kind, office, application, registration)
        for code in _codes(office, codes[pk])
    }


def _papers_of(
    papers: Sequence[NewPaper], organisation: UUID, by: Actor, at: datetime
) -> tuple[Paper, ...] | PlatformError:
    try:
        return bring_papers(papers, organisation, by=by, at=at)
    except PlatformError as error:
        return error


def bring_papers(papers: Sequence[NewPaper], organisation: UUID, *, by: Actor, at: datetime) -> tuple[Paper, ...]:
    """Deposit papers, or find the deposits they are, on the account of who acts; rows without a right yet.

    Raises:
        Refused: `rights.certificate_elsewhere`; what evidence's `deposit` and `deposit_of` raise.
        Invalid: `rights.paper_empty`; `rights.paper_not_kept` for a certificate of which the platform has the digest
            alone; what evidence's `deposit` raises.
        Unavailable: what evidence's `deposit` raises.
    """
    servant = servant_of(by.organisation_id, by.user_id)
    rows = []
    for each in papers:
        deposit = _deposit_of(each, servant, at)
        if deposit.sha256 is None or deposit.size is None:
            raise Invalid("rights.paper_empty")
        if each.kind in OWN_PAPERS:
            if not deposit.kept:
                raise Invalid("rights.paper_not_kept", number=deposit.number)
            must_be_own(deposit.sha256, organisation)
        rows.append(
            Paper(
                kind=each.kind,
                organisation=by.organisation_id,
                deposit=deposit.id,
                sha256=deposit.sha256,
                size=deposit.size,
                file_name=deposit.file_name,
                media_type=deposit.media_type,
                language=each.language,
                added_at=at,
            )
        )
    return tuple({(row.kind, bytes(row.sha256)): row for row in rows}.values())


def _deposit_of(paper: NewPaper, servant: Actor, at: datetime) -> DepositSummary:
    if paper.deposit is not None:
        return evidence_queries.deposit_of(servant, paper.deposit)
    if paper.upload is None:
        raise Invalid("rights.paper_empty")
    upload = evidence_queries.upload_of(servant, paper.upload)
    new = NewDeposit(
        kind="document",
        upload=paper.upload,
        title=upload.file_name,
        file_name=upload.file_name,
        media_type=upload.media_type,
        private=True,
        source="page",
    )
    [made] = evidence.deposit([new], by=servant, at=at)
    if isinstance(made, PlatformError):
        raise made
    return made


def must_be_own(sha256: bytes, organisation: UUID) -> None:
    """Stop at a certificate that lies beside another organisation's right.

    Drafts do not count, nor what was refused or withdrawn: who puts somebody else's certificate into a drawer takes
    nothing from its holder. Nor does a paper of which only the digest is here.

    Raises:
        Refused: `rights.certificate_elsewhere`.
    """
    others = Paper.objects.filter(sha256=sha256, kind__in=OWN_PAPERS, right__state__in=LIVE)
    if any(is_kept(each) for each in others.exclude(right__organisation=organisation)):
        raise Refused("rights.certificate_elsewhere", sha256=sha256.hex())


def is_kept(paper: Paper) -> bool:
    """Whether the file of a paper is here, so that somebody can open it."""
    return evidence_queries.deposit_of(servant_of(paper.organisation), paper.deposit).kept


def _write(
    ready: Sequence[tuple[_Ready, tuple[Paper, ...]]], organisation: UUID, by: Actor, at: datetime
) -> list[RightSummary]:
    """Deposit and write the rights of one organisation."""
    numbers = take_numbers("R", len(ready), at)
    rows: list[RightRow] = []
    papers: list[Paper] = []
    stories: list[list[tuple[str, Event]]] = []
    for number, (each, kept) in zip(numbers, ready, strict=True):
        row = RightRow(
            id=uuid4(),
            number=number,
            organisation=organisation,
            filed_by=by.organisation_id,
            made_by=by.user_id,
            made_at=at,
        )
        filed = Filed(
            number=number,
            organisation=str(organisation),
            record=each.new.record,
            filed_by="" if organisation == by.organisation_id else str(by.organisation_id),
            mandate=each.mandate,
        )
        steps = [Step(type="filed", payload=filed)]
        steps += [Step(type="paper_added", payload=PaperAdded(kind=one.kind, sha256=bytes(one.sha256))) for one in kept]
        steps += [Step(type="submitted", payload=Nothing())] if each.new.submit else []
        events = chained(row.pk, 0, b"", steps, by=by, at=at)
        show(row, history.fold(events), events[-1].sha256, at)
        for one in kept:
            one.right = row
        rows.append(row)
        papers += kept
        stories.append([(number, event) for event in events])
    flat = [pair for story in stories for pair in story]
    deposits = deposit_events(flat, organisation, by=by, at=at)
    with transaction.atomic():
        one_at_a_time()
        _must_still_be_new([each for each, _ in ready], organisation, by.organisation_id)
        for one in papers:
            if one.kind in OWN_PAPERS:
                must_be_own(bytes(one.sha256), organisation)
        RightRow.objects.bulk_create(rows)
        EventRow.objects.bulk_create(event_rows([event for _, event in flat], deposits, organisation, by=by))
        Paper.objects.bulk_create(papers)
        write_filters([(row, each.new.record) for row, (each, _) in zip(rows, ready, strict=True)])
    return [summary_of(row) for row in rows]


def _must_still_be_new(ready: Sequence[_Ready], organisation: UUID, filed_by: UUID) -> None:
    """Whoever clicked twice has filed once. None of a batch is filed when another call was faster with one of it."""
    known = _filed_before(ready)
    twin = next((known[place] for each in ready for place in _places(each) if place in known), None)
    if twin is not None:
        raise Refused("rights.already_filed", number=twin)
    drafts = sum(not each.new.submit for each in ready)
    mine = RightRow.objects.filter(organisation=organisation, filed_by=filed_by, state="draft")
    if drafts and mine.count() + drafts > MAX_DRAFTS:
        raise Refused("rights.too_many_drafts", limit=MAX_DRAFTS)


@wiring.answering()
def amend(which: UUID | str, record: Record, *, by: Actor, at: datetime, version: int | None = None) -> RightSummary:
    """Change what is said of a right. A change of what was verified takes it back to checking, at level 0.

    Args:
        version: that the person saw; None to change whatever is there.

    Raises:
        Refused: `rights.not_found`, `rights.state_wrong`, `rights.moved`, `rights.kind_fixed`,
            `rights.already_filed`; what people's `must` raises.
        Invalid: what `check_record` raises.
    """
    by.must("file_rights")
    row = access.right_to_change(by, which, at, power="file", version=version)
    must_read_back(record)
    check_record(record, at.date())
    if (record.kind, record.office) != (row.kind, row.office) and row.state != "draft":
        raise Refused("rights.kind_fixed", number=row.number)
    ready = _Ready(new=NewRight(record=record), organisation=row.organisation, mandate="", claims=claims(record))
    known = {place: number for place, number in _filed_before([ready]).items() if number != row.number}
    twin = next((known[place] for place in _places(ready) if place in known), None)
    if twin is not None:
        raise Refused("rights.already_filed", number=twin)
    return summary_of(change(row, [Step(type="amended", payload=Amended(record=record))], by=by, at=at))


@wiring.answering()
def add_papers(which: UUID | str, papers: Sequence[NewPaper], *, by: Actor, at: datetime) -> RightSummary:
    """Put papers beside a right; one that is there already stays as it is.

    Raises:
        Refused: `rights.not_found`, `rights.state_wrong`, `rights.moved`, `rights.certificate_elsewhere`; what
            people's `must` raises.
        Invalid: `rights.paper_kind_unknown`, `rights.too_many`, `rights.paper_empty`.
    """
    by.must("file_rights")
    row = access.right_to_change(by, which, at, power="file")
    _check_kinds(papers)
    there = {(each.kind, bytes(each.sha256)) for each in row.papers.all()}
    new = [
        each
        for each in bring_papers(papers, row.organisation, by=by, at=at)
        if (each.kind, bytes(each.sha256)) not in there
    ]
    if len(there) + len(new) > MAX_PAPERS:
        raise Invalid("rights.too_many", name="papers", limit=MAX_PAPERS)
    if not new:
        return summary_of(row)
    steps = [Step(type="paper_added", payload=PaperAdded(kind=each.kind, sha256=bytes(each.sha256))) for each in new]
    for each in new:
        each.right = row

    def keep() -> None:
        for each in new:
            if each.kind in OWN_PAPERS:
                must_be_own(bytes(each.sha256), row.organisation)
        Paper.objects.bulk_create(new)

    return summary_of(change(row, steps, by=by, at=at, also=keep))


@wiring.answering()
def submit(which: UUID | str, *, by: Actor, at: datetime, version: int | None = None) -> RightSummary:
    """Hand a draft in for checking.

    Raises:
        Refused: `rights.not_found`, `rights.state_wrong`, `rights.moved`, `rights.certificate_elsewhere`; what
            people's `must` raises.
    """
    by.must("file_rights")
    row = access.right_to_change(by, which, at, power="file", version=version)
    for each in row.papers.filter(kind__in=OWN_PAPERS):
        must_be_own(bytes(each.sha256), row.organisation)
    return summary_of(change(row, [Step(type="submitted", payload=Nothing())], by=by, at=at))


@wiring.answering()
def withdraw(which: UUID | str, *, by: Actor, at: datetime, reason: str = "") -> RightSummary:
    """Take a right out of use here, for ever; its history stays.

    Raises:
        Refused: `rights.not_found`, `rights.state_wrong`, `rights.moved`; what people's `must` raises.
        Invalid: `rights.text_too_long`.
    """
    by.must("file_rights")
    must_fit("reason", reason, 500)
    row = access.right_to_change(by, which, at, power="withdraw")
    return summary_of(change(row, [Step(type="withdrawn", payload=history.Closed(reason=reason))], by=by, at=at))
