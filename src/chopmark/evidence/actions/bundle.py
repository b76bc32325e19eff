"""Bundles are asked for here; a worker builds them (`actions.work`). A notary's signed copy is taken in here too."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from django.db.models import Q

from chopmark.base.digests import Digests
from chopmark.base.errors import Invalid, Refused
from chopmark.evidence import wiring
from chopmark.evidence.actions.matter import must_not_be_held
from chopmark.evidence.actions.record import changing, next_number, record, who_is
from chopmark.evidence.blobs import digests_of_file, make_directories
from chopmark.evidence.custody import Fact, Who
from chopmark.evidence.matters import BundleSummary, bundle_summary
from chopmark.evidence.models import Bundle, Item
from chopmark.people.actor import Actor

MAX_WAITING = 10  # bundles of one matter that are not finished
MAX_ATTACHMENTS = 200
MAX_ATTACHMENT = 100_000_000  # bytes of one
FOLDERS = ("filing", "matters", "rights", "schemas")
_PATH = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+){0,3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A paper that goes along in a bundle without being evidence: a complaint, a power of attorney.

    Attributes:
        path: below `filing/`, `matters/`, `rights/` or `schemas/`.
    """

    path: str
    media_type: str
    data: bytes


def request_bundle(
    matter_id: UUID, *, items: Sequence[str] = (), attachments: Sequence[Attachment] = (), by: Actor, at: datetime
) -> BundleSummary:
    """Ask for a bundle of the matter's evidence; a worker builds it as soon as all receipts are there.

    Args:
        items: numbers (`E-001`); none for all.
        attachments: papers of a filing and the like.

    Raises:
        Refused: `matter.not_found`, `matter.item_not_found`, `matter.nothing_to_bundle`, `matter.bundles_full`; what
            people's `must` raises.
        Invalid: `matter.attachment_malformed`.
    """
    by.must("deposit")
    kept = _kept(attachments)
    with changing(matter_id, by) as row:
        there = {str(each): each for each in Item.objects.filter(matter=row, removed_at=None).order_by("ordinal")}
        chosen = list(dict.fromkeys(items))
        if missing := [each for each in chosen if each not in there]:
            raise Refused("matter.item_not_found", number=missing[0][:20])
        if not there:
            raise Refused("matter.nothing_to_bundle", number=row.number)
        if Bundle.objects.filter(matter=row, state__in=("queued", "running")).count() >= MAX_WAITING:
            raise Refused("matter.bundles_full", limit=MAX_WAITING)
        made = Bundle.objects.create(
            number=next_number("bundle", "B", at),
            matter=row,
            organisation=row.organisation,
            made_by=by.user_id,
            items=chosen or list(there),
            attachments=kept,
            state="queued",
            not_before=at,
            made_at=at,
        )
        facts: dict[str, Fact] = {"bundle": made.number, "items": list(made.items)}
        record(row, "bundle.requested", who=who_is(by), at=at, facts=facts)
        return bundle_summary(made)


def cancel_bundle(bundle_id: UUID, *, by: Actor, at: datetime) -> BundleSummary:
    """Take back a request that no worker has begun.

    Raises:
        Refused: `matter.bundle_not_found`, `matter.begun_conflict`; what people's `must` raises.
    """
    by.must("deposit")
    found = _mine(bundle_id, by)
    with changing(found.matter_id, by) as row:
        if not Bundle.objects.filter(pk=bundle_id, state="queued").update(state="cancelled", ended_at=at):
            raise Refused("matter.begun_conflict", number=found.number)
        record(row, "bundle.cancelled", who=who_is(by), at=at, facts={"bundle": found.number})
    found.refresh_from_db()
    return bundle_summary(found)


def delete_bundle(bundle_id: UUID, *, by: Actor, at: datetime) -> None:
    """Delete the file of a bundle; what went into it stays in the matter. Not under a legal hold; owners only.

    Raises:
        Refused: `matter.bundle_not_found`, `matter.held_conflict`, `matter.begun_conflict` while it is being built;
            what people's `must` raises.
    """
    by.must("manage_members")
    found = _mine(bundle_id, by)
    with changing(found.matter_id, by) as row:
        must_not_be_held(row)
        if not Bundle.objects.filter(Q(pk=bundle_id), ~Q(state="running")).update(deleted_at=at):
            raise Refused("matter.begun_conflict", number=found.number)
        record(row, "bundle.deleted", who=who_is(by), at=at, facts={"bundle": found.number})
    if found.sha256 is not None and not Bundle.objects.filter(sha256=found.sha256, deleted_at=None).exists():
        with wiring.bundles().locked():
            wiring.bundles().discard(bytes(found.sha256))


