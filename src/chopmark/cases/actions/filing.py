"""File a case: draft it step by step, see what is missing, preview, send; supplement, withdraw; or take a package.

A filing is drafted by anybody who may deposit for the organisation. It is sent once what would be sent was previewed,
unchanged since. Sending writes the message and its place in the outbox in one transaction; the courier carries it.
A supplement is the same draft, opened again by the desk's wish and sent as the next revision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO
from uuid import UUID

from django.db import transaction

from chopmark.base.errors import Invalid, Refused
from chopmark.cases import checklist, draft, messages, papers, queries, states
from chopmark.cases.actions import common
from chopmark.cases.checklist import Checklist
from chopmark.cases.models import Desk, Filing
from chopmark.cases.package import write_package
from chopmark.cases.queries import FilingSummary, filing_row, filing_summary
from chopmark.desk import codec, wire
from chopmark.evidence import matters, wiring
from chopmark.people.actor import Actor

MAX_NUMBER = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What would be sent.

    Attributes:
        message: all that the court will get, but the times of agreeing.
        sha256: of the draft that was shown; `submit_filing` wants it back.
    """

    message: wire.Filing | wire.Order
    sha256: bytes
    checklist: Checklist


@wiring.answering()
def draft_filing(
    matter_id: UUID,
    *,
    by: Actor,
    at: datetime,
    bundle_id: UUID | None = None,
    steps: Mapping[str, Mapping[str, Any]] | None = None,
) -> FilingSummary:
    """Begin a filing about a matter; the newest bundle that is finished is taken unless another one is named.

    Raises:
        Refused: `matter.not_found`, `cases.too_many_drafts`; as `save_step`.
        Invalid: as `save_step`.
    """
    by.must("deposit")
    matter = matters.matter_of(by, matter_id)
    if bundle_id is None:
        done = [each for each in matters.bundles_of(by, matter_id) if each.state == "done"]
        bundle_id = done[0].id if done else None
    else:
        papers.offered(by, bundle_id, matter.id)
    checked = {step: draft.read_step(step, data) for step, data in (steps or {}).items()}
    if bundle_id is not None:
        lines = checked.get("evidence", {}).get("lines", [])
        checked["evidence"] = draft.read_step("evidence", {"bundle": str(bundle_id), "lines": lines})
    with transaction.atomic():
        mine = Filing.objects.filter(organisation=by.organisation_id, state="draft")
        if mine.count() >= common.MAX_DRAFTS:
            raise Refused("cases.too_many_drafts", limit=common.MAX_DRAFTS)
        row = Filing.objects.create(
            number=common.next_number("F", at),
            organisation=by.organisation_id,
            made_by=by.user_id,
            matter=matter.id,
            bundle=bundle_id,
            draft=checked,
            state="draft",
            made_at=at,
            changed_at=at,
        )
    return filing_summary(row, whole=True)


@wiring.answering()
def save_step(
    filing_id: UUID | str,
    step: str,
    data: Mapping[str, Any],
    *,
    by: Actor,
    at: datetime,
    version: int | None = None,
) -> FilingSummary:
    """Save one step of the draft, as far as it is filled in.

    Args:
        step: one of `draft.STEPS`; `data` has the members of its class, missing ones count as empty.
        version: of the draft that the person saw; None to save over whatever is there.

    Raises:
        Refused: `cases.filing_not_found`, `cases.state_wrong`, `cases.draft_moved`; for the step `evidence` also what
            `papers.offered` raises.
        Invalid: `cases.step_unknown`, `cases.draft_malformed`.
    """
    by.must("deposit")
    checked = draft.read_step(step, data)
    bundle = _bundle_named(checked.get("bundle", "")) if step == "evidence" else None
    row = filing_row(by, filing_id)
    if bundle is not None:
        papers.offered(by, bundle, row.matter)
    with transaction.atomic():
        row = filing_row(by, filing_id, lock=True)
        states.must_be(row.state, states.EDITABLE)
        common.must_be_current(row, version)
        row.draft = common.merged(row.draft, step, checked)
        if step == "evidence":
            row.bundle = bundle
        row.version, row.changed_at = row.version + 1, at
        row.save(update_fields=["draft", "bundle", "version", "changed_at"])
    return filing_summary(row, whole=True)


def check_filing(filing_id: UUID | str, *, by: Actor) -> Checklist:
    """What is missing, and the fee.

    Raises:
        Refused: `cases.filing_not_found`; what `papers.offered` raises.
    """
    return queries.checklist_of(by, filing_id)


@wiring.answering()
def preview_filing(filing_id: UUID | str, *, by: Actor, at: datetime) -> Preview:
    """What would be sent now; that it was shown, and when, is noted.

    Raises:
        Refused: `cases.filing_not_found`, `cases.state_wrong`; `cases.incomplete` while something is missing.
    """
    by.must("deposit")
    row = filing_row(by, filing_id)
    states.must_be(row.state, states.EDITABLE)
    offered, missing = _complete(row, by)
    shown = common.drafted(row)
    message = messages.filing(row, offered, by, previewed_at=at, agreed_at=at, at=at, note="")
    Filing.objects.filter(pk=row.pk).update(previewed_at=at, previewed=shown)
    return Preview(message=message, sha256=shown, checklist=missing)


