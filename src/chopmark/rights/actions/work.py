"""Register a work, say something else of it, withdraw it; fingerprint its files; match it with earlier searches.

A work is claimed by whoever registers it: what resembles it is shown before it is filed, and nobody is refused for
resembling. Each file is a deposit whose file the platform keeps, so that it can be decoded, shown to its owner and
fingerprinted again. Small files are fingerprinted at once, others by the worker (`work_media`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction

from chopmark.base import jcs
from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.evidence import actions as evidence
from chopmark.evidence import wiring
from chopmark.evidence.actions import NewDeposit
from chopmark.media.fingerprint import Fingerprint
from chopmark.media.guard import Limits
from chopmark.people.actor import Actor
from chopmark.rights import encoding, work_history, works
from chopmark.rights.actions.common import (
    Operator,
    Step,
    chained,
    deposit_events,
    event_rows,
    servant_of,
    take_numbers,
)
from chopmark.rights.actions.kept import Kept, NewWorkFile, keep, take_changes
from chopmark.rights.models import Event as EventRow
from chopmark.rights.models import Serial, WorkCode, WorkFile
from chopmark.rights.models import Work as WorkRow
from chopmark.rights.queries import library
from chopmark.rights.queries.matching import resembling
from chopmark.rights.queries.works import WorkSummary, own_work, summary_of, work_of_row
from chopmark.rights.record import Identified, Work, WorkRecord
from chopmark.rights.record import WorkFile as FileOfWork
from chopmark.rights.works import WorkAmended, WorkFiled, WorkIdentified, WorkWithdrawn

MAX_FILES = 20
AT_ONCE = 30_000_000
"""Bytes of a file that is fingerprinted while somebody waits."""
TRIES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWork:
    """What is registered.

    Attributes:
        anyway: also when something like it is here already; `similar_before` shows what.
    """

    record: WorkRecord
    files: tuple[NewWorkFile, ...]
    anyway: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What came of a file: its fingerprint, or None while it waits for the worker."""

    kept: Kept
    found: Fingerprint | None


def register_work(new: NewWork, *, by: Actor, at: datetime) -> WorkSummary:
    """Register a work with its files.

    Raises:
        Refused: `works.already_filed`, `works.similar_before` with the numbers of what resembles it,
            `works.file_twice`, `works.not_found` for a wrong `version_of`; what people's `must` and `keep` raise;
            what a deposit raises.
        Invalid: what `works.check` and `Workshop.fingerprint` raise; `works.too_many`, `works.kind_differs`.
        Unavailable: what a deposit raises; `media.decoder_missing`, `media.decoder_busy`.
    """
    by.must("file_rights")
    works.check(new.record)
    if not 1 <= len(new.files) <= MAX_FILES:
        raise Invalid("works.too_many", limit=MAX_FILES)
    record = _of_version(new.record, by)
    kept = [keep(each, by) for each in new.files]
    _must_be_new([each.sha256 for each in kept], by)
    read = [_read(each) for each in kept]
    for each in read:
        if each.found is not None:
            _must_be_of_kind(record.kind, each.found, each.kept.name)
    if not new.anyway:
        _must_show_similar(read, record, by)
    return _file(record, read, by, at)


@wiring.answering()
def _file(record: WorkRecord, read: Sequence[_Read], by: Actor, at: datetime) -> WorkSummary:
    """Deposit the files and the event, write the rows."""
    deposits = [_deposit(each.kept, record, by, at) for each in read]
    [number] = take_numbers("W", 1, at)
    said = WorkFiled(
        number=number,
        organisation=str(by.organisation_id),
        record=record,
        files=tuple(
            FileOfWork(
                sha256=each.kept.sha256,
                size=each.kept.size,
                deposit=str(deposit),
                name=each.kept.name,
                media_type=each.found.media_type if each.found else "",
            )
            for each, deposit in zip(read, deposits, strict=True)
        ),
        identified=tuple(_identified(each.kept.sha256, each.found) for each in read if each.found),
    )
    row = WorkRow(id=uuid4(), number=number, organisation=by.organisation_id, made_by=by.user_id, made_at=at)
    events = chained(row.pk, 0, b"", [Step(type="work_filed", payload=said)], by=by, at=at)
    _show(row, work_history.fold_work(events), events[-1].sha256, at)
    ids = deposit_events([(number, each) for each in events], by.organisation_id, by=by, at=at)
    with transaction.atomic():
        Serial.objects.select_for_update().filter(name="W").first()  # two that register the same file take turns
        _must_be_new([each.kept.sha256 for each in read], by)
        row.save(force_insert=True)
        EventRow.objects.bulk_create(event_rows(events, ids, by.organisation_id, by=by))
        for each, deposit in zip(read, deposits, strict=True):
            file = WorkFile(
                work=row,
                deposit=deposit,
                sha256=each.kept.sha256,
                size=each.kept.size,
                name=each.kept.name[:255],
                state="waiting",
                made_at=at,
            )
            file.save(force_insert=True)
            if each.found is not None:
                _take(file, each.found, at)
    return summary_of(row)