def adopt_signed_bundle(bundle_id: UUID, file: BinaryIO, *, signer: str, at: datetime) -> BundleSummary:
    """Keep the copy of a bundle that a notary signed, as a bundle of its own number.

    The caller has checked that everything but META-INF/ is as it was and that the signature is the notary's
    (`bundle.check`); it is called for by the platform itself, when the notary's answer arrives.

    Args:
        signer: the notary's name, for the custody log.

    Raises:
        Refused: `matter.bundle_not_found`.
    """
    found = Bundle.objects.filter(pk=bundle_id, state="done", deleted_at=None).first()
    if found is None:
        raise Refused("matter.bundle_not_found")
    digests = keep_bundle(file)
    with changing(found.matter_id, None) as row:
        known = Bundle.objects.filter(matter=row, sha256=digests.sha256, deleted_at=None).first()
        if known is not None:
            return bundle_summary(known)
        made = Bundle.objects.create(
            number=next_number("bundle", "B", at),
            matter=row,
            organisation=row.organisation,
            made_by=found.made_by,
            items=list(found.items),
            attachments=list(found.attachments),
            state="done",
            not_before=at,
            made_at=at,
            ended_at=at,
            sha256=digests.sha256,
            size=digests.size,
            custody_lines=found.custody_lines,
            custody_deposit=found.custody_deposit,
            signatures=found.signatures + 1,
            signed_from=found,
        )
        facts: dict[str, Fact] = {"bundle": made.number, "of": found.number, "signer": signer[:200]}
        record(row, "bundle.signed", who=Who(kind="worker", id="chopmark"), at=at, facts=facts)
        return bundle_summary(made)


def keep_bundle(file: BinaryIO) -> Digests:
    """Put a bundle's file into the store; its digests. Durable on return."""
    folder = wiring.home() / "bundles"
    make_directories(folder)
    descriptor, name = tempfile.mkstemp(prefix="incoming-", dir=folder)
    path = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as target:
            shutil.copyfileobj(file, target, 1 << 20)
        digests = digests_of_file(path, sm3=False)
        with wiring.bundles().locked():
            wiring.bundles().adopt(path, digests.sha256)
    finally:
        path.unlink(missing_ok=True)
    return digests


def _kept(attachments: Sequence[Attachment]) -> list[dict[str, str | int]]:
    """The attachments' bytes in the blob store of bundles, and what the row says of them."""
    kept: list[dict[str, str | int]] = []
    names = {each.path.lower() for each in attachments}
    if len(attachments) > MAX_ATTACHMENTS or len(names) != len(attachments):
        raise Invalid("matter.attachment_malformed", path="")
    for each in attachments:
        folder, _, rest = each.path.partition("/")
        safe = _PATH.fullmatch(each.path) and folder in FOLDERS and rest and len(each.path) <= 120
        dotted = any(part in (".", "..") for part in each.path.split("/"))
        if not safe or dotted or not 0 < len(each.data) <= MAX_ATTACHMENT:
            raise Invalid("matter.attachment_malformed", path=each.path[:120])
    for each in attachments:
        with tempfile.SpooledTemporaryFile(max_size=MAX_ATTACHMENT) as data:
            data.write(each.data)
            data.seek(0)
            digests = keep_bundle(data)  # type: ignore[arg-type]  # a spooled file reads like any other
        kept.append(
            {
                "path": each.path,
                "media_type": each.media_type[:127],
                "size": digests.size,
                "sha256": digests.sha256.hex(),
                "role": each.path.partition("/")[0],
            }
        )
    return kept


def _mine(bundle_id: UUID, by: Actor) -> Bundle:
    row = Bundle.objects.filter(pk=bundle_id, organisation=by.organisation_id, deleted_at=None).first()
    if row is None:
        raise Refused("matter.bundle_not_found")
    return row
