"""What may be read about matters, and by whom.

Everything returned is a frozen summary; rows never leave this room. A reader is an `Actor` (a member of the
organisation, who sees all of its matters) or a `Guest` (a holder of an access code, who sees the one matter of the
code, without its grants, and only while the code is valid: `actions.use_grant` makes guests). What a reader may not
see is answered like what does not exist.

    matters_of(actor)                          the organisation's matters, newest first
    matter_of(reader, "M-2026-000001")         one, by number or id; then items_of, captures_of, bundles_of, ...
    file_of_item(reader, file_id)              the bytes of one file, for an attachment, never inline
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from chopmark.base.errors import Refused, Unavailable
from chopmark.evidence import custody, wiring
from chopmark.evidence.capture.commands import Folder
from chopmark.evidence.models import (
    Bundle,
    Capture,
    CustodyLine,
    Grant,
    Hold,
    Item,
    ItemFile,
    Matter,
    Redaction,
    Schedule,
)
from chopmark.evidence.queries import StoredFile
from chopmark.people.actor import Actor

KINDS = (
    "capture",
    "purchase",
    "invoice",
    "photograph",
    "video",
    "audio",
    "correspondence",
    "work",
    "right",
    "document",
    "upload",
)
ROLES = ("original", "copy", "translation", "extract", "report")
MODES = ("automatic", "live", "operator")
# queued -> running -> done | partial | failed; queued -> cancelled; running -> queued when its worker died
CAPTURE_STATES = ("queued", "running", "done", "partial", "failed", "cancelled")
BUNDLE_STATES = ("queued", "running", "done", "failed", "cancelled")
MAX_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Both:
    """A text in both languages; either may be empty."""

    zh: str = ""
    en: str = ""

    @property
    def filled(self) -> Both:
        """The same, each language standing in for the other one where only one was given."""
        return Both(zh=self.zh or self.en, en=self.en or self.zh)

    def __bool__(self) -> bool:
        """Whether anything is said."""
        return bool(self.zh or self.en)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """A holder of a valid access code; made by `actions.use_grant` only.

    Attributes:
        grant_id: under which everything that is read is logged.
        name: as the visitor called themselves.
        address: where the visitor is.
    """

    grant_id: UUID
    matter_id: UUID
    name: str
    address: str
    expires_at: datetime


Reader = Actor | Guest


@dataclass(frozen=True, slots=True, kw_only=True)
class MatterSummary:
    """A matter.

    Attributes:
        number: `M-2026-000001`.
        template: name of a template of `chopmark.law`; its phases are the matter's.
        phase: the phase that new items get.
        state: open, closed or deleted.
        held: a legal hold is in force.
        items: how many there are, removed ones not counted.
    """

    id: UUID
    number: str
    organisation_id: UUID
    template: str
    template_version: int
    title: Both
    jurisdiction: str
    court_profile: str
    phase: str
    state: str
    held: bool
    items: int
    made_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSummary:
    """One file of an item.

    Attributes:
        name: in the bundle: ASCII, unique in the item.
        file_name: as somebody named it; never trusted.
        over: of a time-stamp token, the name of the file it is over.
        photo: what a photograph says of itself (EXIF), field names to text.
        deposit_number: empty for what was not deposited by itself.
        published: its receipt is there.
        redacted: others than the court get something else.
    """

    id: UUID
    name: str
    file_name: str
    media_type: str
    size: int
    sha256: bytes
    sm3: bytes | None
    role: str
    derived_from: str
    over: str
    photo: Mapping[str, str]
    deposit_id: UUID | None
    deposit_number: str
    published: bool
    redacted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSummary:
    """One piece of evidence.

    Attributes:
        number: `E-001`, in its matter.
        kind: one of KINDS.
        role: one of ROLES.
        purpose: what it is to prove (证明目的).
        source: where it is from, names to text.
        capture: number of the capture that it is, or empty.
    """

    id: UUID
    number: str
    matter_id: UUID
    kind: str
    role: str
    title: Both
    purpose: Both
    source: Mapping[str, str]
    phase: str
    capture: str
    made_at: datetime
    removed_at: datetime | None
    removed_reason: str
    files: tuple[FileSummary, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSummary:
    """One step of a job.

    Attributes:
        at: RFC 3339.
        step, facts: code of its sentence and what that names, for `wording.say`.
        state: `begun` or `done`.
    """

    at: str
    step: str
    state: str
    facts: Mapping[str, str | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureSummary:
    """A capture and how far it is.

    Attributes:
        state: one of CAPTURE_STATES.
        steps: oldest first.
        trouble, facts: code of what went wrong and its facts, for `wording.say`; empty when nothing did.
        result: as the manifest's `capture` says it, once there is one.
        item: number of the item it became, or empty.
    """

    id: UUID
    number: str
    matter_id: UUID
    matter_number: str
    url: str
    mode: str
    title: Both
    phase: str
    state: str
    steps: tuple[StepSummary, ...]
    tries: int
    trouble: str
    facts: Mapping[str, Any]
    result: Mapping[str, Any]
    item: str
    made_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DriveSummary:
    """Where the browser of an operator's capture stands.

    Attributes:
        step: the newest one that was carried out; 0 is the page before the first.
        asked: how many were asked for.
        action: of that step, as `capture.commands` names it.
        failure: empty when it was done, else one word (`capture.commands.Outcome`).
        picture: whether there is a screenshot after it.
    """

    step: int
    asked: int
    action: str
    failure: str
    url: str
    title: str
    picture: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSummary:
    """A page that is captured again and again."""

    id: UUID
    url: str
    mode: str
    every_minutes: int
    next_at: datetime
    until: datetime
    ended_at: datetime | None
    captures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleSummary:
    """A bundle and how far it is.

    Attributes:
        state: one of BUNDLE_STATES.
        sha256, size: of the file, once it is done.
        file_name: to save it under.
        deposit_number: of the bundle's own digest, empty before.
        signatures: 1 by the platform, 2 with a notary's.
        signed_from: number of the bundle that a notary signed to make this one.
    """

    id: UUID
    number: str
    matter_id: UUID
    matter_number: str
    items: tuple[str, ...]
    state: str
    steps: tuple[StepSummary, ...]
    tries: int
    trouble: str
    facts: Mapping[str, Any]
    sha256: bytes | None
    size: int | None
    file_name: str
    deposit_id: UUID | None
    deposit_number: str
    published: bool
    signatures: int
    signed_from: str
    made_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldSummary:
    """A legal hold, in force or lifted."""

    reason: str
    placed_by: int | None
    placed_at: datetime
    lifted_by: int | None
    lifted_at: datetime | None
    lifted_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UseSummary:
    """One use of an access code."""

    at: datetime
    action: str
    detail: str
    name: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantSummary:
    """An access code without its secret.

    Attributes:
        selector: the code's first characters, by which people tell codes apart.
        state: valid, expired, revoked or locked.
    """

    id: UUID
    selector: str
    given_to: str
    purpose: str
    state: str
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    uses: tuple[UseSummary, ...] = field(default=())


def matters_of(
    actor: Actor, *, q: str = "", state: str = "", after: str = "", limit: int = 50
) -> tuple[MatterSummary, ...]:
    """The organisation's matters, newest first; deleted ones are left out.

    Args:
        q: words of a title, or a number.
        state: `open`, `closed` or empty for both.
        after: number of the last one already seen.

    Raises:
        Refused: what people's `must` raises.
    """
    actor.must("view")
    found = _counted(Matter.objects.filter(organisation=actor.organisation_id, deleted_at=None))
    if q:
        words = q.replace("\x00", "").strip()
        found = found.filter(Q(title_zh__icontains=words) | Q(title_en__icontains=words) | Q(number=words.upper()))
    if state in ("open", "closed"):
        found = found.filter(closed_at__isnull=state == "open")
    if after:
        last = Matter.objects.filter(organisation=actor.organisation_id, number=after.replace("\x00", "")).first()
        if last is None:
            raise Refused("matter.not_found")
        found = found.filter(Q(made_at__lt=last.made_at) | Q(made_at=last.made_at, number__lt=last.number))
    return tuple(matter_summary(row) for row in found.order_by("-made_at", "-number")[: max(1, min(limit, MAX_PAGE))])


def matter_of(reader: Reader, which: UUID | str) -> MatterSummary:
    """One matter by id or number.

    Raises:
        Refused: `matter.not_found`; what people's `must` raises.
    """
    return matter_summary(matter_row(reader, which))


def items_of(reader: Reader, matter_id: UUID | str, *, removed: bool = False) -> tuple[ItemSummary, ...]:
    """The matter's evidence in order of numbers; with `removed`, also what was taken out.

    Raises:
        Refused: `matter.not_found`; what people's `must` raises.
    """
    rows = Item.objects.filter(matter=matter_row(reader, matter_id)).order_by("ordinal").select_related("capture")
    if not removed or isinstance(reader, Guest):
        rows = rows.filter(removed_at=None)
    return tuple(item_summary(row) for row in rows.prefetch_related("files__deposit", "files__redactions"))


def item_of(reader: Reader, item_id: UUID) -> ItemSummary:
    """One item.

    Raises:
        Refused: `matter.item_not_found`; what people's `must` raises.
    """
    row = Item.objects.filter(pk=item_id).select_related("matter", "capture").first()
    if row is None or not _reads(reader, row.matter) or (row.removed_at is not None and isinstance(reader, Guest)):
        raise Refused("matter.item_not_found")
    return item_summary(row)


def file_of_item(reader: Reader, file_id: UUID) -> StoredFile:
    """The bytes of one file of an item, for an attachment. A guest of a redacted file gets what is shown instead.

    Raises:
        Refused: `matter.file_not_found`; what people's `must` raises.
        Unavailable: `evidence.blob_missing`.
    """
    row = ItemFile.objects.filter(pk=file_id).select_related("item__matter").first()
    gone = row is not None and row.item.removed_at is not None
    if row is None or not _reads(reader, row.item.matter) or (gone and isinstance(reader, Guest)):
        raise Refused("matter.file_not_found")
    shown: Any = row
    if isinstance(reader, Guest):
        shown = row.redactions.filter(undone_at=None).first() or row
    sha256 = bytes(shown.sha256)
    return StoredFile(
        chunks=wiring.blobs().read(sha256), size=shown.size, file_name=row.file_name or row.name, sha256=sha256
    )


def captures_of(reader: Reader, matter_id: UUID | str) -> tuple[CaptureSummary, ...]:
    """The matter's captures, newest first.

    Raises:
        Refused: `matter.not_found`; what people's `must` raises.
    """
    rows = Capture.objects.filter(matter=matter_row(reader, matter_id)).order_by("-made_at", "-number")
    return tuple(capture_summary(row) for row in rows.select_related("matter", "item")[:MAX_PAGE])


def capture_of(reader: Reader, which: UUID | str) -> CaptureSummary:
    """One capture by id or number.

    Raises:
        Refused: `matter.capture_not_found`; what people's `must` raises.
    """
    row = Capture.objects.filter(_named(which)).select_related("matter", "item").first()
    if row is None or not _reads(reader, row.matter):
        raise Refused("matter.capture_not_found")
    return capture_summary(row)


def drive_of(actor: Actor, which: UUID | str) -> DriveSummary | None:
    """Where the browser of a running operator's capture stands; None while there is no browser to be driven.

    Raises:
        Refused: `matter.capture_not_found`; what people's `must` raises.
    """
    one = capture_of(actor, which)
    place = wiring.commands(one.number)
    if one.mode != "operator" or one.state != "running" or not place.is_dir():
        return None
    steps = Folder(place)
    newest = steps.newest()
    told = steps.outcome(newest) if newest is not None else None
    if newest is None or told is None or told.get("action") == "finish":
        return None
    return DriveSummary(
        step=newest,
        asked=steps.asked(),
        action=str(told.get("action", "")),
        failure=str(told["failure"]),
        url=str(told.get("url", "")),
        title=str(told.get("title", "")),
        picture=bool(steps.screenshot(newest)),
    )


def drive_picture(actor: Actor, which: UUID | str, step: int) -> bytes:
    """What the browser showed after a step, JPEG as the browser made it; empty where there is none.

    Raises:
        Refused: `matter.capture_not_found`; what people's `must` raises.
    """
    place = wiring.commands(capture_of(actor, which).number)
    return Folder(place).screenshot(step) if place.is_dir() else b""


def schedules_of(actor: Actor, matter_id: UUID | str) -> tuple[ScheduleSummary, ...]:
    """What is captured again and again, newest first.

    Raises:
        Refused: `matter.not_found`; what people's `must` raises.
    """
    rows = Schedule.objects.filter(matter=matter_row(actor, matter_id)).annotate(count=Count("capture"))
    return tuple(schedule_summary(row) for row in rows.order_by("-made_at")[:MAX_PAGE])


def bundles_of(reader: Reader, matter_id: UUID | str) -> tuple[BundleSummary, ...]:
    """The matter's bundles, newest first; a guest sees those that are finished and hold nothing redacted since.

    Raises:
        Refused: `matter.not_found`; what people's `must` raises.
    """
    rows = Bundle.objects.filter(matter=matter_row(reader, matter_id), deleted_at=None)
    rows = rows.order_by("-made_at", "-number").select_related("matter", "deposit", "signed_from")[:MAX_PAGE]
    return tuple(bundle_summary(row) for row in rows if not isinstance(reader, Guest) or _is_for_guests(row))


def bundle_of(reader: Reader, which: UUID | str) -> BundleSummary:
    """One bundle by id or number.

    Raises:
        Refused: `matter.bundle_not_found`; what people's `must` raises.
    """
    return bundle_summary(_bundle(reader, which))


def bundle_file(reader: Reader, which: UUID | str) -> tuple[Path, str]:
    """Where the finished bundle lies, and the name to save it under.

    Raises:
        Refused: `matter.bundle_not_found`, also while it is not done.
        Unavailable: `matter.bundle_missing` when the file is gone.
    """
    row = _bundle(reader, which)
    if row.state != "done" or row.sha256 is None:
        raise Refused("matter.bundle_not_found")
    path = wiring.bundles().path(bytes(row.sha256))
    if not path.is_file():
        raise Unavailable("matter.bundle_missing", number=row.number)
    return path, _file_name(row)


def holds_of(actor: Actor, matter_id: UUID | str) -> tuple[HoldSummary, ...]:
    """The matter's legal holds, newest first.

    Raises:
        Refused: `matter.not_found`; what people's `must` raises.
    """
    rows = Hold.objects.filter(matter=matter_row(actor, matter_id)).order_by("-placed_at")
    return tuple(
        HoldSummary(
            reason=row.reason,
            placed_by=row.placed_by,
            placed_at=row.placed_at,
            lifted_by=row.lifted_by,
            lifted_at=row.lifted_at,
            lifted_reason=row.lifted_reason,
        )
        for row in rows[:MAX_PAGE]
    )


def grants_of(actor: Actor, matter_id: UUID | str, at: datetime) -> tuple[GrantSummary, ...]:
    """The matter's access codes with their uses, newest first. Not for guests.

    Raises:
        Refused: `matter.not_found`; what people's `must` raises.
    """
    rows = Grant.objects.filter(matter=matter_row(actor, matter_id)).order_by("-made_at").prefetch_related("uses")
    return tuple(grant_summary(row, at) for row in rows[:MAX_PAGE])


def custody_of(reader: Reader, matter_id: UUID | str) -> tuple[custody.Entry, ...]:
    """The custody log, oldest line first.

    Raises:
        Refused: `matter.not_found`; what people's `must` raises.
        Invalid: `matter.custody_broken` when the table was changed behind the platform's back.
    """
    return custody.read(custody_log(reader, matter_id))


def custody_log(reader: Reader, matter_id: UUID | str) -> bytes:
    """The custody log as its file, `process.jsonl`.

    Raises:
        Refused: `matter.not_found`; what people's `must` raises.
    """
    return log_of(matter_row(reader, matter_id))


def custody_case(reader: Reader, matter_id: UUID | str) -> bytes:
    """The custody log as CASE/UCO JSON-LD.

    Raises:
        Refused: `matter.not_found`; what people's `must` raises.
        Invalid: `matter.custody_broken`.
    """
    row = matter_row(reader, matter_id)
    exhibits = [
        custody.Exhibit(
            number=each.number,
            title=each.title.en,
            files=tuple(
                (f"evidence/{folder_of(each)}/{file.name}", file.size, file.sha256.hex(), file.media_type)
                for file in each.files
            ),
        )
        for each in items_of(reader, row.pk, removed=True)
    ]
    return custody.case_jsonld(row.pk, row.number, exhibits, custody.read(log_of(row)))


def folder_of(item: ItemSummary) -> str:
    """The item's folder in a bundle, below `evidence/`: `001-capture`."""
    return f"{item.number.removeprefix('E-')}-{item.kind}"