def amend_work(
    which: UUID | str, record: WorkRecord, *, by: Actor, at: datetime, version: int | None = None
) -> WorkSummary:
    """Change what is said of a work; its kind and its files stay.

    Raises:
        Refused: `works.not_found`, `works.moved`, `works.withdrawn`, `works.kind_fixed`; what people's `must` raises;
            what a deposit raises.
        Invalid: what `works.check` raises.
        Unavailable: what a deposit raises.
    """
    by.must("file_rights")
    works.check(record)
    row = own_work(by, which)
    if version is not None and version != row.version:
        raise Refused("works.moved", number=row.number)
    if record.kind != row.kind:
        raise Refused("works.kind_fixed", number=row.number)
    record = _of_version(record, by)
    if record.version_of == str(row.pk):
        raise Refused("works.not_found")
    return summary_of(_change(row, Step(type="work_amended", payload=WorkAmended(record=record)), by, at))


def withdraw_work(which: UUID | str, *, reason: str = "", by: Actor, at: datetime) -> WorkSummary:
    """Protect a work here no more: it is not matched from now on. Deposits and history stay.

    Raises:
        Refused: `works.not_found`, `works.withdrawn`; what people's `must` raises; what a deposit raises.
        Invalid: `works.too_long`.
        Unavailable: what a deposit raises.
    """
    by.must("file_rights")
    if len(reason) > works.MAX_NAME:
        raise Invalid("works.too_long", name="reason", limit=works.MAX_NAME)
    row = own_work(by, which)

    def take_away() -> None:
        change = take_changes(library.CODES, 1)
        files = WorkFile.objects.filter(work=row)
        WorkCode.objects.filter(file__in=files, gone=None).update(gone=change)
        files.filter(gone=None).update(gone=change)

    step = Step(type="work_withdrawn", payload=WorkWithdrawn(reason=reason))
    return summary_of(_change(row, step, by, at, also=take_away))


def fingerprint_waiting(clock: Callable[[], datetime], limits: Limits | None = None) -> str | None:
    """Fingerprint the file that waits longest; the number of its work, None when none waits. For the worker.

    What cannot be decoded is noted as unfit, with the reason. What the machine could not do is tried again, after the
    others that wait; a file with which it fails time and again is noted as unfit too.

    Raises:
        Unavailable: what `Workshop.fingerprint` and a deposit raise.
    """
    file = WorkFile.objects.filter(state="waiting", gone=None).order_by("tries", "made_at", "pk").first()
    if file is None:
        return None
    digest = bytes(file.sha256)
    try:
        found = library.tools().workshop.fingerprint(wiring.blobs().path(digest), limits or Limits().patient())
        _must_be_of_kind(file.work.kind, found, file.name)
    except Unavailable as error:
        WorkFile.objects.filter(pk=file.pk).update(tries=file.tries + 1)
        if file.tries + 1 < TRIES:
            raise
        _unfit(file, error.code, error.facts, clock())
    except Invalid as error:
        _unfit(file, error.code, error.facts, clock())
    else:
        at = clock()
        step = Step(type="work_identified", payload=WorkIdentified(found=_identified(digest, found)))
        _change(file.work, step, Operator(name="worker"), at, also=lambda: _take(file, found, at))
    return file.work.number


def release(file: int, *, by: Actor, at: datetime) -> None:
    """Let a quarantined file of one's own be matched again.

    Raises:
        Refused: `works.not_found`; what people's `must` raises.
    """
    by.must("file_rights")
    held = WorkFile.objects.filter(pk=file, work__organisation=by.organisation_id, held_at__isnull=False)
    if not held.update(held_at=None, released_at=at):
        raise Refused("works.not_found")


# ---- steps -----------------------------------------------------------------------------------------------------------


def _of_version(record: WorkRecord, by: Actor) -> WorkRecord:
    """The record with the id of what it is a version of, which may be named by its number."""
    return replace(record, version_of=str(own_work(by, record.version_of).pk)) if record.version_of else record


def _must_be_new(digests: Sequence[bytes], by: Actor) -> None:
    if len(set(digests)) != len(digests):
        raise Refused("works.file_twice")
    mine = WorkFile.objects.filter(sha256__in=digests, work__organisation=by.organisation_id, work__state="filed")
    known = mine.values_list("work__number", flat=True).first()
    if known is not None:
        raise Refused("works.already_filed", number=known)


def _read(kept: Kept) -> _Read:
    if kept.size > AT_ONCE:
        return _Read(kept=kept, found=None)
    return _Read(kept=kept, found=library.tools().workshop.fingerprint(kept.path))


