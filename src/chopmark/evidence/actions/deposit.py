"""Deposit: put the digests of things on the ledger.

One call takes many. Each draft is judged alone and fails alone; those that pass become rows and pending
entries in one short transaction. The same thing described in the same words by the same organisation is the
deposit it already has. Receipts come later, when the log has published the entries.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from operator import itemgetter
from threading import Lock
from typing import Any, Literal
from uuid import UUID, uuid4

from django.db import IntegrityError, connection, transaction
from django.db.models import Field

from chopmark.base import cbor
from chopmark.base.digests import DIGEST_SIZE, Digests
from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.evidence import wiring
from chopmark.evidence.deposit import KINDS, Disclosure, Draft, Prepared, check_signed, leaves_of, prepare
from chopmark.evidence.models import Deposit, Serial, Upload
from chopmark.evidence.queries import DepositSummary, encode_disclosures, summary_of
from chopmark.ledger.statement import PublicKey, Statement
from chopmark.ledger.stores import Entry
from chopmark.people.actor import Actor
from chopmark.people.queries import issuer_key

MAX_BATCH = 1000
MAX_TEXT = 300
MAX_FILE_NAME = 255
MAX_SIZE = 2**53 - 1  # the largest whole number that every JSON reader keeps
MAX_DISCLOSURES = 16
MAX_DISCLOSURE = 4096
EMPTY = hashlib.sha256(b"").digest()
MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,62}/[a-z0-9][a-z0-9!#$&^_.+-]{0,62}")
UNKNOWN_TYPE = "application/octet-stream"
TRIES = 4

Source = Literal["page", "api", "cli", "scrapi", "worker"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDeposit:
    """What a depositor asks for.

    Attributes:
        digests: of the file; may be left out when `upload` is given.
        upload: a finished upload of the same organisation; the file is then kept.
        statement: signed by the depositor's own registered key; without one the platform signs as its agent.
        disclosures: the encoded disclosures that the depositor's statement commits to.
    """

    kind: str
    digests: Digests | None = None
    upload: UUID | None = None
    title: str = ""
    author: str = ""
    file_name: str = ""
    media_type: str = ""
    private: bool = False
    statement: bytes | None = None
    disclosures: tuple[bytes, ...] = ()
    source: Source = "api"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A draft that may become a deposit.

    Attributes:
        key: the depositor's own, None when the platform signs.
        leaves: of the depositor's statement and its twin, if it has one.
        upload_gone: there is no such upload (any more): right only when the deposit was made with it before.
    """

    new: NewDeposit
    draft: Draft
    upload: UUID | None
    statement: Statement | None
    disclosures: tuple[Disclosure, ...]
    key: PublicKey | None
    leaves: tuple[bytes, ...]
    fingerprint: bytes
    upload_gone: bool