# What follows is for this room only: rows and their frozen forms.


def matter_row(reader: Reader, which: UUID | str) -> Matter:
    """The row, where the reader may see it."""
    row = _counted(Matter.objects.filter(_named(which))).first()
    if row is None or not _reads(reader, row):
        raise Refused("matter.not_found")
    return row


def log_of(row: Matter, lines: int | None = None) -> bytes:
    """The file of a matter's custody log; its first `lines`, or all."""
    rows = CustodyLine.objects.filter(matter=row).order_by("seq").values_list("line", flat=True)
    return custody.write(bytes(line) for line in (rows if lines is None else rows[:lines]).iterator())


def _reads(reader: Reader, row: Matter) -> bool:
    if isinstance(reader, Guest):
        return row.pk == reader.matter_id and row.deleted_at is None
    reader.must("view")
    return row.organisation == reader.organisation_id and row.deleted_at is None


def _bundle(reader: Reader, which: UUID | str) -> Bundle:
    row = Bundle.objects.filter(_named(which)).select_related("matter", "deposit", "signed_from").first()
    if row is None or not _reads(reader, row.matter) or row.deleted_at is not None:
        raise Refused("matter.bundle_not_found")
    if isinstance(reader, Guest) and not _is_for_guests(row):
        raise Refused("matter.bundle_not_found")
    return row