def _must_show_similar(read: Sequence[_Read], record: WorkRecord, by: Actor) -> None:
    """Stop while somebody has not been shown what resembles it; versions of one work resemble each other."""
    chain = _versions(record.version_of)
    numbers: list[str] = []
    for each in read:
        if each.found is not None:
            numbers += [
                work.number
                for work in resembling(each.kept.path, each.kept.sha256, by.organisation_id)
                if work.pk not in chain
            ]
    if numbers:
        raise Refused("works.similar_before", numbers=sorted(set(numbers))[:20])


def _versions(first: str) -> set[UUID]:
    """The work and what it is a version of, up to a hundred back."""
    found: set[UUID] = set()
    which = UUID(first) if first else None
    while which is not None and which not in found and len(found) < 100:
        found.add(which)
        which = WorkRow.objects.filter(pk=which).values_list("version_of", flat=True).first()
    return found


def _deposit(kept: Kept, record: WorkRecord, by: Actor, at: datetime) -> UUID:
    if kept.new.deposit is not None:
        return kept.new.deposit
    new = NewDeposit(
        kind="work",
        upload=kept.new.upload,
        title=record.title,
        author=", ".join(each.name for each in record.authors)[:300],
        file_name=kept.name,
        private=record.shown == "private",
        source="api" if by.user_id is None else "page",
    )
    [made] = evidence.deposit([new], by=servant_of(by.organisation_id, by.user_id), at=at)
    if isinstance(made, PlatformError):
        raise made
    return made.id


def _must_be_of_kind(kind: str, found: Fingerprint, name: str) -> None:
    if found.kind != kind:
        raise Invalid("works.kind_differs", name=name, kind=found.kind)


def _identified(digest: bytes, found: Fingerprint) -> Identified:
    return Identified(
        sha256=digest, iscc=found.iscc, algorithm=found.algorithm, fingerprint=sha256(found.encode()).digest()
    )


def _take(file: WorkFile, found: Fingerprint, at: datetime) -> None:
    """Keep what was made of a file, unless its work was withdrawn meanwhile. Must run inside a transaction.

    Raises:
        Refused: `works.moved`: another worker was quicker.
    """
    file = WorkFile.objects.select_for_update().get(pk=file.pk)
    if file.gone is not None:
        return
    if file.state != "waiting":
        raise Refused("works.moved", number=file.work.number)
    first = take_changes(library.CODES, len(found.codes) + 1)
    WorkCode.objects.bulk_create(
        [
            WorkCode(
                file=file,
                bits=each.bits,
                quality=each.quality,
                region=each.region,
                box=list(each.box),
                turn=each.turn,
                at=each.at,
                number=number,
            )
            for number, each in enumerate(found.codes, first)
        ],
        batch_size=500,
    )
    file.state, file.done_at, file.trouble = "done", at, ""
    file.kind, file.media_type, file.facts = found.kind, found.media_type, dict(found.facts)
    file.algorithm, file.iscc = found.algorithm, found.iscc
    file.print = replace(found, codes=()).encode()
    file.number = first + len(found.codes)
    file.save()


def _unfit(file: WorkFile, code: str, facts: Mapping[str, object], at: datetime) -> None:
    WorkFile.objects.filter(pk=file.pk, state="waiting").update(
        state="unfit", trouble=code[:64], facts=dict(facts), done_at=at
    )


def _show(row: WorkRow, work: Work, head: bytes, at: datetime) -> None:
    row.kind, row.title, row.series = work.record.kind, work.record.title, work.record.series
    row.version_of = UUID(work.record.version_of) if work.record.version_of else None
    row.state, row.version, row.head = work.state, work.version, head
    row.current = jcs.encode(encoding.encode(work))
    row.changed_at = at


@wiring.answering()
def _change(
    row: WorkRow, step: Step, by: Actor | Operator, at: datetime, also: Callable[[], None] | None = None
) -> WorkRow:
    """Record what happened to a work: deposit the event, then write it and how the work stands after it.

    Args:
        also: what is written with it, or not at all.
    """
    at = max(at, row.changed_at)
    if row.state == "withdrawn" and step.type != "work_identified":
        raise Refused("works.withdrawn", number=row.number)
    [event] = chained(row.pk, row.version, bytes(row.head), [step], by=by, at=at)
    work = work_history.follow(work_of_row(row), event)
    deposits = deposit_events([(row.number, event)], row.organisation, by=by, at=at)
    try:
        with transaction.atomic():
            fresh = WorkRow.objects.select_for_update().get(pk=row.pk)
            if fresh.version != row.version:
                raise Refused("works.moved", number=row.number)
            EventRow.objects.bulk_create(event_rows([event], deposits, row.organisation, by=by))
            _show(fresh, work, event.sha256, at)
            fresh.save()
            if also is not None:
                also()
    except IntegrityError as error:
        raise Refused("works.moved", number=row.number) from error
    return fresh
