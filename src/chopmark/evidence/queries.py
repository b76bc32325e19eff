"""What may be read about deposits, and by whom.

Everything returned is a frozen summary or a pure value; rows never leave this room.
Each function that takes an actor checks that the actor may see what it asks for: another organisation's
deposit is answered like one that does not exist.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.db.models import Count, Min, Q, QuerySet

from chopmark.base import cbor
from chopmark.base.clock import to_text
from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.evidence import stamps, wiring
from chopmark.evidence.deposit import KINDS, Disclosure
from chopmark.evidence.models import Deposit, Founding, Governance, ShareLink, Upload
from chopmark.evidence.receipt import MAX_ANCHORS, Receipt
from chopmark.ledger.cose_receipt import assemble_receipt
from chopmark.ledger.stores import Published
from chopmark.people.actor import Actor

STATES = ("pending", "published")
MAX_PAGE = 200
EXPORT_CHUNK = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositSummary:
    """A deposit as its organisation sees it.

    Attributes:
        size: bytes, or None when a signed statement does not tell.
        sha256: 32 bytes, or None when a signed private statement does not tell.
        leaf: 32 bytes, the RFC 6962 leaf hash of the statement.
        earlier: numbers of deposits of the same digest made before by the same organisation.
        created: False when the same deposit had been made before and this is that one.
    """

    id: UUID
    number: str
    organisation_id: UUID
    source: str
    kind: str
    title: str
    author: str
    file_name: str
    media_type: str
    size: int | None
    private: bool
    sha256: bytes | None
    sm3: bytes | None
    kept: bool
    agent: bool
    leaf: bytes
    made_at: datetime
    position: int | None
    published_at: datetime | None
    earlier: tuple[str, ...] = ()
    created: bool = True

    @property
    def state(self) -> Literal["pending", "published"]:
        """`pending` until the log has published the entry."""
        return "pending" if self.position is None else "published"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some deposits, newest first.

    Attributes:
        next: the number to give as `after` for the following page, or empty.
        counts: deposits by state that fit the search and the kind, on all pages.
    """

    items: tuple[DepositSummary, ...]
    next: str
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file the platform keeps; `chunks` breaks off with an error when the stored bytes are damaged."""

    chunks: Iterator[bytes]
    size: int
    file_name: str
    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadState:
    """How far an upload is; `sha256` is set when it is complete and checked."""

    id: UUID
    length: int
    offset: int
    file_name: str
    media_type: str
    sha256: bytes | None
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One public entry on the ledger under a digest."""

    position: int
    leaf: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What an operator looks at first.

    Attributes:
        pending: statements that wait for the writer.
        oldest_pending: when the oldest deposit that still waits was made.
        size: entries published.
        published_at: time of the newest checkpoint.
    """

    pending: int
    oldest_pending: datetime | None
    size: int
    published_at: datetime | None


def summary_of(row: Deposit, *, earlier: Sequence[str] = (), created: bool = True) -> DepositSummary:
    """The frozen form of a row."""
    return DepositSummary(
        id=row.id,
        number=row.number,
        organisation_id=row.organisation,
        source=row.source,
        kind=row.kind,
        title=row.title,
        author=row.author,
        file_name=row.file_name,
        media_type=row.media_type,
        size=row.size,
        private=row.private,
        sha256=bytes(row.sha256) if row.sha256 is not None else None,
        sm3=bytes(row.sm3) if row.sm3 is not None else None,
        kept=row.kept,
        agent=row.agent,
        leaf=bytes(row.leaf),
        made_at=row.made_at,
        position=row.position,
        published_at=row.published_at,
        earlier=tuple(earlier),
        created=created,
    )


def encode_disclosures(disclosures: Sequence[Disclosure]) -> bytes:
    """The form of a row: one deterministic CBOR list of `[salt, name, value]`."""
    return cbor.encode(
        [
            [each.salt, each.name, dict(each.value) if isinstance(each.value, Mapping) else each.value]
            for each in disclosures
        ]
    )


def decode_disclosures(data: bytes) -> tuple[Disclosure, ...]:
    """Back from the form of a row."""
    return tuple(Disclosure(salt=salt, name=name, value=value) for salt, name, value in cbor.decode(data))


def deposit_of(actor: Actor, deposit_id: UUID) -> DepositSummary:
    """One deposit of the actor's organisation.

    Raises:
        Refused: `evidence.deposit_not_found`; what people's `must` raises.
    """
    row = _row(actor, deposit_id)
    return summary_of(row, earlier=_earlier_numbers(row))


def deposit_by_number(actor: Actor, number: str) -> DepositSummary:
    """The same by its short number, `D-2026-000123`.

    Raises:
        Refused: `evidence.deposit_not_found`; what people's `must` raises.
    """
    actor.must("view")
    row = Deposit.objects.filter(organisation=actor.organisation_id, number=number).first()
    if row is None:
        raise Refused("evidence.deposit_not_found")
    return summary_of(row, earlier=_earlier_numbers(row))


def deposits_of(
    actor: Actor,
    *,
    q: str = "",
    state: str = "",
    kind: str = "",
    digest: bytes | None = None,
    private: bool | None = None,
    made_from: datetime | None = None,
    made_before: datetime | None = None,
    oldest_first: bool = False,
    after: str = "",
    limit: int = 50,
) -> Page:
    """A page of the organisation's deposits, newest first unless asked otherwise.

    Args:
        q: words of title, author or file name, a short number, or a whole digest in hexadecimal.
        state: `pending`, `published` or empty for both.
        kind: one of the kinds, or empty for all.
        digest: only deposits of this SHA-256 or SM3 digest.
        private: only private ones, only public ones, or None for both.
        made_from, made_before: only deposits made in this span of time; the end is not in it.
        after: the short number of the last deposit already seen.
        limit: 1 to 200.

    Raises:
        Invalid: `evidence.filter_unknown`.
        Refused: what people's `must` raises.
    """
    found = _filtered(actor, q=q, kind=kind, private=private, made_from=made_from, made_before=made_before)
    if digest is not None:
        # Asked in one go, SQLite goes through all rows of the organisation in the order of the list.
        mine = Deposit.objects.filter(organisation=actor.organisation_id)
        same = [
            *mine.filter(sha256=digest).values_list("pk", flat=True),
            *mine.filter(sm3=digest).values_list("pk", flat=True),
        ]
        found = found.filter(pk__in=same)
    counts = found.aggregate(all=Count("pk"), pending=Count("pk", filter=Q(position__isnull=True)))
    rest = _after(_in_state(found, state), actor, after, oldest_first=oldest_first)
    rows = list(rest.order_by("serial" if oldest_first else "-serial")[: _bounded(limit) + 1])
    shown = rows[: _bounded(limit)]
    return Page(
        items=tuple(summary_of(row) for row in shown),
        next=shown[-1].number if len(rows) > len(shown) else "",
        counts={**counts, "published": counts["all"] - counts["pending"]},
    )


def latest(actor: Actor, limit: int = 10) -> tuple[DepositSummary, ...]:
    """The organisation's newest deposits."""
    actor.must("view")
    rows = Deposit.objects.filter(organisation=actor.organisation_id).order_by("-serial")[: _bounded(limit)]
    return tuple(summary_of(row) for row in rows)