def _first(row: Bundle) -> Bundle:
    """The bundle as it was built: a notary's signature and a renewal each make another row of the same contents."""
    while row.signed_from is not None:
        row = row.signed_from
    return row


def _file_name(row: Bundle) -> str:
    """The name that the commands of its README.txt use."""
    return f"{_first(row).number}.asice"


def _is_for_guests(row: Bundle) -> bool:
    """Whether it is done, and was asked for after the matter's last redaction: an older one shows what is hidden."""
    hidden = Redaction.objects.filter(file__item__matter=row.matter_id, undone_at=None)
    return row.state == "done" and not hidden.filter(made_at__gt=_first(row).made_at).exists()


def _named(which: UUID | str) -> Q:
    if isinstance(which, UUID):
        return Q(pk=which)
    try:
        return Q(pk=UUID(which))
    except ValueError:
        return Q(number=which.replace("\x00", "")[:24])


def _counted(rows: QuerySet[Matter]) -> QuerySet[Matter]:
    """With how many items and holds there are; one query for a whole page."""
    return rows.annotate(
        items_now=Count("items", filter=Q(items__removed_at=None), distinct=True),
        holds_now=Count("holds", filter=Q(holds__lifted_at=None), distinct=True),
    )


def matter_summary(row: Matter) -> MatterSummary:
    """The frozen form of a row that was read by `_counted`, or else counted now."""
    items = getattr(row, "items_now", None)
    holds = getattr(row, "holds_now", None)
    if items is None:
        items = row.items.filter(removed_at=None).count()
    if holds is None:
        holds = row.holds.filter(lifted_at=None).count()
    return MatterSummary(
        id=row.pk,
        number=row.number,
        organisation_id=row.organisation,
        template=row.template,
        template_version=row.template_version,
        title=Both(zh=row.title_zh, en=row.title_en),
        jurisdiction=row.jurisdiction,
        court_profile=row.court_profile,
        phase=row.phase,
        state="deleted" if row.deleted_at else "closed" if row.closed_at else "open",
        held=bool(holds),
        items=items,
        made_at=row.made_at,
        closed_at=row.closed_at,
    )