class _Moved(Exception):
    """An upload that was there a moment ago is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signed:
    id: UUID
    candidate: _Candidate
    prepared: Prepared
    issuer_key: bytes


@wiring.answering()
def deposit(drafts: Sequence[NewDeposit], *, by: Actor, at: datetime) -> list[DepositSummary | PlatformError]:
    """Make a deposit of each draft; the answers stand in the order of the drafts.

    Raises:
        Refused: what people's `must` raises; `evidence.batch_too_large`.
        Unavailable: `evidence.intake_key_missing`, `evidence.busy`, `ledger.database_unavailable`.
    """
    by.must("deposit")
    if len(drafts) > MAX_BATCH:
        raise Refused("evidence.batch_too_large", limit=MAX_BATCH)
    for _ in range(TRIES):
        checked = _checked(drafts, by)
        known, same_digest = _known([each for each in checked if isinstance(each, _Candidate)], by)
        judged, signed = _judged(checked, known, by, at)
        good = [each for each in judged if isinstance(each, _Candidate)]
        try:
            made = _write(signed, known, good, by, at)
        except (IntegrityError, _Moved):  # another call has just made one of them, or a sweep took an upload away
            continue
        return _answers(judged, made, known, same_digest)
    raise Unavailable("evidence.busy")


def _checked(drafts: Sequence[NewDeposit], by: Actor) -> list[_Candidate | PlatformError]:
    """Judge each draft alone."""
    wanted = [each.upload for each in drafts if each.upload is not None]
    rows = Upload.objects.filter(pk__in=wanted, organisation=by.organisation_id) if wanted else ()
    uploads = {row.id: row for row in rows}
    keys: dict[bytes, PublicKey] = {}
    checked: list[_Candidate | PlatformError] = []
    for new in drafts:
        try:
            checked.append(_candidate(new, uploads, keys, by))
        except PlatformError as error:
            checked.append(error)
    return checked


def _candidate(new: NewDeposit, uploads: Mapping[UUID, Upload], keys: dict[bytes, PublicKey], by: Actor) -> _Candidate:
    draft = Draft(
        digests=_digests(new, uploads),
        kind=_kind(new.kind),
        title=text("title", new.title, MAX_TEXT),
        author=text("author", new.author, MAX_TEXT),
        file_name=text("file_name", new.file_name, MAX_FILE_NAME),
        media_type=media_type(new.media_type),
        private=new.private,
    )
    key = statement = None
    leaves: tuple[bytes, ...] = ()
    disclosures: tuple[Disclosure, ...] = ()
    if new.statement is not None:
        statement = Statement.parse(new.statement)
        key, leaves = _depositor_key(statement, keys, by), leaves_of(statement)
        disclosures = _disclosures(new.disclosures)
    elif new.disclosures:
        raise Invalid("evidence.disclosures_alone")
    return _Candidate(
        new=new,
        draft=draft,
        upload=new.upload if new.upload in uploads else None,
        upload_gone=new.upload is not None and new.upload not in uploads,
        statement=statement,
        disclosures=disclosures,
        key=key,
        leaves=leaves,
        fingerprint=_fingerprint(draft, key),
    )


def _digests(new: NewDeposit, uploads: Mapping[UUID, Upload]) -> Digests:
    """The digests given, those of the upload, or both when they agree."""
    given = new.digests
    row = uploads.get(new.upload) if new.upload is not None else None
    if row is None and new.upload is not None and given is None:
        raise Refused("evidence.upload_not_found")
    if row is not None:
        if row.sha256 is None:
            raise Invalid("evidence.upload_unfinished", offset=row.offset, length=row.length)
        stored = Digests(sha256=bytes(row.sha256), size=row.length, sm3=bytes(row.sm3) if row.sm3 is not None else None)
        if given is not None and (given.sha256, given.size) != (stored.sha256, stored.size):
            raise Invalid("evidence.file_changed")
        if given is not None and None not in (given.sm3, stored.sm3) and given.sm3 != stored.sm3:
            raise Invalid("evidence.file_changed")
        given = stored if given is None or given.sm3 is None else given
    if given is None:
        raise Invalid("evidence.digest_missing")
    if given.size == 0 or given.sha256 == EMPTY:
        raise Invalid("evidence.empty_file")
    if not 0 < given.size <= MAX_SIZE:
        raise Invalid("evidence.size_wrong", limit=MAX_SIZE)
    if len(given.sha256) != DIGEST_SIZE or (given.sm3 is not None and len(given.sm3) != DIGEST_SIZE):
        raise Invalid("base.digest_malformed")
    return given


def _kind(kind: str) -> str:
    if kind not in KINDS:
        raise Invalid("evidence.kind_unknown", kind=kind[:40], kinds=list(KINDS))
    return kind


def text(name: str, value: str, limit: int) -> str:
    """A text a person typed, as it is: nothing is repaired.

    Raises:
        Invalid: `evidence.text_too_long`, `evidence.text_control` for control characters and lone surrogates.
    """
    if len(value) > limit:
        raise Invalid("evidence.text_too_long", name=name, limit=limit)
    if not value.isprintable() and any(unicodedata.category(each) in ("Cc", "Cs") for each in value):
        raise Invalid("evidence.text_control", name=name)
    return value


def media_type(value: str) -> str:
    """The media type without its parameters, in lower case; `application/octet-stream` for none.

    Raises:
        Invalid: `evidence.media_type_malformed`.
    """
    if not value:
        return UNKNOWN_TYPE
    plain = value.partition(";")[0].strip().lower()
    if MEDIA_TYPE.fullmatch(plain) is None:
        raise Invalid("evidence.media_type_malformed")
    return plain


def _depositor_key(statement: Statement, keys: dict[bytes, PublicKey], by: Actor) -> PublicKey:
    """The organisation's registered key that the statement names."""
    if statement.kid not in keys:
        _, cose_key, state = issuer_key(statement.kid, by.organisation_id)
        if state != "active":
            raise Refused("evidence.key_retired", kid=statement.kid.hex())
        keys[statement.kid] = PublicKey.from_cose(cose_key)
    return keys[statement.kid]


def _disclosures(encoded: Sequence[bytes]) -> tuple[Disclosure, ...]:
    if len(encoded) > MAX_DISCLOSURES or any(len(each) > MAX_DISCLOSURE for each in encoded):
        raise Invalid("evidence.disclosures_too_large")
    return tuple(Disclosure.parse(each) for each in encoded)


def _fingerprint(draft: Draft, key: PublicKey | None) -> bytes:
    """What makes two requests of one organisation the same deposit."""
    digests = draft.digests
    said = [
        digests.sha256,
        digests.sm3,
        digests.size,
        draft.kind,
        draft.title,
        draft.author,
        draft.file_name,
        draft.media_type,
        draft.private,
        key.thumbprint if key else None,
    ]
    return hashlib.sha256(cbor.encode(said)).digest()