def earlier_deposits(digest: bytes, actor: Actor) -> tuple[DepositSummary, ...]:
    """The organisation's deposits of the same SHA-256 digest, oldest first."""
    actor.must("view")
    # Sorted here: asked to sort, SQLite goes through all rows of the organisation in that order.
    rows = sorted(Deposit.objects.filter(organisation=actor.organisation_id, sha256=digest), key=lambda row: row.serial)
    return tuple(summary_of(row) for row in rows[:MAX_PAGE])


def keeps(actor: Actor, sha256: bytes) -> bool:
    """Whether the platform keeps this file for the actor's organisation: with a deposit, or as a finished upload.

    That it lies here for somebody else is nobody's business: it may be private.
    """
    actor.must("view")
    mine = {"organisation": actor.organisation_id, "sha256": sha256}
    kept = Deposit.objects.filter(**mine, kept=True).exists() or Upload.objects.filter(**mine).exists()
    return kept and wiring.blobs().holds(sha256)


def export_rows(
    actor: Actor,
    *,
    q: str = "",
    state: str = "",
    kind: str = "",
    private: bool | None = None,
    made_from: datetime | None = None,
    made_before: datetime | None = None,
    oldest_first: bool = True,
) -> Iterator[dict[str, str]]:
    """All deposits that fit, as flat text for CSV; one query, read as it is written out."""
    fitting = _filtered(actor, q=q, kind=kind, private=private, made_from=made_from, made_before=made_before)
    found = _in_state(fitting, state).order_by("serial" if oldest_first else "-serial")
    return (_flat(summary_of(row)) for row in found.iterator(chunk_size=EXPORT_CHUNK))


def receipt_for(actor: Actor, deposit_id: UUID) -> Receipt:
    """The receipt of a published deposit.

    Raises:
        Unavailable: `evidence.not_published`; `evidence.not_cosigned` for a deposit older than the consortium, until
            the next checkpoint.
        Refused: `evidence.deposit_not_found`; what people's `must` raises.
    """
    return _receipt(_row(actor, deposit_id))