def item_summary(row: Item) -> ItemSummary:
    """The frozen form of a row."""
    return ItemSummary(
        id=row.pk,
        number=str(row),
        matter_id=row.matter_id,
        kind=row.kind,
        role=row.role,
        title=Both(zh=row.title_zh, en=row.title_en),
        purpose=Both(zh=row.purpose_zh, en=row.purpose_en),
        source=dict(row.source),
        phase=row.phase,
        capture=row.capture.number if row.capture is not None else "",
        made_at=row.made_at,
        removed_at=row.removed_at,
        removed_reason=row.removed_reason,
        files=tuple(_file(each) for each in sorted(row.files.all(), key=lambda each: each.ordinal)),
    )


def _file(row: ItemFile) -> FileSummary:
    return FileSummary(
        id=row.pk,
        name=row.name,
        file_name=row.file_name,
        media_type=row.media_type,
        size=row.size,
        sha256=bytes(row.sha256),
        sm3=bytes(row.sm3) if row.sm3 is not None else None,
        role=row.role,
        derived_from=row.derived_from,
        over=row.over,
        photo=dict(row.photo),
        deposit_id=row.deposit_id,
        deposit_number=row.deposit.number if row.deposit is not None else "",
        published=row.deposit is not None and row.deposit.position is not None,
        redacted=any(each.undone_at is None for each in row.redactions.all()),
    )