def _known(
    wanted: Collection[_Candidate], by: Actor
) -> tuple[dict[bytes, Deposit], dict[bytes, list[tuple[int, str]]]]:
    """What the organisation has already: the same deposits by fingerprint; serial and number of each by digest."""
    digests = {each.draft.digests.sha256 for each in wanted}
    fingerprints = {each.fingerprint for each in wanted}
    same: dict[bytes, list[tuple[int, str]]] = defaultdict(list)
    mine = Deposit.objects.filter(organisation=by.organisation_id)
    # Sorted here: asked to sort, SQLite goes through all rows of the organisation in that order.
    rows = mine.filter(sha256__in=digests).values_list("serial", "sha256", "number", "fingerprint")
    exact = []
    for serial, sha256, number, fingerprint in sorted(rows, key=itemgetter(0)):
        same[bytes(sha256 or b"")].append((serial, number))
        if bytes(fingerprint) in fingerprints:
            exact.append(number)
    found = mine.filter(number__in=exact) if exact else ()
    return {bytes(row.fingerprint): row for row in found}, same


def _judged(
    checked: Sequence[_Candidate | PlatformError], known: Mapping[bytes, Deposit], by: Actor, at: datetime
) -> tuple[list[_Candidate | PlatformError], list[_Signed]]:
    """Make, or check, the statement of each; of several drafts in the same words the first good one is written."""
    used = _used([leaf for each in checked if isinstance(each, _Candidate) for leaf in each.leaves])
    signed: dict[bytes, _Signed] = {}
    judged: list[_Candidate | PlatformError] = []
    for each in checked:
        try:
            if isinstance(each, _Candidate) and each.fingerprint not in known:
                if each.upload_gone:
                    raise Refused("evidence.upload_not_found")
                if each.statement is not None or each.fingerprint not in signed:
                    made = _statement(uuid4(), each, by, at)
                    if not used.isdisjoint(each.leaves):
                        raise Refused("evidence.statement_used")
                    signed.setdefault(each.fingerprint, made)
            judged.append(each)
        except PlatformError as error:
            judged.append(error)
    return judged, list(signed.values())


def _used(leaves: Collection[bytes]) -> set[bytes]:
    """Those of the leaves that a deposit has already: its statement may have been sent without its description."""
    return {bytes(leaf) for (leaf,) in Deposit.objects.filter(leaf__in=leaves).values_list("leaf")} if leaves else set()


def _statement(deposit_id: UUID, candidate: _Candidate, by: Actor, at: datetime) -> _Signed:
    if candidate.key is None or candidate.statement is None:
        key = wiring.intake_key()
        prepared = prepare(
            candidate.draft,
            issuer=wiring.intake_issuer(),
            subject=wiring.subject_of(deposit_id),
            depositor=f"{by.organisation_name} <{wiring.issuer_of(by.organisation_id)}>",
            agent=True,
            policy=wiring.policy_id(),
            key=key,
            at=at,
        )
        public = key.public
    else:
        public = candidate.key
        prepared = check_signed(
            candidate.statement,
            candidate.draft,
            candidate.disclosures,
            public,
            issuer=wiring.issuer_of(by.organisation_id),
            policy=wiring.policy_id(),
            at=at,
        )
    return _Signed(id=deposit_id, candidate=candidate, prepared=prepared, issuer_key=public.to_cose())


def _write(
    signed: Sequence[_Signed],
    known: Mapping[bytes, Deposit],
    good: Sequence[_Candidate],
    by: Actor,
    at: datetime,
) -> dict[bytes, DepositSummary]:
    """Rows, pending entries and used-up uploads in one transaction."""
    used = {each.upload for each in good if each.upload is not None}
    filed = {each.fingerprint for each in good if each.upload is not None}
    keep = [row for fingerprint, row in known.items() if fingerprint in filed and not row.kept]
    if not signed and not used:
        return {}
    with _turn(), transaction.atomic():
        if used and Upload.objects.filter(pk__in=used, organisation=by.organisation_id).delete()[0] != len(used):
            raise _Moved
        made = []
        if signed:
            first = take_serials(len(signed))
            made = _summaries(signed, first, filed, by, at)
            _insert(signed, made, first, by, at)
        if keep:
            Deposit.objects.filter(pk__in=[row.pk for row in keep]).update(kept=True)
        entries = [
            Entry(leaf=each.prepared.leaf, statement=each.prepared.statement, search_keys=each.prepared.search_keys)
            for each in signed
        ]
        if entries:
            wiring.book().enqueue(entries, at)
    for row in keep:
        row.kept = True
    return {each.candidate.fingerprint: new for each, new in zip(signed, made, strict=True)}