def statement_for(actor: Actor, deposit_id: UUID) -> bytes:
    """The signed statement of a deposit, published or not.

    Raises:
        Refused: `evidence.deposit_not_found`; what people's `must` raises.
    """
    return bytes(_row(actor, deposit_id).statement)


def file_of(actor: Actor, deposit_id: UUID) -> StoredFile:
    """The file that was kept with a deposit.

    Raises:
        Refused: `evidence.file_not_found`, `evidence.deposit_not_found`; what people's `must` raises.
        Unavailable: `evidence.blob_missing`.
    """
    row = _row(actor, deposit_id)
    if not row.kept or row.sha256 is None or row.size is None:
        raise Refused("evidence.file_not_found", number=row.number)
    sha256 = bytes(row.sha256)
    return StoredFile(
        chunks=wiring.blobs().read(sha256), size=row.size, file_name=row.file_name or row.number, sha256=sha256
    )


def shared(token: str) -> tuple[DepositSummary, Receipt | None]:
    """What a share link shows: the deposit, and its receipt as soon as there is one.

    Raises:
        Refused: `evidence.link_not_found`, also for a revoked link.
    """
    link = (
        ShareLink.objects.filter(token_hash=hashlib.sha256(token.encode()).digest(), revoked_at=None)
        .select_related("deposit")
        .first()
    )
    if link is None:
        raise Refused("evidence.link_not_found")
    row = link.deposit
    try:
        return summary_of(row), _receipt(row)
    except Unavailable as error:
        if error.code not in {"evidence.not_published", "evidence.not_cosigned"}:
            raise
        return summary_of(row), None


def is_shared(actor: Actor, deposit_id: UUID) -> bool:
    """Whether a link to the deposit's receipt is in force."""
    row = _row(actor, deposit_id)
    return ShareLink.objects.filter(deposit=row, revoked_at=None).exists()


def upload_of(actor: Actor, upload_id: UUID) -> UploadState:
    """How far an upload of the actor's organisation is.

    Raises:
        Refused: `evidence.upload_not_found`; what people's `must` raises.
    """
    actor.must("deposit")
    row = Upload.objects.filter(pk=upload_id, organisation=actor.organisation_id).first()
    if row is None:
        raise Refused("evidence.upload_not_found")
    return upload_state(row)


def upload_state(row: Upload) -> UploadState:
    """The frozen form of a row."""
    return UploadState(
        id=row.id,
        length=row.length,
        offset=row.offset,
        file_name=row.file_name,
        media_type=row.media_type,
        sha256=bytes(row.sha256) if row.sha256 is not None else None,
        expires_at=row.expires_at,
    )


def find(digest: bytes, limit: int = 100) -> tuple[Found, ...]:
    """Public entries under a digest, for anybody; private deposits are not in the index."""
    log = wiring.reader()
    return tuple(Found(position=each, leaf=wiring.leaf_at(log, each)) for each in wiring.book().find(digest, limit))


def statement_of(position: int) -> bytes:
    """The statement at a position of the published log, for anybody.

    Raises:
        Refused: `evidence.entry_not_found`.
    """
    published = wiring.book().latest()
    if published is None or not 0 <= position < published.size:
        raise Refused("evidence.entry_not_found")
    return wiring.reader().entry(position)


def entry_receipt(leaf: bytes) -> bytes:
    """The COSE Receipt (RFC 9942) of any statement on the log, by its leaf hash, for anybody.

    Raises:
        Unavailable: `evidence.not_published` while a known statement waits for the writer; `evidence.not_cosigned`
            for one older than the consortium, until the next checkpoint.
        Refused: `evidence.entry_not_found`.
    """
    position = wiring.book().positions([leaf]).get(leaf)
    if position is None:
        if any(rows.objects.filter(leaf=leaf).exists() for rows in (Deposit, Founding, Governance)):
            raise Unavailable("evidence.not_published")
        raise Refused("evidence.entry_not_found")
    published, path = _proof(position)
    return assemble_receipt(published.sealed_root, published.size, position, path)


def health() -> Health:
    """What an operator looks at first."""
    book = wiring.book()
    published = book.latest()
    oldest = Deposit.objects.filter(position=None).aggregate(oldest=Min("made_at"))["oldest"]
    return Health(
        pending=book.pending_count(),
        oldest_pending=oldest,
        size=published.size if published else 0,
        published_at=published.at if published else None,
    )