def capture_summary(row: Capture) -> CaptureSummary:
    """The frozen form of a row."""
    item = getattr(row, "item", None)
    return CaptureSummary(
        id=row.pk,
        number=row.number,
        matter_id=row.matter_id,
        matter_number=row.matter.number,
        url=row.url,
        mode=row.mode,
        title=Both(zh=row.title_zh, en=row.title_en),
        phase=row.phase,
        state=row.state,
        steps=_steps(row.steps),
        tries=row.tries,
        trouble=row.trouble,
        facts=dict(row.facts),
        result=dict(row.result),
        item=str(item) if item is not None else "",
        made_at=row.made_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )


def schedule_summary(row: Schedule) -> ScheduleSummary:
    """The frozen form of a row."""
    captures = getattr(row, "count", None)
    return ScheduleSummary(
        id=row.pk,
        url=row.wanted["url"],
        mode=row.wanted["mode"],
        every_minutes=row.every_minutes,
        next_at=row.next_at,
        until=row.until,
        ended_at=row.ended_at,
        captures=row.capture_set.count() if captures is None else captures,
    )


def bundle_summary(row: Bundle) -> BundleSummary:
    """The frozen form of a row."""
    return BundleSummary(
        id=row.pk,
        number=row.number,
        matter_id=row.matter_id,
        matter_number=row.matter.number,
        items=tuple(row.items),
        state=row.state,
        steps=_steps(row.steps),
        tries=row.tries,
        trouble=row.trouble,
        facts=dict(row.facts),
        sha256=bytes(row.sha256) if row.sha256 is not None else None,
        size=row.size,
        file_name=_file_name(row),
        deposit_id=row.deposit_id,
        deposit_number=row.deposit.number if row.deposit is not None else "",
        published=row.deposit is not None and row.deposit.position is not None,
        signatures=row.signatures,
        signed_from=row.signed_from.number if row.signed_from and row.signatures > row.signed_from.signatures else "",
        made_at=row.made_at,
        ended_at=row.ended_at,
    )


def grant_summary(row: Grant, at: datetime) -> GrantSummary:
    """The frozen form of a row at a moment."""
    return GrantSummary(
        id=row.pk,
        selector=row.selector,
        given_to=row.given_to,
        purpose=row.purpose,
        state=grant_state(row, at),
        made_at=row.made_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        uses=tuple(
            UseSummary(at=each.at, action=each.action, detail=each.detail, name=each.name, address=each.address)
            for each in sorted(row.uses.all(), key=lambda each: each.pk)
        ),
    )


def grant_state(row: Grant, at: datetime) -> str:
    """`valid`, `revoked`, `locked` or `expired`."""
    if row.revoked_at is not None:
        return "revoked"
    if row.locked_at is not None:
        return "locked"
    return "expired" if row.expires_at <= at else "valid"


def _steps(written: Sequence[Mapping[str, Any]]) -> tuple[StepSummary, ...]:
    return tuple(
        StepSummary(at=each["at"], step=each["step"], state=each["state"], facts=each.get("facts", {}))
        for each in written
    )


def stored_chunks(path: Path) -> Iterator[bytes]:
    """A file in pieces of 1 MiB."""
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            yield chunk