_sqlite_turn = Lock()


def _turn() -> AbstractContextManager[object]:
    """SQLite writes one at a time, and who finds it busy sleeps ever longer: threads of one process queue instead."""
    return _sqlite_turn if connection.vendor == "sqlite" else nullcontext()


def take_serials(count: int) -> int:
    """Reserve serial numbers; the first of them. Must run inside the transaction that uses them."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE evidence_serial SET last = last + %s WHERE name = %s RETURNING last", [count, "deposit"])
        row = cursor.fetchone()
    if row is None:
        Serial.objects.create(name="deposit", last=count)
        return 1
    return int(row[0]) - count + 1


def number_of(serial: int, at: datetime) -> str:
    """The short number, `D-2026-000123`; the serial goes on over the years."""
    return f"D-{at.year}-{serial:06d}"


def _summaries(
    signed: Sequence[_Signed], first: int, filed: Collection[bytes], by: Actor, at: datetime
) -> list[DepositSummary]:
    """What the new rows will say, in their order."""
    summaries = []
    for serial, each in enumerate(signed, first):
        draft, digests = each.candidate.draft, each.candidate.draft.digests
        summaries.append(
            DepositSummary(
                id=each.id,
                number=number_of(serial, at),
                organisation_id=by.organisation_id,
                source=each.candidate.new.source,
                kind=draft.kind,
                title=draft.title,
                author=draft.author,
                file_name=draft.file_name,
                media_type=draft.media_type,
                size=digests.size,
                private=draft.private,
                sha256=digests.sha256,
                sm3=digests.sm3,
                kept=each.candidate.fingerprint in filed,
                agent=each.candidate.key is None,
                leaf=each.prepared.leaf,
                made_at=at,
                position=None,
                published_at=None,
            )
        )
    return summaries


def _insert(
    signed: Sequence[_Signed], summaries: Sequence[DepositSummary], first: int, by: Actor, at: datetime
) -> None:
    """Write the new rows; a model's instance for each would cost more than the database's own work."""
    same = {
        "organisation": _stored("organisation", by.organisation_id),
        "made_by": by.user_id,
        "made_at": _stored("made_at", at),
    }
    rows: list[dict[str, Any]] = []
    for serial, (each, new) in enumerate(zip(signed, summaries, strict=True), first):
        rows.append(
            {
                "id": _stored("id", new.id),
                "serial": serial,
                "number": new.number,
                "source": new.source,
                "kind": new.kind,
                "title": new.title,
                "author": new.author,
                "file_name": new.file_name,
                "media_type": new.media_type,
                "size": new.size,
                "private": new.private,
                "sha256": new.sha256,
                "sm3": new.sm3,
                "kept": new.kept,
                "fingerprint": each.candidate.fingerprint,
                "leaf": new.leaf,
                "statement": each.prepared.statement,
                "disclosures": encode_disclosures(each.prepared.disclosures),
                "issuer_key": each.issuer_key,
                "agent": new.agent,
                **same,
            }
        )
    columns, markers = ", ".join(rows[0]), ", ".join(["%s"] * len(rows[0]))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO evidence_deposit ({columns}) VALUES ({markers})",  # noqa: S608 (our own names)
            [list(row.values()) for row in rows],
        )


def _stored(name: str, value: object) -> Any:  # noqa: ANN401 (whatever the database's driver takes)
    """A value as the database takes it: each of the two has a form of its own for ids and times."""
    field: Field[Any, Any] = Deposit._meta.get_field(name)  # type: ignore[assignment]  # noqa: SLF001 (a plain column; Django's documented name)
    return field.get_db_prep_save(value, connection)


def _answers(
    judged: Sequence[_Candidate | PlatformError],
    made: Mapping[bytes, DepositSummary],
    known: Mapping[bytes, Deposit],
    same_digest: Mapping[bytes, Sequence[tuple[int, str]]],
) -> list[DepositSummary | PlatformError]:
    answers: list[DepositSummary | PlatformError] = []
    given: set[bytes] = set()
    for each in judged:
        if isinstance(each, PlatformError):
            answers.append(each)
            continue
        before = same_digest.get(each.draft.digests.sha256, ())
        if each.fingerprint in known:
            row = known[each.fingerprint]
            earlier = [number for serial, number in before if serial < row.serial]
            answers.append(summary_of(row, earlier=earlier, created=False))
            continue
        new = made[each.fingerprint]
        if before or each.fingerprint in given:
            new = replace(new, earlier=tuple(number for _, number in before), created=each.fingerprint not in given)
        given.add(each.fingerprint)
        answers.append(new)
    return answers