def _row(actor: Actor, deposit_id: UUID) -> Deposit:
    actor.must("view")
    row = Deposit.objects.filter(pk=deposit_id, organisation=actor.organisation_id).first()
    if row is None:
        raise Refused("evidence.deposit_not_found")
    return row


def receipt_of_row(row: Deposit) -> Receipt:
    """The receipt of a published deposit, for this room's own work.

    Raises:
        Unavailable: as `receipt_for`.
    """
    return _receipt(row)


def _receipt(row: Deposit) -> Receipt:
    if row.position is None:
        raise Unavailable("evidence.not_published", number=row.number)
    published, path = _proof(row.position)
    return Receipt(
        statement=bytes(row.statement),
        disclosures=decode_disclosures(bytes(row.disclosures)),
        issuer_key=bytes(row.issuer_key),
        index=row.position,
        path=tuple(path),
        checkpoint=published.note,
        seals=(published.sealed_root, *published.member_seals),
        anchors=tuple(stamps.anchors_for(row.position)[:MAX_ANCHORS]),
    )


def _proof(position: int) -> tuple[Published, list[bytes]]:
    """The checkpoint for a receipt, and the path to it: where there is a consortium, one that it has cosigned."""
    published, path = wiring.reader().inclusion(position)
    if wiring.least_size(published.size) > published.size:
        raise Unavailable("evidence.not_cosigned")
    return published, path


def _earlier_numbers(row: Deposit) -> tuple[str, ...]:
    if row.sha256 is None:
        return ()
    same = Deposit.objects.filter(organisation=row.organisation, sha256=bytes(row.sha256), serial__lt=row.serial)
    return tuple(number for _, number in sorted(same.values_list("serial", "number"))[:MAX_PAGE])


def _filtered(
    actor: Actor,
    *,
    q: str,
    kind: str,
    private: bool | None,
    made_from: datetime | None,
    made_before: datetime | None,
) -> QuerySet[Deposit]:
    actor.must("view")
    found = Deposit.objects.filter(organisation=actor.organisation_id)
    if kind:
        if kind not in KINDS:
            raise Invalid("evidence.filter_unknown", name="kind", value=kind)
        found = found.filter(kind=kind)
    if private is not None:
        found = found.filter(private=private)
    if made_from is not None:
        found = found.filter(made_at__gte=made_from)
    if made_before is not None:
        found = found.filter(made_at__lt=made_before)
    return found.filter(_search(q)) if q else found


def _search(q: str) -> Q:
    words = q.replace("\x00", "").strip()
    fits = (
        Q(title__icontains=words) | Q(author__icontains=words) | Q(file_name__icontains=words) | Q(number=words.upper())
    )
    digits = words.lower().rpartition(":")[2]
    if len(digits) == 64 and all(digit in "0123456789abcdef" for digit in digits):
        fits |= Q(sha256=bytes.fromhex(digits)) | Q(sm3=bytes.fromhex(digits))
    return fits


def _in_state(found: QuerySet[Deposit], state: str) -> QuerySet[Deposit]:
    if not state:
        return found
    if state not in STATES:
        raise Invalid("evidence.filter_unknown", name="state", value=state)
    return found.filter(position__isnull=state == "pending")


def _after(found: QuerySet[Deposit], actor: Actor, after: str, *, oldest_first: bool) -> QuerySet[Deposit]:
    if not after:
        return found
    serial = (
        Deposit.objects.filter(organisation=actor.organisation_id, number=after.replace("\x00", ""))
        .values_list("serial", flat=True)
        .first()
    )
    if serial is None:
        raise Invalid("evidence.filter_unknown", name="after", value=after[:40])
    return found.filter(serial__gt=serial) if oldest_first else found.filter(serial__lt=serial)


def _bounded(limit: int) -> int:
    return max(1, min(limit, MAX_PAGE))


def _flat(each: DepositSummary) -> dict[str, str]:
    values: dict[str, Any] = {
        "number": each.number,
        "state": each.state,
        "kind": each.kind,
        "title": each.title,
        "author": each.author,
        "file_name": each.file_name,
        "media_type": each.media_type,
        "size": "" if each.size is None else each.size,
        "sha-256": each.sha256.hex() if each.sha256 else "",
        "sm3": each.sm3.hex() if each.sm3 else "",
        "private": "yes" if each.private else "no",
        "made_at": to_text(each.made_at),
        "published_at": to_text(each.published_at) if each.published_at else "",
        "position": "" if each.position is None else each.position,
        "leaf": each.leaf.hex(),
        "id": each.id,
    }
    return {name: str(value) for name, value in values.items()}