@wiring.answering()
def submit_filing(
    filing_id: UUID | str, *, by: Actor, at: datetime, shown: bytes | None = None, note: str = ""
) -> FilingSummary:
    """Send the filing to the court's desk; or, where the court has none, make it ready as a package.

    Also sends a supplement, as the next revision, when the desk asked for one.

    Args:
        shown: `Preview.sha256` of the preview that the person agreed to.
        note: what a supplement says to the clerk.

    Raises:
        Refused: `cases.filing_not_found`, `cases.state_wrong`, `cases.incomplete`; `cases.preview_first` when it was
            not previewed, or changed since; what evidence's `deposit` raises.
        Invalid: `desk.message_too_large`, `cases.draft_malformed`.
    """
    by.must("deposit")
    row = filing_row(by, filing_id)
    states.must_be(row.state, states.EDITABLE)
    offered, _ = _complete(row, by)
    wanted = common.drafted(row)
    if row.previewed_at is None or bytes(row.previewed or b"") != wanted or shown not in (None, wanted):
        raise Refused("cases.preview_first", number=row.number)
    message = messages.filing(row, offered, by, previewed_at=row.previewed_at, agreed_at=at, at=at, note=note)
    data = codec.canonical(message)
    if len(data) > codec.MAX_MESSAGE:
        raise Invalid("desk.message_too_large", limit=codec.MAX_MESSAGE)
    name = f"{row.number}-{message.revision}.json"
    deposit = common.deposit_document(data, f"{row.number} ({message.revision})", name, by=by, at=at)
    desk = Desk.objects.filter(kind="court", profile=message.court, retired_at=None).order_by("adopted_at").first()
    with transaction.atomic():
        fresh = filing_row(by, row.pk, lock=True)
        states.must_be(fresh.state, states.EDITABLE)
        if (fresh.version, fresh.revision) != (row.version, row.revision):
            raise Refused("cases.draft_moved", number=row.number)
        fresh.desk = fresh.desk or desk
        fresh.way = "package" if fresh.desk is None else "desk"
        fresh.state = "packaged" if fresh.desk is None else "sending"
        fresh.revision, fresh.message, fresh.message_deposit = message.revision, data, deposit
        fresh.previewed = fresh.previewed_at = None
        fresh.sent_at = fresh.changed_at = at
        fresh.save()
        if fresh.desk is not None:
            common.dispatch(fresh, fresh.desk, "filing", at=at, body=data, size=message.bundle.size)
    return filing_summary(fresh, whole=True)


@wiring.answering()
def withdraw_filing(filing_id: UUID | str, reason: str, *, by: Actor, at: datetime) -> FilingSummary:
    """Take a filing back; the desk confirms it.

    Raises:
        Refused: `cases.filing_not_found`, `cases.state_wrong`.
        Invalid: `cases.draft_malformed` for a reason that is no text.
    """
    by.must("deposit")
    with transaction.atomic():
        row = filing_row(by, filing_id, lock=True)
        states.must_be(row.state, states.WITHDRAWABLE)
        body = codec.canonical(messages.withdrawal(row.pk, reason, at))
        row.state, row.changed_at = "withdrawing", at
        row.save(update_fields=["state", "changed_at"])
        if row.desk is not None:
            common.dispatch(row, row.desk, "withdrawal", at=at, body=body)
    return filing_summary(row, whole=True)


@wiring.answering()
def discard_filing(filing_id: UUID | str, *, by: Actor) -> None:
    """Throw a draft away that was never sent.

    Raises:
        Refused: `cases.filing_not_found`, `cases.state_wrong`.
    """
    by.must("deposit")
    with transaction.atomic():
        row = filing_row(by, filing_id, lock=True)
        states.must_be(row.state, frozenset(("draft",)))
        row.delete()


@wiring.answering()
def enter_receipt(filing_id: UUID | str, receipt_number: str, *, by: Actor, at: datetime) -> FilingSummary:
    """Note the number that the court gave a person who handed the package in.

    Raises:
        Refused: `cases.filing_not_found`, `cases.state_wrong` unless it went as a package.
        Invalid: `cases.receipt_number_malformed`.
    """
    by.must("deposit")
    number = receipt_number.strip()
    if not 0 < len(number) <= MAX_NUMBER or not number.isprintable():
        raise Invalid("cases.receipt_number_malformed", limit=MAX_NUMBER)
    with transaction.atomic():
        row = filing_row(by, filing_id, lock=True)
        states.must_be(row.state, frozenset(("packaged", "filed")))
        row.receipt_number, row.state, row.changed_at = number, "filed", at
        row.save(update_fields=["receipt_number", "state", "changed_at"])
    return filing_summary(row, whole=True)


def export_package(filing_id: UUID | str, out: BinaryIO, *, by: Actor) -> str:
    """Write the filing package of what was sent last; the name to save it under.

    Args:
        out: seekable; gets the ZIP file.

    Raises:
        Refused: `cases.filing_not_found`, also while nothing was sent; what evidence's `bundle_file` raises.
        Unavailable: `matter.bundle_missing`.
    """
    row = filing_row(by, filing_id)
    message = queries.sent_message(by, row.pk)
    if row.bundle is None:
        raise Refused("cases.filing_not_found")
    with papers.opened(by, row.bundle) as bundle:
        write_package(out, message, bundle)
    return f"{row.number}.zip"


def _complete(row: Filing, by: Actor) -> tuple[papers.Offered, Checklist]:
    """The bundle and the checklist of a filing that lacks nothing."""
    offered = papers.offered(by, row.bundle, row.matter) if row.bundle else None
    manifest, template = (None, "") if offered is None else (offered.manifest, offered.template)
    found = checklist.check(draft.stored(row.draft), manifest, template)
    if offered is None or not found.ready:
        raise Refused("cases.incomplete", number=row.number, missing=[gap.code for gap in found.gaps if gap.blocks])
    return offered, found


def _bundle_named(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError as error:
        raise Invalid("cases.draft_malformed", reason="evidence/bundle") from error
